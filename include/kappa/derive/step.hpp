#pragma once
/// \file
/// One node of the program as the kernels see it: its signature, a template argument, so that equal layers share
/// their code, and its operands, run-time numbers.

#include <array>

#include <kappa/derive/layout.hpp>
#include <kappa/plan/aggregation.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// What decides the code of a node's steps.
struct signature {
  operation op = operation::input;
  int features_in = 0;
  int features_out = 0;
  int positions = 0;          ///< of the result
  int operand_positions = 0;  ///< of the first operand
  bool bias = false;
  bool tied = false;  ///< its weight has other uses
  bool a_active = false;
  bool b_active = false;
  bool skips_value = false;  ///< already done in an epilogue, or nothing to do
  bool skips_mask = false;
  bool has_epilogue = false;
  bool has_mask = false;
  bool unreached = false;
  activation_rule const* act = nullptr;       ///< of an activation
  activation_rule const* epilogue = nullptr;  ///< of a dense: applied to its rows
  activation_rule const* mask = nullptr;      ///< of a dense: its derivative ends the pull
  layer_rule const* layer = nullptr;
  layer_settings set{};
  shape in{}, out{};
  shape below{};             ///< of a dense that pulls through patches: what those are taken from
  shape chosen{};            ///< of a dense whose adjoint lies at the places that a pool chose: the pool's
  bool chooses = false;      ///< of a pool: it keeps those places
  bool spreads = false;      ///< of either: the dense has an adjoint of all its elements beside it
  int own = 0;               ///< parameters of a layer
  int row = 0;               ///< of a layer whose parameter is a table: the length of a row
  bool whole = true;         ///< the vectors of its own parameters are wanted: of a table not always
  int weight_positions = 0;  ///< R of this use of a parameter
  bool ragged = false;       ///< the operand's leading axis holds padding
  int numerator = 1;
  int denominator = 1;
  contribution to_a = contribution::none;
  contribution to_b = contribution::none;

  constexpr bool operator==(signature const&) const = default;
  constexpr int size() const { return features_out * positions; }
  constexpr int operand_size() const { return features_in * operand_positions; }
};

/// Where a node's data lie: buffers of the plan.
struct operands {
  int value = 0, a_value = 0, b_value = 0;
  int epilogue_value = 0;
  int mask_value = 0;
  int tangent = 0, a_tangent = 0, b_tangent = 0;
  int sum = 0;
  int adjoint = 0, a_adjoint = 0, b_adjoint = 0;
  int node = 0;
  int parameter = -1;
  int offset = 0;    ///< of the weight in the flat parameters
  int position = 0;  ///< of this use among those of a tied weight
  bool begins = false, completes = false;
  int inputs = 0;          ///< of the linear part whose weight is the parameter
  int vectors = 0;         ///< the streams at its output
  int below_adjoint = 0;   ///< of what a dense pulls through patches to
  int places = 0;          ///< that a pool chose
  int chosen_adjoint = 0;  ///< of that pool
  int shift = 0;
};

/// What decides the code of a parameter's quadratic quantities.
struct parameter_signature {
  int inputs = 0;
  int outputs = 0;
  bool bias = false;
  int positions = 0;
  bool packed = false;
  bool aggregated = false;  ///< reduce where K-FAC chooses by itself
  bool ragged = false;      ///< K-FAC leaves padding out
  bool sums = false;        ///< its valid positions are summed
  int row = 0;              ///< of a table: K-FAC takes the rows that are read, one use after the other
  constexpr bool operator==(parameter_signature const&) const = default;
};

template <objective_type Objective, request R>
struct steps {
  using network = typename Objective::network;
  static constexpr auto const& plan = program<Objective, R>::value;
  static constexpr unsigned count = static_cast<unsigned>(network::node_count);

  // What a node's derivative is taken from: its output, or its input when the output does not tell.
  static constexpr int mask_value(int i) {
    auto const& x = network::nodes[static_cast<unsigned>(i)];
    return derivative_from_output(x.act->kind) ? plan.nodes[static_cast<unsigned>(i)].value
                                               : plan.nodes[static_cast<unsigned>(x.a)].value;
  }

  static constexpr auto signatures = [] {
    std::array<signature, count> all{};
    for (unsigned i = 0; i < count; ++i) {
      node const& x = network::nodes[i];
      node_plan const& p = plan.nodes[i];
      signature& s = all[i];
      s.op = x.op;
      s.features_out = x.out.features();
      s.positions = x.out.positions();
      if (x.a >= 0) {
        shape const& in = network::nodes[static_cast<unsigned>(x.a)].out;
        s.features_in = in.features();
        s.operand_positions = in.positions();
        s.ragged = network::nodes[static_cast<unsigned>(x.a)].ragged;
        s.a_active = plan.nodes[static_cast<unsigned>(x.a)].active;
      }
      if (x.b >= 0) s.b_active = plan.nodes[static_cast<unsigned>(x.b)].active;
      if (x.parameter >= 0) {
        s.bias = network::parameters[static_cast<unsigned>(x.parameter)].bias;
        s.tied = network::parameters[static_cast<unsigned>(x.parameter)].uses > 1;
      }
      s.skips_value = p.fused || p.moves_nothing;
      s.skips_mask = p.masked;
      s.has_epilogue = p.epilogue >= 0;
      s.has_mask = p.mask >= 0;
      s.unreached = p.unreached;
      s.act = x.act;
      s.layer = x.layer;
      s.set = x.set;
      if (p.through) {
        node const& patches = network::nodes[static_cast<unsigned>(x.a)];
        s.layer = patches.layer;
        s.set = patches.set;
        s.in = patches.out;
        s.out = x.out;
        s.below = network::nodes[static_cast<unsigned>(patches.a)].out;
      }
      s.chooses = p.chooses;
      s.spreads = p.spreads;
      if (p.chosen_by >= 0) s.chosen = network::nodes[static_cast<unsigned>(p.chosen_by)].out;
      if (x.op == operation::layer || x.op == operation::concatenate) {
        s.in = network::nodes[static_cast<unsigned>(x.a)].out;
        s.out = x.out;
      }
      if (x.parameter >= 0) {
        s.row = network::parameters[static_cast<unsigned>(x.parameter)].row;
        s.whole = s.row == 0 || R.whole_tables();
        s.own = x.op == operation::layer ? network::parameters[static_cast<unsigned>(x.parameter)].outputs : 0;
        s.weight_positions = x.op == operation::layer ? 1 : x.out.positions();
      }
      s.numerator = x.numerator;
      s.denominator = x.denominator;
      if (p.epilogue >= 0) s.epilogue = network::nodes[static_cast<unsigned>(p.epilogue)].act;
      if (p.mask >= 0) s.mask = network::nodes[static_cast<unsigned>(p.mask)].act;
      s.to_a = p.to_a;
      s.to_b = p.to_b;
    }
    return all;
  }();

  static constexpr auto places = [] {
    std::array<operands, count> all{};
    for (unsigned i = 0; i < count; ++i) {
      node const& x = network::nodes[i];
      node_plan const& p = plan.nodes[i];
      operands& o = all[i];
      o.node = static_cast<int>(i);
      o.value = p.value;
      o.tangent = p.tangent;
      o.adjoint = p.adjoint;
      o.sum = p.sum;
      if (x.a >= 0) {
        node_plan const& a = plan.nodes[static_cast<unsigned>(x.a)];
        o.a_value = a.value;
        o.a_tangent = a.tangent;
        o.a_adjoint = a.adjoint;
      }
      if (x.b >= 0) {
        node_plan const& b = plan.nodes[static_cast<unsigned>(x.b)];
        o.b_value = b.value;
        o.b_tangent = b.tangent;
        o.b_adjoint = b.adjoint;
      }
      if (p.epilogue >= 0) o.epilogue_value = plan.nodes[static_cast<unsigned>(p.epilogue)].value;
      if (p.mask >= 0) o.mask_value = mask_value(p.mask);
      if (x.op == operation::activation) o.mask_value = mask_value(static_cast<int>(i));
      o.parameter = x.parameter;
      if (x.parameter >= 0) o.offset = network::parameters[static_cast<unsigned>(x.parameter)].offset;
      o.position = p.position;
      o.begins = p.begins;
      o.completes = p.completes;
      o.vectors = p.vectors;
      o.places = p.places;
      if (p.chosen_by >= 0) o.chosen_adjoint = plan.nodes[static_cast<unsigned>(p.chosen_by)].adjoint;
      o.shift = p.through ? network::nodes[static_cast<unsigned>(x.a)].shift : x.shift;
      if (p.through)
        o.below_adjoint = plan.nodes[static_cast<unsigned>(network::nodes[static_cast<unsigned>(x.a)].a)].adjoint;
      if (x.parameter >= 0) o.inputs = x.op == operation::layer ? plan.ones : o.a_value;
    }
    return all;
  }();

  static constexpr parameter_signature parameter_of(unsigned p) {
    parameter const& w = network::parameters[p];
    parameter_plan const& where = plan.parameters[p];
    sharing_of const how = sharing<network>[p];
    bool const ragged = R.kfacs > 0 && how.ragged;
    return {
        w.inputs,        w.outputs,          w.bias,
        where.positions, where.packed,       R.any_kfac(kfac_mode::automatic) && where.positions > 1 && how.aggregated,
        ragged,          ragged && how.sums, w.row};
  }
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
