// The low-rank Gauss-Newton matrix: tied.

#include "low_rank_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_low_rank::check_low_rank;

TEST_CASE("the low-rank matrix against brute force: tied") {
  check_low_rank(entry<recurrent, targets::labels>{"recurrent"});
  check_low_rank(entry<named, targets::vectors>{"named"});
  check_low_rank(entry<copies, targets::labels>{"copies"});
}
