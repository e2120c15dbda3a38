// Convolutions of one name have one weight.

#include <kappa/layers.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

namespace {
struct once_net : network<input<4, 3, 2> | conv<2, 3, same_padding, "w"> | act::tanh | flatten | dense<2>> {};
struct twice_net : network<input<4, 3, 2> | conv<2, 3, same_padding, "w"> | act::tanh | conv<2, 3, same_padding, "w"> |
                           act::tanh | flatten | dense<2>> {};
struct twice : objective<twice_net, cross_entropy> {};
}  // namespace

TEST_CASE("derive against brute force: convolutions of one name") {
  STATIC_REQUIRE(twice_net::parameter_count == once_net::parameter_count);
  check_objective<double>(entry<twice, targets::labels>{"twice"});
}
