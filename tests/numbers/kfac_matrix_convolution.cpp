// The test matrix of K-FAC: convolutions with stride, padding, dilation and groups. One convolution under a 1 x 1 head
// is exact in both settings; a stack mixes positions and is not (kfac_matrix_mixing.cpp).

#include <kappa/layers.hpp>

#include "kfac_matrix_check.hpp"

using namespace kappa;
using namespace kappa::test_kfac;

namespace {

struct strided_net : network<input<5, 4, 2> | conv<2, window<3, 2>, stride<2>, padding<1>, dilation<2, 1>> | dense<2>> {
};
struct strided_pooled_net : network<input<5, 4, 2> | conv<2, window<3, 2>, stride<2>, padding<1>, dilation<2, 1>> |
                                    mean_over_positions | dense<2>> {};
struct grouped_net : network<input<3, 3, 4> | conv<2, 2, groups_of<2>> | dense<2, no_bias>> {};
struct grouped_pooled_net
    : network<input<3, 3, 4> | conv<2, 2, groups_of<2>, no_bias> | sum_over_positions | dense<2>> {};
struct sequence_net : network<input<5, 2> | conv<3, 3, no_bias> | dense<2>> {};

std::vector<line> const& lines() {
  static std::vector<line> const all{
      line_of<objective<strided_net, squared_error, sum>>("conv, sum", setting::expand),
      line_of<objective<strided_net, squared_error>>("conv, mean", setting::expand),
      line_of<objective<strided_net, squared_error, kappa::mean_over_positions>>("conv, mean over positions",
                                                                                 setting::expand),
      line_of<objective<strided_pooled_net, squared_error, sum>>("conv averaged, sum", setting::reduce),
      line_of<objective<strided_pooled_net, squared_error>>("conv averaged, mean", setting::reduce),
      line_of<objective<grouped_net, squared_error, kappa::mean_over_positions>>("groups, mean over positions",
                                                                                 setting::expand),
      line_of<objective<grouped_pooled_net, squared_error>>("groups summed, mean", setting::reduce),
      line_of<objective<sequence_net, squared_error, sum>>("conv of a sequence, sum", setting::expand)};
  return all;
}

}  // namespace

TEST_CASE("convolutions: exact in their own setting, with every source, bias and reduction") {
  for (line const& l : lines()) check(l);
}

TEST_CASE("convolutions: the order of samples, and the parts of a batch") {
  for (line const& l : lines()) check_order_and_parts(l);
}

TEST_CASE("convolutions: wrong scales are off by what they are wrong") {
  for (line const& l : lines()) check_scale_traps(l);
}
