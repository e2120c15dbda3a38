// Graph convolutions, by adjacency and by edges, with graphs of different sizes.

#include <kappa/layers.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

namespace {
struct molecule_net : network<input<3, 2> | ragged | graph_convolution<3> | act::tanh | graph_mean |
                              residual(graph_sum) | dense<2, no_bias> | act::silu | mean_over_nodes> {};
struct molecules : objective<molecule_net, cross_entropy> {};
}  // namespace

TEST_CASE("derive against brute force: graphs") {
  entry<molecules, targets::labels> const e{"molecules"};
  check_objective<double>(e, 2e-12L, [](auto& b) {
    b.beside.adjacency = {0, 1,   0, 1,   0, 2, 0, 2, 0,   // a path
                          0, 1,   1, 1,   0, 1, 1, 1, 0,   // a triangle
                          0, 0.5, 0, 0.5, 0, 0, 0, 0, 0};  // a pair, and a node alone
  });
  check_objective<double>(e, 2e-12L, [](auto& b) {
    b.beside.row_begin = {0, 1, 3, 4, 6, 7, 8, 9, 10, 10};
    b.beside.column = {1, 0, 2, 1, 1, 2, 0, 0, 1, 0};
    b.beside.weight = {1, 1, 2, 2, 1, 0.5, 1, 0.5, 3, 3};
    b.beside.mask = mask_of(std::vector<int>{3, 3, 2}, 3);
  });
}
