// The low-rank Gauss-Newton matrix: positions.

#include "low_rank_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_low_rank::check_low_rank;

TEST_CASE("the low-rank matrix against brute force: positions") {
  check_low_rank(entry<summed, targets::labels>{"summed"});
  check_low_rank(entry<tokens, targets::labels>{"tokens"});
  check_low_rank(entry<mixing, targets::vectors>{"mixing"});
}
