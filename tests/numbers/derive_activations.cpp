// Smooth and leaky activations, logistic outputs, a user's own activation, map and loss.

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

TEST_CASE("derive against brute force: activations") {
  check_objective<double>(entry<smooth, targets::vectors>{"smooth"});
  check_objective<double>(entry<leaky, targets::labels>{"leaky"});
  check_objective<double>(entry<one_output, targets::vectors>{"one_output"});
  check_objective<double>(entry<own, targets::vectors>{"own"});
}
