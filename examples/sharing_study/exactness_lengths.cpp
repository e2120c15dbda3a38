// E1 for samples of different lengths.

#include <kappa/layers.hpp>
#include <kappa/tensor/ragged.hpp>

#include "exactness.hpp"

namespace sharing_study {

namespace {

struct ragged_net : network<input<7, 4> | ragged | dense<3> | dense<2> | masked> {};
struct ragged_expand : objective<ragged_net, squared_error, kappa::sum> {};
struct ragged_mean_net : network<input<7, 4> | ragged | dense<3> | dense<2> | masked_mean_over_positions> {};
struct ragged_mean : objective<ragged_mean_net, squared_error> {};
struct ragged_sum_net : network<input<7, 4> | ragged | dense<3> | dense<2> | masked_sum_over_positions> {};
struct ragged_sum : objective<ragged_sum_net, squared_error> {};

}  // namespace

void exactness_of_lengths(experiment& e, io::table& table, settings const& s) {
  auto const lengths = [](auto& at) { at.mask = mask_of(std::vector<int>{2, 3, 5, 7}, 7); };
  table.rule();
  exactness_case<ragged_expand>(e, table, s, "lengths 2, 3, 5, 7, a loss at every position", setting::expand, 4, 2,
                                lengths);
  exactness_case<ragged_mean>(e, table, s, "lengths 2, 3, 5, 7, mean", setting::reduce, 4, 2, lengths);
  exactness_case<ragged_sum>(e, table, s, "lengths 2, 3, 5, 7, sum", setting::reduce, 4, 2, lengths);
}

}  // namespace sharing_study
