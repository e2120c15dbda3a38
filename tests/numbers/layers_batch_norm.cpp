// Batch norms with frozen statistics, twice the same parameters under other statistics: what is derived from them.

#include <kappa/layers.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

namespace {
constexpr auto frozen = statistics::frozen;
struct frozen_net : network<input<3, 2> | dense<3> | batch_norm<frozen, "N"> | act::tanh | dense<3> |
                            batch_norm<frozen, "N"> | mean_over_positions | batch_norm<frozen, no_bias> | dense<2>> {};
struct frozen_goal : objective<frozen_net, cross_entropy> {};
}  // namespace

TEST_CASE("derive against brute force: batch norms with frozen statistics") {
  check_objective<double>(entry<frozen_goal, targets::labels>{"frozen"}, 2e-12L, [](reference::batch<double>& b) {
    for (int i = 0; i < frozen_net::statistics_count; ++i) {
      bool const variance = i / 3 % 2 == 1;
      b.beside.statistics.push_back(variance ? 0.5 + 0.25 * i : 0.3 * i - 1);
    }
  });
}
