#pragma once
/// \file
/// How a request runs on a network: one forward sweep, the loss, one backward sweep. For every node the program
/// says where its value, tangent and adjoint lie, what is fused into which product, and who writes, adds to or
/// shares each adjoint. All of it is one constant; nothing here computes with data.

#include <array>

#include <kappa/plan/arena.hpp>
#include <kappa/plan/choose.hpp>
#include <kappa/plan/request.hpp>
#include <kappa/shapes/objective.hpp>

namespace kappa {

/// How a node's backward step hands its adjoint to one it reads.
enum class contribution {
  none,   ///< nothing above depends on a parameter
  alias,  ///< both adjoints are one buffer, changed in place
  write,  ///< the first to arrive
  add     ///< adds to what is there
};

/// A place in the arena, in elements per sample.
struct place_of {
  static constexpr int none = -1;
  static constexpr int batch_inputs = -2;  ///< the user's data, read only
  static constexpr int ones = -3;          ///< a one per sample, what a layer's own parameters are multiplied with
};

/// What the program does at one node.
struct node_plan {
  int value = place_of::none;
  int tangent = place_of::none;
  int adjoint = place_of::none;
  int sum = place_of::none;    ///< where a dense tangent gathers its second product
  bool active = false;         ///< depends on a parameter
  bool moves_nothing = false;  ///< its value is its operand's: flatten, identity
  int epilogue = -1;           ///< dense: the activation applied to its rows while they are hot
  bool fused = false;          ///< activation: done in the epilogue of its dense
  int mask = -1;               ///< dense: the activation whose derivative the pull's epilogue applies
  bool masked = false;         ///< activation: its backward step is done in a pull's epilogue
  contribution to_a = contribution::none;
  contribution to_b = contribution::none;
  int position = 0;      ///< dense: where its positions begin among those of all uses of its weight
  bool through = false;  ///< dense: pulls through the patches it reads, whose adjoint is never stored
  bool passed = false;   ///< patches: that is done to them
  int chosen_by = -1;    ///< dense: the pool that reads it, whose adjoint is its own at the places of the largest
  bool chooses = false;  ///< pool: of such a dense
  bool spreads = false;  ///< of either: the dense has an adjoint of all its elements, for what wants it
  int places = place_of::none;   ///< of either: those places
  bool unreached = false;        ///< the output does not depend on it
  bool completes = false;        ///< with a parameter: the last use of it to be met going backward
  bool begins = false;           ///< and the first
  int vectors = place_of::none;  ///< with a parameter: the vectors at its linear part's output, the streams one by one
};

/// What the program does for one parameter.
struct parameter_plan {
  int positions = 0;              ///< R: shared positions of all its uses together
  int reads = 0;                  ///< of a table: positions that read a row, of all its uses that have no padding
  int ragged_uses = 0;            ///< of a table: those where the mask says which positions read one
  bool packed = false;            ///< several uses: inputs and adjoints are copied side by side
  int inputs = place_of::none;    ///< [N, R, in]
  int adjoints = place_of::none;  ///< the streams, each [N, K, R, out]
};

namespace static_detail {

template <int Nodes, int Parameters>
struct program_value {
  std::array<node_plan, static_cast<unsigned>(Nodes)> nodes{};
  std::array<parameter_plan, static_cast<unsigned>(Parameters)> parameters{};
  int elements_per_sample = 0;  ///< the arena's part that grows with the batch
  int ones = place_of::none;    ///< where the ones lie, if any
};

template <network_type Network>
constexpr auto plan_of(request const& r, stream_set const& streams) {
  constexpr int n = Network::node_count;
  // Raw pointers: every call counts against the compiler's limit of constant-evaluation steps.
  node const* const at = Network::nodes.data();
  parameter const* const parameters = Network::parameters.data();
  program_value<n, static_cast<int>(Network::parameters.size())> p;
  node_plan* const plan = p.nodes.data();
  bool const backward = streams.count > 0;
  bool const hessian = r.hessian_vector_product;
  int const directions = r.directions();

  // Moments: node i runs forward at i, the loss at n, node i backward at 2n - i; results are read at the end.
  int const loss_time = n;
  int const end_time = 2 * n + 1;
  auto const backward_time = [&](int i) { return 2 * n - i; };

  std::array<int, static_cast<unsigned>(n)> consumers{};
  int* const consumed = consumers.data();
  for (int i = 0; i < n; ++i) {
    if (at[i].a >= 0) ++consumed[at[i].a];
    if (at[i].b >= 0) ++consumed[at[i].b];
    bool const below = (at[i].a >= 0 && plan[at[i].a].active) || (at[i].b >= 0 && plan[at[i].b].active);
    plan[i].active = at[i].parameter >= 0 || below;
  }
  ++consumed[n - 1];  // the loss reads the output

  list<buffer> buffers;
  // ---- values -----------------------------------------------------------------------------------------------
  std::array<int, static_cast<unsigned>(n)> value_buffer{};
  int* const value = value_buffer.data();
  auto const is_identity = [&](int i) {
    return at[i].op == operation::activation && at[i].act->kind == activation_kind::identity;
  };
  for (int i = 0; i < n; ++i) {
    node const& x = at[i];
    if (x.op == operation::input) {
      value[i] = place_of::batch_inputs;
    } else if (x.op == operation::reshape || is_identity(i)) {
      value[i] = value[x.a];
      plan[i].moves_nothing = true;
    } else if (x.op == operation::activation && consumed[x.a] == 1 && derivative_from_output(x.act->kind) &&
               (at[x.a].op == operation::dense || at[x.a].op == operation::add || at[x.a].op == operation::scale ||
                at[x.a].op == operation::multiply || at[x.a].op == operation::layer)) {
      value[i] = value[x.a];  // in place: nothing reads the pre-activation again
    } else {
      // An activation fused into a product is written while the product runs.
      bool const early = x.op == operation::activation && at[x.a].op == operation::dense && consumed[x.a] == 1;
      value[i] = buffers.push({x.out.size(), early ? x.a : i, i, 0});
    }
    if (x.op == operation::activation && !plan[i].moves_nothing && at[x.a].op == operation::dense &&
        consumed[x.a] == 1) {
      plan[i].fused = true;
      plan[x.a].epilogue = i;
    }
  }
  auto const keep = [&](int buffer, int until) {
    if (buffer >= 0 && buffers.items[buffer].end < until) buffers.items[buffer].end = until;
  };
  // A convolution that only a pool reads: what arrives at its outputs is zero but where the pool chose.
  std::array<int, static_cast<unsigned>(n)> places_buffer{};
  int* const places = places_buffer.data();
  for (int i = 0; i < n; ++i) places[i] = place_of::none;
  for (int i = 0; i < n && backward && !hessian; ++i) {
    node const& x = at[i];
    if (x.op != operation::layer || !x.layer->takes_largest || at[x.a].op != operation::dense || consumed[x.a] != 1)
      continue;
    node const& below = at[at[x.a].a];
    parameter const& w = parameters[at[x.a].parameter];
    if (below.op != operation::layer || !below.layer->gathers || consumed[at[x.a].a] != 1 || below.ragged ||
        w.uses != 1 || std::max(w.size(), at[x.a].out.size()) >= 1 << 24)  // places in both are elements of T
      continue;
    if (below.layer->patches(at[below.a].out, below.set).rows == 0 || !x.layer->takes_once(at[x.a].out, x.set))
      continue;
    plan[i].chooses = true;
    plan[x.a].chosen_by = i;
    plan[i].spreads = plan[x.a].spreads = r.all_positions();
    places[i] = places[x.a] =
        buffers.push({x.out.size(), i, r.keeps_vectors() && !r.all_positions() ? end_time : backward_time(x.a), 0});
  }
  for (int i = 0; i < n; ++i) {
    node const& x = at[i];
    if (x.a >= 0) keep(value[x.a], i);
    if (x.b >= 0) keep(value[x.b], i);
    if (!backward || !plan[i].active) continue;
    int const t = backward_time(i);
    if (x.op == operation::dense) keep(value[x.a], r.keeps_vectors() ? end_time : t);
    if (x.op == operation::activation && !plan[i].moves_nothing)
      keep(derivative_from_output(x.act->kind) ? value[i] : value[x.a],
           t + 1);  // a fused mask runs one node earlier or later
    if (x.op == operation::layer && (!x.layer->linear || x.parameter >= 0) && (!plan[i].chooses || plan[i].spreads))
      keep(value[x.a], r.ekfac && x.parameter >= 0 && parameters[x.parameter].is_table() ? end_time : t);
    if (x.op == operation::multiply) {
      keep(value[x.a], t);
      keep(value[x.b], t);
    }
  }
  keep(value[n - 1], loss_time);

  // ---- tangents ---------------------------------------------------------------------------------------------
  std::array<int, static_cast<unsigned>(n)> tangent_buffer{};
  int* const tangent = tangent_buffer.data();
  for (int i = 0; i < n; ++i) tangent[i] = place_of::none;
  std::array<int, static_cast<unsigned>(n)> sum_buffer{};
  int* const sum = sum_buffer.data();
  for (int i = 0; i < n; ++i) sum[i] = place_of::none;
  if (directions > 0) {
    for (int i = 0; i < n; ++i) {
      node const& x = at[i];
      if (!plan[i].active) continue;
      if (plan[i].moves_nothing) {
        tangent[i] = tangent[x.a];
      } else {
        tangent[i] = buffers.push({directions * x.out.size(), i, i, 0});
        if (x.op == operation::dense && plan[x.a].active) sum[i] = buffers.push({directions * x.out.size(), i, i, 0});
      }
      if (x.a >= 0) keep(tangent[x.a], i);
      if (x.b >= 0) keep(tangent[x.b], i);
      if (!hessian) continue;
      bool const rereads = x.op == operation::dense || x.op == operation::activation || x.op == operation::layer ||
                           x.op == operation::multiply;
      if (rereads && x.a >= 0) keep(tangent[x.a], backward_time(i));
      if (rereads && x.b >= 0) keep(tangent[x.b], backward_time(i));
    }
    keep(tangent[n - 1], loss_time);
  }

  // ---- adjoints ---------------------------------------------------------------------------------------------
  std::array<int, static_cast<unsigned>(n)> adjoint_buffer{};
  int* const adjoint = adjoint_buffer.data();
  for (int i = 0; i < n; ++i) adjoint[i] = place_of::none;
  std::array<int, static_cast<unsigned>(n)> vectors_buffer{};
  int* const vectors = vectors_buffer.data();
  for (int i = 0; i < n; ++i) vectors[i] = place_of::none;
  // A layer's own parameters have vectors beside those of its result; a table's only where all its rows are wanted.
  auto const has_own_vectors = [&](node const& x) {
    return x.op == operation::layer && (!parameters[x.parameter].is_table() || r.whole_tables());
  };
  if (backward && plan[n - 1].active) {
    adjoint[n - 1] = buffers.push({streams.columns * at[n - 1].out.size(), loss_time, loss_time, 0});
    for (int i = n - 1; i > 0; --i) {
      node const& x = at[i];
      if (!plan[i].active || plan[i].passed) continue;
      int const t = backward_time(i);
      if (adjoint[i] < 0) {  // the output does not depend on this node: zero vectors, and nothing to pull
        plan[i].unreached = true;
        plan[i].chosen_by = -1;
        if (x.parameter >= 0) {
          auto const zeros = [&](int size) {
            return buffers.push({streams.columns * size, t, r.keeps_vectors() ? end_time : t, 0});
          };
          bool const own = has_own_vectors(x);
          if (own) vectors[i] = zeros(parameters[x.parameter].outputs);
          adjoint[i] = own && !parameters[x.parameter].is_table() ? vectors[i] : zeros(x.out.size());
          if (!own) vectors[i] = adjoint[i];
        }
        continue;
      }
      keep(adjoint[i], t);
      if (x.parameter >= 0)
        vectors[i] = has_own_vectors(x) ? buffers.push({streams.columns * parameters[x.parameter].outputs, t, t, 0})
                                        : adjoint[i];
      if (x.op == operation::dense && at[x.a].op == operation::layer && at[x.a].layer->gathers && consumed[x.a] == 1 &&
          !hessian)
        plan[i].through = plan[x.a].passed = true;
      int const a = plan[i].through ? at[x.a].a : x.a;
      bool const a_active = a >= 0 && plan[a].active;
      bool const b_active = x.b >= 0 && plan[x.b].active;
      auto const arrives = [&](int operand) {
        if (adjoint[operand] >= 0) {
          keep(adjoint[operand], t);
          return contribution::add;
        }
        adjoint[operand] = buffers.push({streams.columns * at[operand].out.size(), t, t, 0});
        return contribution::write;
      };
      auto const shares = [&](int operand) {
        adjoint[operand] = adjoint[i];
        return contribution::alias;
      };
      bool const elementwise = x.op == operation::reshape || x.op == operation::activation || x.op == operation::scale;
      if (x.op == operation::add) {
        // The second summand takes the buffer over when nothing else feeds it; the first gets a copy before.
        bool const b_alias = b_active && consumed[x.b] == 1;
        bool const a_alias = a_active && consumed[x.a] == 1 && !b_alias;
        if (b_active && !b_alias) plan[i].to_b = arrives(x.b);
        if (a_active) plan[i].to_a = a_alias ? shares(x.a) : arrives(x.a);
        if (b_alias) plan[i].to_b = shares(x.b);
      } else if (plan[i].chooses && !plan[i].spreads) {
        plan[i].to_a = shares(x.a);
      } else {
        if (a_active) plan[i].to_a = elementwise && consumed[a] == 1 ? shares(a) : arrives(a);
        if (b_active) plan[i].to_b = arrives(x.b);
      }
      if (x.op == operation::dense && !plan[i].through && plan[i].to_a == contribution::write && !hessian) {
        // The only consumer of an activation applies its derivative to the rows it has just written.
        node const& below = at[x.a];
        if (below.op == operation::activation && !plan[x.a].moves_nothing && consumed[x.a] == 1 &&
            consumed[below.a] == 1) {
          plan[i].mask = x.a;
          plan[x.a].masked = true;
        }
      }
      if (plan[i].chosen_by >= 0) keep(adjoint[plan[i].chosen_by], t);
      if (x.parameter >= 0 && r.keeps_vectors()) keep(vectors[i], end_time);
      if (x.parameter >= 0 && r.ekfac && parameters[x.parameter].is_table()) keep(adjoint[i], end_time);
    }
  }

  // ---- parameters -------------------------------------------------------------------------------------------
  list<int> packed_inputs, packed_adjoints;
  for (unsigned q = 0; q < Network::parameters.size(); ++q) {
    packed_inputs.push(place_of::none);
    packed_adjoints.push(place_of::none);
  }
  std::array<bool, Network::parameters.size() + 1> met{};  // an array of none has no elements to point at
  for (int i = n - 1; i > 0; --i) {
    if (at[i].parameter < 0) continue;
    bool& before = met[static_cast<unsigned>(at[i].parameter)];
    plan[i].begins = !before;
    before = true;
  }
  for (int i = 0; i < n; ++i) {
    if (at[i].parameter < 0) continue;
    parameter_plan& w = p.parameters[static_cast<unsigned>(at[i].parameter)];
    plan[i].completes = w.positions == 0;  // the first use forward is the last one backward
    plan[i].position = w.positions;
    w.positions += at[i].op == operation::dense ? at[i].out.positions() : 1;
    if (!parameters[at[i].parameter].is_table()) continue;
    if (at[at[i].a].ragged)
      ++w.ragged_uses;
    else
      w.reads += at[i].out.positions();
  }
  int ones = place_of::none;
  if (backward && r.quadratic())
    for (int i = 0; i < n; ++i)
      if (at[i].op == operation::layer && at[i].parameter >= 0 && ones < 0) ones = buffers.push({1, 0, end_time, 0});
  if (backward && r.quadratic()) {
    for (int i = 0; i < n; ++i) {
      if (at[i].parameter < 0) continue;
      parameter const& w = Network::parameters[static_cast<unsigned>(at[i].parameter)];
      parameter_plan& wp = p.parameters[static_cast<unsigned>(at[i].parameter)];
      if (w.uses < 2 || (w.is_table() && !r.whole_tables())) continue;
      wp.packed = true;
      int const t = backward_time(i);
      if (plan[i].completes) {
        int const until = r.keeps_vectors() ? end_time : t;
        packed_inputs[at[i].parameter] = buffers.push({wp.positions * w.inputs, t, until, 0});
        packed_adjoints[at[i].parameter] = buffers.push({streams.columns * wp.positions * w.outputs, t, until, 0});
      } else {  // later uses come earlier in the backward sweep
        buffers[packed_inputs[at[i].parameter]].begin = t;
        buffers[packed_adjoints[at[i].parameter]].begin = t;
      }
    }
  }

  p.elements_per_sample = place(buffers, end_time);
  auto const* const placed = buffers.items;
  auto const offset = [&](int b) { return b >= 0 ? placed[b].offset : b; };
  for (int i = 0; i < n; ++i) {
    plan[i].value = offset(value[i]);
    if (tangent[i] != place_of::none) plan[i].tangent = offset(tangent[i]);
    if (adjoint[i] != place_of::none) plan[i].adjoint = offset(adjoint[i]);
    if (sum[i] != place_of::none) plan[i].sum = offset(sum[i]);
    if (places[i] != place_of::none) plan[i].places = offset(places[i]);
    if (vectors[i] != place_of::none) plan[i].vectors = offset(vectors[i]);
  }
  p.ones = offset(ones);
  for (unsigned q = 0; q < Network::parameters.size(); ++q) {
    p.parameters[q].inputs = offset(packed_inputs[static_cast<int>(q)]);
    p.parameters[q].adjoints = offset(packed_adjoints[static_cast<int>(q)]);
  }
  return p;
}

}  // namespace static_detail

/// The program of a request on an objective. Costs one constant evaluation, linear in nodes times live buffers.
template <objective_type Objective, request Request>
struct program {
  using network = typename Objective::network;
  static constexpr request wanted = Request;
  static constexpr stream_set streams =
      streams_of(Request, {Objective::root_columns, Objective::full_root_columns, Objective::terms});
  static constexpr auto value = static_detail::plan_of<network>(Request, streams);
};

}  // namespace kappa
