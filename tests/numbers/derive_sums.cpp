// Sums, products, skips.

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

TEST_CASE("derive against brute force: sums") {
  check_objective<double>(entry<residual_blocks, targets::labels>{"residual_blocks"});
  check_objective<double>(entry<gates, targets::vectors>{"gates"});
  check_objective<double>(entry<skip, targets::vectors>{"skip"});
  check_objective<double>(entry<traced_equations, targets::vectors>{"traced_equations"});
  check_objective<double>(entry<recalled, targets::vectors>{"recalled"});
}
