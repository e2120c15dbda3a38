// Positions inside, aggregated or flattened before the loss.

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

TEST_CASE("derive against brute force: positions") {
  check_objective<double>(entry<flat, targets::labels>{"flat"});
  check_objective<double>(entry<image, targets::vectors>{"image"});
  check_objective<double>(entry<summed, targets::labels>{"summed"});
}
