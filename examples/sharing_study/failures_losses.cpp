// E2: tanh with cross-entropy, and ReLU.

#include "failures.hpp"

namespace sharing_study {

namespace {

struct tanh_entropy : objective<tanh_net, cross_entropy, kappa::sum> {};
struct pooled_tanh_entropy : objective<pooled_net<tanh_net>, cross_entropy, kappa::sum> {};
struct relu_error : objective<relu_net, squared_error, kappa::sum> {};

}  // namespace

void failures_of_losses(experiment& e, io::table& table, settings const& s) {
  losses_case<tanh_entropy>(e, table, s, "expand, tanh, cross-entropy", {.92, .91, .08, .32, .02, .15});
  losses_case<pooled_tanh_entropy>(e, table, s, "reduce, tanh, cross-entropy", {.66, 1.01, .72, .07, .74, .007});
  losses_case<relu_error>(e, table, s, "expand, ReLU, squared error", {.90, .95, 2.93, 2.18, 0, .013});
}

}  // namespace sharing_study
