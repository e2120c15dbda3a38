// E2: losses and activations for which neither variant is exact.

#include "failures.hpp"

namespace sharing_study {

namespace {

struct linear_entropy : objective<linear_net, cross_entropy, kappa::sum> {};
struct pooled_linear_entropy : objective<pooled_net<linear_net>, cross_entropy, kappa::sum> {};
struct tanh_error : objective<tanh_net, squared_error, kappa::sum> {};
struct pooled_tanh_error : objective<pooled_net<tanh_net>, squared_error, kappa::sum> {};

}  // namespace

experiment failures(settings const& s) {
  experiment e("E2", "Where they fail",
               "Networks 4-3-3-2 with N = 5 samples at R = 4 positions, ρ = 1, " + std::to_string(s.draws()) +
                   " random instances with inputs of mean ½. The reduce setting has a mean over positions before the "
                   "loss. Then wrong scales of the factors, and terms that mix positions.");
  io::table table{
      "setting, network, loss", "1, expand", "1, reduce", "2, expand", "2, reduce", "3, expand", "3, reduce"};
  losses_case<linear_entropy>(e, table, s, "expand, linear, cross-entropy", {.29, .44, .49, .30, .49, .21});
  losses_case<pooled_linear_entropy>(e, table, s, "reduce, linear, cross-entropy", {.68, .14, .61, .21, .64, .18});
  auto const last_expand =
      losses_case<tanh_error>(e, table, s, "expand, tanh, squared error", {.90, .90, .08, .32, 0, .15});
  auto const last_reduce =
      losses_case<pooled_tanh_error>(e, table, s, "reduce, tanh, squared error", {.66, 1.0, .72, .07, .74, 0});
  failures_of_losses(e, table, s);
  e.table(std::move(table),
          "Relative errors by layer and variant: mean of the instances here | the reference's figure");
  e.exact("the last layer of a tanh network, expand in its setting", last_expand.expand[2]);
  e.exact("the last layer of a tanh network, reduce in its setting", last_reduce.reduce[2]);
  failures_of_scales(e, s);
  failures_of_positions(e, s);
  return e;
}

}  // namespace sharing_study
