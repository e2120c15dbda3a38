// The low-rank Gauss-Newton matrix: sums.

#include "low_rank_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_low_rank::check_low_rank;

TEST_CASE("the low-rank matrix against brute force: sums") {
  check_low_rank(entry<residual_blocks, targets::labels>{"residual_blocks"});
  check_low_rank(entry<gates, targets::vectors>{"gates"});
  check_low_rank(entry<token_sum, targets::vectors>{"token_sum"});
}
