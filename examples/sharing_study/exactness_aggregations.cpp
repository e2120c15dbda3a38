// E1 for other aggregations.

#include "exactness.hpp"

namespace sharing_study {

namespace {

struct pooled_last_net : network<input<4, 4> | dense<3> | dense<3> | dense<2> | mean_over_positions> {};
struct pooled_last : objective<pooled_last_net, squared_error, kappa::sum> {};
struct scaled_sum_net : network<input<4, 4> | dense<3> | dense<3> | dense<2> | sum_over_positions | scale<37, 100>> {};
struct scaled_sum : objective<scaled_sum_net, squared_error> {};
struct pooled_first_net : network<input<4, 4> | dense<3> | mean_over_positions | dense<3> | dense<2>> {};
struct pooled_first : objective<pooled_first_net, squared_error> {};

}  // namespace

void exactness_of_aggregations(experiment& e, io::table& table, settings const& s) {
  exactness_case<pooled_last>(e, table, s, "4-3-3-2, mean at the end, ρ = 1", setting::reduce, 5, 3);
  exactness_case<scaled_sum>(e, table, s, "4-3-3-2, 0.37 times the sum at the end", setting::reduce, 5, 3);
  exactness_case<pooled_first>(e, table, s, "4-3-3-2, mean after the first layer", setting::reduce, 5, 1);
}

}  // namespace sharing_study
