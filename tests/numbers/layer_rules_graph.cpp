// Rules of graphs against their matrices, by adjacency and by edges.

#include <kappa/layers/graph.hpp>
#include <kappa/layers/ragged.hpp>

#include "layer_check.hpp"

using namespace kappa;
using kappa::test_layers::check_layer;
using kappa::test_layers::faults_of_layers;
using kappa::test_layers::layer_case;

namespace {

// A triangle with a tail, and a node alone.
layer_case dense_graph() {
  layer_case c;
  c.beside.adjacency = {0, 1, 0.5L, 0, 0, 1, 0, 2, 0, 0, 0.5L, 2, 0, 0.25L, 0, 0, 0, 0.25L, 0, 0, 0, 0, 0, 0, 0};
  return c;
}
// One with a direction and a double edge, whose sample is not the first of its batch.
layer_case edges(bool weighted) {
  layer_case c;
  c.beside.row_begin = {2, 4, 5, 5, 8, 9};
  c.beside.column = {7, 7, 1, 4, 0, 0, 2, 2, 3};
  if (weighted) c.beside.weight = {9, 9, 1, 0.5L, 2, 0.75L, 3, 1, 0.125L};
  return c;
}
layer_case with_mask(layer_case c) {
  c.beside.mask = {1, 1, 1, 0, 1};
  return c;
}

/// The definitions where a mask, or weights, are forgotten.
struct no_mask {
  template <class N>
  static bool value(reference::textbook::place at, reference::sample<long double> const& sample, N const* own,
                    std::vector<N> const& x, std::vector<N>& y) {
    at.ragged = false;
    return reference::textbook::value<N>(at, sample, own, x, y);
  }
};
struct no_weights {
  template <class N>
  static bool value(reference::textbook::place at, reference::sample<long double> sample, N const* own,
                    std::vector<N> const& x, std::vector<N>& y) {
    sample.beside.weight = nullptr;
    return reference::textbook::value<N>(at, sample, own, x, y);
  }
};

template <auto Term>
void check_gathering() {
  check_layer<Term, 5, 3>(dense_graph());
  check_layer<Term, 5, 3>(edges(false));
  check_layer<Term, 5, 3>(edges(true));
  check_layer<ragged | Term, 5, 3>(dense_graph());
  check_layer<ragged | Term, 5, 3>(with_mask(dense_graph()));
  check_layer<ragged | Term, 5, 3>(with_mask(edges(true)));
  using net = network<(input<5, 3> | ragged | Term)>;
  CHECK(!faults_of_layers<net, no_mask>(with_mask(dense_graph())).empty());
  CHECK(!faults_of_layers<net, no_weights>(edges(true)).empty());
}

}  // namespace

TEST_CASE("aggregations over a graph") {
  check_gathering<graph_sum>();
  check_gathering<graph_mean>();
  check_gathering<graph_normalised>();
}

TEST_CASE("the path of three nodes, by hand") {
  // A + I has row sums 2, 3, 2.
  site<double> s;
  s.in = s.out = {2, {3, 1}};
  double const adjacency[]{0, 1, 0, 1, 0, 1, 0, 1, 0};
  double scratch[6];
  s.side.adjacency = adjacency;
  s.scratch = scratch;
  double const x[]{1, 10, 100};
  double y[3];
  detail::gather_rule<detail::gathering::normalised>::apply<double>(s, x, y);
  CHECK(y[0] == Approx(1 / 2.0 + 10 / std::sqrt(6.0)).epsilon(1e-15));
  CHECK(y[1] == Approx(1 / std::sqrt(6.0) + 10 / 3.0 + 100 / std::sqrt(6.0)).epsilon(1e-15));
  CHECK(y[2] == Approx(10 / std::sqrt(6.0) + 100 / 2.0).epsilon(1e-15));
  detail::gather_rule<detail::gathering::mean>::apply<double>(s, x, y);
  CHECK(y[1] == 50.5);
}

TEST_CASE("a graph convolution is its aggregation, then a dense layer") {
  using net = network<input<5, 3> | graph_convolution<4, "W", no_bias>>;
  CHECK(net::parameter_count == 12);
  CHECK(net::graph_nodes == 5);
  using written_out = network<input<5, 3> | graph_normalised | dense<4, "W", no_bias>>;
  CHECK(net::nodes == written_out::nodes);
}
