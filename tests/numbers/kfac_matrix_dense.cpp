// The test matrix of K-FAC: dense layers at one position and shared, by every reduction.

#include "kfac_matrix_check.hpp"

using namespace kappa;
using namespace kappa::test_kfac;

namespace {

struct plain_net : network<input<3> | dense<3> | dense<2, no_bias> | dense<2>> {};
struct shared_net : network<input<3, 2> | dense<3> | dense<2, no_bias> | dense<2>> {};
struct pooled_net : network<input<3, 2> | dense<3> | mean_over_positions | dense<2, no_bias> | dense<2>> {};
struct summed_net
    : network<input<3, 2> | dense<2, no_bias> | dense<2> | sum_over_positions | scale<37, 100> | dense<2>> {};

std::vector<line> const& lines() {
  static std::vector<line> const all{
      line_of<objective<plain_net, squared_error, sum>>("one position, sum", setting::one_position),
      line_of<objective<plain_net, squared_error>>("one position, mean", setting::one_position),
      line_of<objective<shared_net, squared_error, sum>>("shared, sum", setting::expand),
      line_of<objective<shared_net, squared_error>>("shared, mean", setting::expand),
      line_of<objective<shared_net, squared_error, kappa::mean_over_positions>>("shared, mean over positions",
                                                                                setting::expand),
      line_of<objective<pooled_net, squared_error, sum>>("averaged, sum", setting::reduce),
      line_of<objective<pooled_net, squared_error>>("averaged, mean", setting::reduce),
      line_of<objective<summed_net, squared_error, sum>>("scaled sum, sum", setting::reduce),
      line_of<objective<summed_net, squared_error>>("scaled sum, mean", setting::reduce)};
  return all;
}

}  // namespace

TEST_CASE("dense layers: exact in their own setting, with every source, bias and reduction") {
  for (line const& l : lines()) check(l);
}

TEST_CASE("dense layers: the order of samples, and the parts of a batch") {
  for (line const& l : lines()) check_order_and_parts(l);
}

TEST_CASE("dense layers: wrong scales are off by what they are wrong") {
  for (line const& l : lines()) check_scale_traps(l);
}
