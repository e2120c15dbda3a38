// Norms with all their parameters, tied and untied, and softmax: what is derived from them.

#include <kappa/layers.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

namespace {
struct normed_net : network<input<3, 2> | dense<4> | layer_norm<> | act::tanh | group_norm<2, no_bias> |
                            kappa::mean_over_positions | dense<2>> {};
struct normed : objective<normed_net, cross_entropy> {};
struct tied_net : network<input<2, 3> | dense<3> | rms_norm<"N"> | act::tanh | dense<3> | rms_norm<"N"> | softmax |
                          dense<2> | log_softmax> {};
struct tied : objective<tied_net, squared_error, kappa::mean_over_positions> {};
}  // namespace

TEST_CASE("derive against brute force: norms and softmax") {
  check_objective<double>(entry<normed, targets::labels>{"normed"});
  check_objective<double>(entry<tied, targets::vectors>{"tied"});
}
