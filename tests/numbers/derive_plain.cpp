// Plain chains with every activation, loss and reduction.

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

TEST_CASE("derive against brute force: plain") {
  check_objective<double>(entry<labelled, targets::labels>{"labelled"});
  check_objective<double>(entry<soft_labelled, targets::vectors>{"soft_labelled"});
  check_objective<double>(entry<regression, targets::vectors>{"regression"});
  check_objective<double>(entry<unbiased, targets::vectors>{"unbiased"});
}
