// The low-rank Gauss-Newton matrix of networks without positions whose targets are vectors.

#include "low_rank_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_low_rank::check_low_rank;

TEST_CASE("the low-rank matrix against brute force: vectors") {
  check_low_rank(entry<unbiased, targets::vectors>{"unbiased"});
  check_low_rank(entry<smooth, targets::vectors>{"smooth"});
}
