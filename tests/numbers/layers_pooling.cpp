// Pooling, padding, upsampling, the order of axes and dropout between layers with parameters: what is derived.

#include <kappa/layers.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

namespace {
struct pooled_net : network<input<2, 4, 5> | channels_last | dense<3> | act::tanh | max_pool<2, stride<2, 1>> |
                            zero_pad<1> | average_pool<3, stride<1>> | dense<2> | act::tanh | upsample<2> |
                            slice<0, 1, 2> | adaptive_average_pool<2, 3> | channels_first | flatten | dense<2>> {};
struct pooled : objective<pooled_net, cross_entropy> {};
struct sequence_net
    : network<input<4, 2> | dense<3> | act::tanh | dropout<1, 3> | circular_pad<1, 2> | max_pool<3, stride<2>> |
              dense<3> | act::tanh | dropout<1, 4> | global_max_pool | dense<2>> {};
struct sequence : objective<sequence_net, squared_error, sum> {};
}  // namespace

TEST_CASE("derive against brute force: pooling, padding and dropout") {
  check_objective<double>(entry<pooled, targets::labels>{"pooled"});
  check_objective<double>(entry<sequence, targets::vectors>{"dropped"}, 2e-12L, [](auto& b) { b.beside.seed = 5; });
}
