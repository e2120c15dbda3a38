// The low-rank Gauss-Newton matrix of a network without positions, by optimised kernels.

#include "low_rank_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_low_rank::check_low_rank;

TEST_CASE("the low-rank matrix against brute force: labels") {
  check_low_rank(entry<labelled, targets::labels>{"labelled"});
}
