// The low-rank Gauss-Newton matrix of networks without positions.

#include "low_rank_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_low_rank::check_low_rank;

TEST_CASE("the low-rank matrix against brute force: plain") {
  check_low_rank(entry<labelled, targets::labels>{"labelled"});
  check_low_rank(entry<unbiased, targets::vectors>{"unbiased"});
  check_low_rank(entry<smooth, targets::vectors>{"smooth"});
}
