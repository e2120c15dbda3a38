// Attention under a mask and a causal order, and with a class token.

#include <kappa/layers.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

namespace {
struct causal_net
    : network<input<3, 2> | ragged | attention<heads<2>, causal> | act::tanh | masked_mean_over_positions | dense<2>> {
};
struct causal_classes : objective<causal_net, cross_entropy> {};
struct token_net : network<input<2, 2> | class_token<> | attention<no_bias> | first_position> {};
struct token_regression : objective<token_net, squared_error, sum> {};
}  // namespace

TEST_CASE("derive against brute force: attention") {
  check_objective<double>(entry<causal_classes, targets::labels>{"causal"}, 2e-12L,
                          [](auto& b) { b.beside.mask = {1, 1, 1, 1, 0, 0, 0, 1, 1}; });
  check_objective<double>(entry<token_regression, targets::vectors>{"class token"});
}
