// Several loss terms a sample.

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

TEST_CASE("derive against brute force: terms") {
  check_objective<double>(entry<tokens, targets::labels>{"tokens"});
  check_objective<double>(entry<token_mean, targets::vectors>{"token_mean"});
  check_objective<double>(entry<token_sum, targets::vectors>{"token_sum"});
  check_objective<double>(entry<pixels, targets::vectors>{"pixels"});
}
