#pragma once
/// \file
/// A network: a named struct derived from `network<expression>`. The expression is lowered once to a graph; a
/// malformed one is refused here, in one sentence.

#include <array>

#include <kappa/declare/algebra.hpp>
#include <kappa/shapes/graph_builder.hpp>

namespace kappa {

namespace static_detail {

/// The graph of a term, lowered in constant evaluation.
template <term Term>
struct lowered {
  struct size_and_fault {
    int nodes;
    int parameters;
    int parameter_count;
    diagnosis bad;
  };
  static constexpr size_and_fault summary = [] {
    graph_builder g;
    g.finish(Term::emit(g, -1));
    return size_and_fault{g.nodes.count, g.parameters.count, g.parameter_count, g.bad};
  }();

  static constexpr diagnosis bad = summary.bad;

  static constexpr auto fill(auto const& read) {
    graph_builder g;
    g.nodes.reserve(summary.nodes);  // growing copies nodes, and a copy costs evaluation
    g.parameters.reserve(summary.parameters);
    g.finish(Term::emit(g, -1));
    return read(g);
  }
  static constexpr auto nodes = fill([](graph_builder const& g) {
    std::array<node, static_cast<unsigned>(summary.nodes)> a{};
    node* const filled = a.data();
    for (int i = 0; i < g.nodes.count; ++i) filled[i] = g.nodes.items[i];
    return a;
  });
  static constexpr auto parameters = fill([](graph_builder const& g) {
    std::array<parameter, static_cast<unsigned>(summary.parameters)> a{};
    parameter* const filled = a.data();
    for (int i = 0; i < g.parameters.count; ++i) filled[i] = g.parameters.items[i];
    return a;
  });
};

}  // namespace static_detail

/// A network F: parameters × input -> output, as a type:
///
///     struct mlp : network<input<784> | dense<128> | act::relu | dense<10>> {};
///
/// All members are constants of the declaration. Cost: one constant evaluation, linear in the number of nodes.
template <auto Expression>
requires term<decltype(Expression)>
struct network {
 private:
  using lowering = static_detail::lowered<std::remove_cvref_t<decltype(Expression)>>;

 public:
  /// The term this network was declared from, for use inside another declaration.
  using declaration = std::remove_cvref_t<decltype(Expression)>;
  static constexpr bool well_formed = static_detail::refuse<lowering::bad>();
  static_assert(well_formed);

  /// Nodes in the order data flows; the last one is the output. A relu that only a maximum pool reads comes behind it:
  /// `relu | max_pool<2>` and `max_pool<2> | relu` are one graph.
  static constexpr auto const& nodes = lowering::nodes;
  /// Parameters in declaration order.
  static constexpr auto const& parameters = lowering::parameters;
  static constexpr int node_count = lowering::summary.nodes;
  static constexpr int parameter_count = lowering::summary.parameter_count;
  static constexpr shape input_shape = nodes.front().out;
  static constexpr shape output_shape = nodes.back().out;

  /// Positions of the batch's mask: the leading extent of what is `ragged`; 0 where nothing is.
  static constexpr int mask_positions = [] {
    for (node const& n : nodes)
      if (n.ragged) return n.out.extent[0];
    return 0;
  }();
  /// Nodes of a sample's graph: the leading extent of what a graph layer reads; 0 where no layer reads a graph.
  static constexpr int graph_nodes = [] {
    for (node const& n : nodes)
      if (n.layer != nullptr && n.layer->reads_graph) return n.out.extent[0];
    return 0;
  }();

  /// Whether node i is the network's input under another shape at most.
  static constexpr bool is_input(int i) {
    while (nodes[static_cast<unsigned>(i)].op == operation::reshape) i = nodes[static_cast<unsigned>(i)].a;
    return i == 0;
  }

  /// Numbers in the statistics of all batch norms, and whether a batch must bring them.
  static constexpr int statistics_count = [] {
    int total = 0;
    for (node const& n : nodes)
      if (n.layer != nullptr) total += 2 * n.layer->normalised(nodes[static_cast<unsigned>(n.a)].out, n.set);
    return total;
  }();
  static constexpr bool reads_statistics = [] {
    for (node const& n : nodes)
      if (n.layer != nullptr && n.layer->reads_statistics) return true;
    return false;
  }();
  /// The first node at which the samples of a batch act on one another, or -1: with one, no quantity of a single sample
  /// is left.
  static constexpr int coupling_node = [] {
    for (int i = 0; i < node_count; ++i)
      if (layer_rule const* const rule = nodes[static_cast<unsigned>(i)].layer;
          rule != nullptr && rule->couples_samples)
        return i;
    return -1;
  }();
  static constexpr bool couples_samples = coupling_node >= 0;

  /// Floating-point operations of one sample's forward pass; a multiply-add counts as two.
  static constexpr long flops = [] {
    long total = 0;
    for (node const& n : nodes) total += flops_of(n, nodes.data(), parameters.data());
    return total;
  }();

  /// Bytes of the parameters in scalar type T.
  template <class T>
  static constexpr long parameter_bytes = long{parameter_count} * long{sizeof(T)};
  /// Bytes of one sample's values at every node that stores its own.
  template <class T>
  static constexpr long value_bytes = [] {
    long total = 0;
    for (node const& n : nodes)
      if (n.op != operation::reshape) total += n.out.size();
    return total * long{sizeof(T)};
  }();
};

/// A network type: derived from `network<...>`.
template <class N>
concept network_type = requires {
  typename N::declaration;
  N::nodes;
  N::parameters;
  N::parameter_count;
};

/// Whether two networks have the same graph: the equality in the laws of the algebra.
template <network_type A, network_type B>
constexpr bool same_graph() {
  if (A::node_count != B::node_count || A::parameters.size() != B::parameters.size()) return false;
  for (unsigned i = 0; i < A::nodes.size(); ++i)
    if (!(A::nodes[i] == B::nodes[i])) return false;
  for (unsigned i = 0; i < A::parameters.size(); ++i)
    if (!(A::parameters[i] == B::parameters[i])) return false;
  return true;
}

}  // namespace kappa
