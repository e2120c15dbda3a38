// Tokens: embeddings, learned and fixed positions, attention, read-outs, with padding.

#include <kappa/layers.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

namespace {
struct language_net
    : network<input<4> | ragged | embedding<3, 2> | positional_embedding<> | sinusoidal_positions |
              residual(attention<heads<2>, no_bias>) | (masked_sum_over_positions + last_valid_position) | dense<2>> {};
struct language : objective<language_net, cross_entropy> {};
}  // namespace

TEST_CASE("derive against brute force: tokens") {
  check_objective<double>(entry<language, targets::labels>{"tokens"}, 2e-12L, [](auto& b) {
    b.inputs = {0, 2, 2, 1, 1, 0, -1, 7, 2, 1, 0, -1};  // what is masked need not be a token
    b.beside.mask = mask_of(std::vector<int>{4, 2, 3}, 4);
  });
}
