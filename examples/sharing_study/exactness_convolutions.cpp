// E1 for convolutions.

#include <kappa/layers.hpp>

#include "exactness.hpp"

namespace sharing_study {

namespace {

struct conv_net : network<input<8, 2> | conv<3, 3, same_padding> | dense<2>> {};
struct conv_expand : objective<conv_net, squared_error, kappa::mean_over_positions> {};
struct conv_pooled_net : network<input<8, 2> | conv<3, 3, same_padding> | dense<2> | mean_over_positions> {};
struct conv_reduce : objective<conv_pooled_net, squared_error> {};
struct circular_net : network<input<8, 2> | conv<3, 3, circular, padding<1>> | conv<3, 3, circular, padding<1>> |
                              dense<2> | mean_over_positions> {};
struct circular_reduce : objective<circular_net, squared_error> {};

}  // namespace

void exactness_of_convolutions(experiment& e, io::table& table, settings const& s) {
  table.rule();
  exactness_case<conv_expand>(e, table, s, "convolution, 1x1 head, a loss at every place, ρ = 1/(N R)", setting::expand,
                              5, 2);
  exactness_case<conv_reduce>(e, table, s, "convolution, 1x1 head, mean", setting::reduce, 5, 2);
  exactness_case<circular_reduce>(e, table, s, "two circular convolutions, 1x1 head, mean", setting::reduce, 5, 3);
}

}  // namespace sharing_study
