// Weights used more than once.

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

TEST_CASE("derive against brute force: tied") {
  check_objective<double>(entry<recurrent, targets::labels>{"recurrent"});
  check_objective<double>(entry<nested, targets::vectors>{"nested"});
  check_objective<double>(entry<named, targets::vectors>{"named"});
  check_objective<double>(entry<copies, targets::labels>{"copies"});
  check_objective<double>(entry<mixing, targets::vectors>{"mixing"});
}
