#pragma once
/// \file
/// The hypotheses of the theory as concepts. `linear_network<Net>`: the declared network is
/// F(x) = M^L ... M^1 x with M^l = a W^l + b I, every W^l a weight of its own. What breaks that is told in one
/// sentence, with the node and the statement that was asked for.

#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include <kappa/arch.hpp>
#include <kappa/shapes/fault.hpp>
#include <kappa/shapes/network.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// One layer x -> (gain · W + shift · I) x of a linear network; W is [outputs, inputs], row-major, at `offset` of the
/// flat parameter vector. `dense<n, no_bias>` has gain 1 and shift 0, `residual(dense<n, no_bias>)` shift 1; a fixed
/// scale in front of, behind or beside a layer multiplies them.
struct linear_layer {
  int parameter = -1;
  int outputs = 0;
  int inputs = 0;
  int offset = 0;
  double gain = 0;
  double shift = 0;

  constexpr bool operator==(linear_layer const&) const = default;
};

/// What a statement asks of a network.
enum class hypothesis {
  linear,              ///< a chain of layers a W + b I
  one_hidden_layer,    ///< the same, with exactly two layers
  equal_hidden_widths  ///< the same, all hidden widths equal and none below the widths of input and output
};

namespace detail {

enum class obstacle_kind {
  none,
  nonlinear,    // an activation, a map, a gate
  not_a_chain,  // an aggregation over positions, a sum that is no a W + b I
  bias,         // a layer with a bias
  positions,    // a weight used at several positions
  shared,       // a weight used by several layers
  zero,         // a scale of 0 on the way
  no_layers,    // nothing to differentiate by
  wrong_depth,  // not two layers
  unequal,      // two hidden widths differ
  narrow        // a hidden width below those of input or output
};

/// Why a statement does not cover a network: the first reason met, in the order data flows.
struct obstacle {
  obstacle_kind why = obstacle_kind::none;
  int node = -1;
  label at{};
  int got = 0;
  int wanted = 0;
};

constexpr kappa::sentence describe(obstacle const& o, char const* statement) {
  kappa::sentence s;
  switch (o.why) {
    case obstacle_kind::none:
      break;
    case obstacle_kind::nonlinear:
      s << o.at << " at node " << o.node << ": " << statement << " is for linear networks";
      break;
    case obstacle_kind::not_a_chain:
      s << o.at << " at node " << o.node << ": " << statement << " is for chains of layers a W + b I";
      break;
    case obstacle_kind::bias:
      s << o.at << " at node " << o.node << " has a bias: " << statement << " is for layers without";
      break;
    case obstacle_kind::positions:
      s << o.at << " at node " << o.node << " acts at " << o.got << " positions: " << statement << " is for 1";
      break;
    case obstacle_kind::shared:
      s << o.at << " at node " << o.node << " is one of " << o.got << " uses of its weight: " << statement
        << " is for weights used once";
      break;
    case obstacle_kind::zero:
      s << o.at << " at node " << o.node << " is zero for all weights: " << statement << " is for linear networks";
      break;
    case obstacle_kind::no_layers:
      s << "node " << o.node << " depends on no dense layer: " << statement << " is for 1 or more";
      break;
    case obstacle_kind::wrong_depth:
      s << o.got << " dense layers: " << statement << " is for 2, one hidden layer";
      break;
    case obstacle_kind::unequal:
      s << "hidden widths " << o.wanted << " and " << o.got << ": " << statement << " is for equal ones";
      break;
    case obstacle_kind::narrow:
      s << "hidden width " << o.got << " below " << o.wanted << ": " << statement
        << " is for widths not below input and output";
      break;
  }
  return s;
}

/// The layers of a network, first to last, or what hinders reading it as a chain of them.
template <std::size_t Capacity>
struct linear_reading {
  std::array<linear_layer, Capacity> layers{};
  std::size_t depth = 0;
  obstacle bad{};
};

/// A node's value as (gain · W + shift · I) z: z is the input (`from` = -1) or what layer `from` gives.
struct affine_value {
  int from = -1;
  int parameter = -1;
  double gain = 0;
  double shift = 1;
};

struct placed_layer {
  linear_layer layer{};
  int from = -1;
};

template <std::size_t Capacity>
constexpr linear_reading<Capacity> read_linear(std::span<node const> nodes, std::span<parameter const> parameters) {
  using static_detail::list;
  linear_reading<Capacity> reading;
  auto const at = [&](node const& n) { return n.name.empty() ? label{n.title()} : n.name; };

  list<int> readers;
  list<bool> fed_to_dense;
  for (node const& n : nodes) {
    readers.push(0);
    fed_to_dense.push(false);
    if (n.a >= 0) ++readers[n.a];
    if (n.b >= 0) ++readers[n.b];
    if (n.op == operation::dense) fed_to_dense[n.a] = true;
  }

  list<affine_value> values;
  list<placed_layer> placed;
  int const last = static_cast<int>(nodes.size()) - 1;
  for (int i = 0; i <= last && reading.bad.why == obstacle_kind::none; ++i) {
    node const& n = nodes[static_cast<std::size_t>(i)];
    auto const fail = [&](obstacle_kind why, int got = 0) { reading.bad = {why, i, at(n), got}; };
    affine_value v;
    switch (n.op) {
      case operation::input:
        break;
      case operation::dense: {
        parameter const& p = parameters[static_cast<std::size_t>(n.parameter)];
        v = values[n.a];
        if (n.out.positions() != 1)
          fail(obstacle_kind::positions, n.out.positions());
        else if (p.bias)
          fail(obstacle_kind::bias);
        else if (p.uses > 1)
          fail(obstacle_kind::shared, p.uses);
        v = {v.from, n.parameter, v.shift, 0};  // what feeds a dense node is closed: it holds no weight of its own
        break;
      }
      case operation::activation:
        v = values[n.a];
        if (n.act->kind != activation_kind::identity) fail(obstacle_kind::nonlinear);
        break;
      case operation::reshape:
        v = values[n.a];
        break;
      case operation::scale: {
        v = values[n.a];
        double const factor = static_cast<double>(n.numerator) / n.denominator;
        v.gain *= factor;
        v.shift *= factor;
        break;
      }
      case operation::add: {
        affine_value const a = values[n.a], b = values[n.b];
        if (a.from != b.from || (a.parameter >= 0 && b.parameter >= 0)) fail(obstacle_kind::not_a_chain);
        v = {a.from, a.parameter >= 0 ? a.parameter : b.parameter, a.gain + b.gain, a.shift + b.shift};
        break;
      }
      case operation::layer:
      case operation::multiply:
        fail(obstacle_kind::nonlinear);
        break;
      case operation::concatenate:
      case operation::mean_positions:
      case operation::sum_positions:
        fail(obstacle_kind::not_a_chain);
        break;
    }
    // A value that holds a weight becomes a layer where another layer, two readers or the output see it.
    if (v.parameter >= 0 && (fed_to_dense[i] || readers[i] > 1 || i == last)) {
      if (v.gain == 0) fail(obstacle_kind::zero);
      parameter const& p = parameters[static_cast<std::size_t>(v.parameter)];
      v = {placed.push({{v.parameter, p.outputs, p.inputs, p.offset, v.gain, v.shift}, v.from}), -1, 0, 1};
    }
    values.push(v);
  }
  if (reading.bad.why != obstacle_kind::none) return reading;

  affine_value const out = values[last];
  node const& n = nodes[static_cast<std::size_t>(last)];
  if (out.shift == 0) reading.bad = {obstacle_kind::zero, last, at(n), 0};
  if (out.from < 0) reading.bad = {obstacle_kind::no_layers, last, at(n), 0};
  if (reading.bad.why != obstacle_kind::none) return reading;

  for (int i = out.from; i >= 0; i = placed[i].from) ++reading.depth;
  std::size_t l = reading.depth;
  for (int i = out.from; i >= 0; i = placed[i].from) reading.layers[--l] = placed[i].layer;
  linear_layer& top = reading.layers[reading.depth - 1];
  top.gain *= out.shift;
  top.shift *= out.shift;
  return reading;
}

template <network_type Net>
inline constexpr auto reading_of = read_linear<Net::parameters.size()>(Net::nodes, Net::parameters);

template <network_type Net>
constexpr obstacle obstacle_to(hypothesis needs) {
  auto const& reading = reading_of<Net>;
  if (reading.bad.why != obstacle_kind::none) return reading.bad;
  int const last = Net::node_count - 1;
  if (needs == hypothesis::one_hidden_layer && reading.depth != 2)
    return {obstacle_kind::wrong_depth, last, {}, static_cast<int>(reading.depth)};
  if (needs == hypothesis::equal_hidden_widths) {
    int const d = reading.layers[0].inputs, k = reading.layers[reading.depth - 1].outputs;
    for (std::size_t l = 0; l + 1 < reading.depth; ++l) {
      int const first = reading.layers[0].outputs, width = reading.layers[l].outputs;
      if (width != first) return {obstacle_kind::unequal, last, {}, width, first};
      if (width < d || width < k) return {obstacle_kind::narrow, last, {}, width, d > k ? d : k};
    }
  }
  return {};
}

/// Its arguments are the error message.
template <static_detail::words... Says>
struct not_covered {
  static constexpr bool ok = false;
};

template <kappa::sentence Says, int... Line>
constexpr void refuse_lines(std::integer_sequence<int, Line...>) {
  static_assert(not_covered<static_detail::line_of<Says, Line>()...>::ok,
                "kappa: the statement does not cover this network");
}

/// What a statement needs: its `needs`, or a linear network when it does not say.
template <class Statement>
constexpr hypothesis needs_of() {
  if constexpr (requires { Statement::needs; }) {
    return Statement::needs;
  } else {
    return hypothesis::linear;
  }
}

/// Why the statement does not cover the network: one sentence, empty when it does. A statement about networks that are
/// not linear says so itself, by a `template <network_type Net> static constexpr kappa::sentence refusal()`.
template <network_type Net, class Statement>
constexpr kappa::sentence refusal_of() {
  if constexpr (requires { Statement::template refusal<Net>(); }) {
    return Statement::template refusal<Net>();
  } else {
    return describe(obstacle_to<Net>(needs_of<Statement>()), Statement::name);
  }
}

template <network_type Net, class Statement>
inline constexpr bool covers = refusal_of<Net, Statement>().n == 0;

/// Refuses a network the statement does not cover with exactly one error; true in any case, so that no second error
/// follows from the first.
template <network_type Net, class Statement>
constexpr bool refuse_unless_covered() {
  if constexpr (!covers<Net, Statement>) {
    constexpr kappa::sentence says = refusal_of<Net, Statement>();
    refuse_lines<says>(std::make_integer_sequence<int, static_detail::line_count(says)>());
  }
  return true;
}

}  // namespace detail

/// A network F(x) = M^L ... M^1 x with M^l = a W^l + b I: dense layers without bias on one position each, no weight
/// used twice; `act::identity`, `flatten` and non-zero fixed scales may stand between them.
template <class Net>
concept linear_network = network_type<Net> && detail::obstacle_to<Net>(hypothesis::linear)
.why == detail::obstacle_kind::none;

/// A linear network of exactly two layers.
template <class Net>
concept one_hidden_layer = network_type<Net> && detail::obstacle_to<Net>(hypothesis::one_hidden_layer)
.why == detail::obstacle_kind::none;

/// The layers of a linear network, the first one first.
template <linear_network Net>
constexpr auto linear_layers() {
  constexpr auto const& reading = detail::reading_of<Net>;
  std::array<linear_layer, reading.depth> layers{};
  for (std::size_t l = 0; l < reading.depth; ++l) layers[l] = reading.layers[l];
  return layers;
}

/// The rank of the Gauss-Newton matrix for almost all weights, when the data span `data_rank` directions:
/// Σ_l (p_l - p_{l-1}) q_l with p_l the narrowest width from layer l on and q_l the narrowest one before it.
/// Known at compile time; a single bottleneck r gives r (d + k - r) (Singh, Bachmann, Hofmann 2021).
template <linear_network Net>
constexpr long generic_rank(int data_rank = Net::input_shape.size()) {
  auto const layers = linear_layers<Net>();
  auto const least = [](int a, int b) { return a < b ? a : b; };
  long rank = 0;
  int before = least(data_rank, layers.front().inputs), narrowest_so_far = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    int from_here = layers[l].outputs;
    for (std::size_t j = l; j < layers.size(); ++j) from_here = least(from_here, layers[j].outputs);
    rank += long{from_here - narrowest_so_far} * before;
    narrowest_so_far = from_here;
    before = least(before, layers[l].outputs);
  }
  return rank;
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
