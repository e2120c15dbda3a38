// K-FAC in the two settings of weight sharing (Eschenhagen et al. 2023, Propositions 1 and 2): exact for deep linear
// networks with squared error in the variant's own setting, and not in the other's; which of them `automatic` takes;
// padding, sums and means.

#include <algorithm>
#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

#include "reference.hpp"

using namespace kappa;

namespace {

namespace ref = kappa::reference;

struct token_net : network<input<3, 2> | dense<3> | dense<2>> {};
struct per_token : objective<token_net, squared_error, kappa::mean_over_positions> {};
struct pooled_net : network<input<3, 2> | dense<3> | mean_over_positions | dense<2> | dense<2>> {};
struct pooled : objective<pooled_net, squared_error> {};
struct summed_net : network<input<3, 2> | dense<2, no_bias> | sum_over_positions | scale<37, 100> | dense<2>> {};
struct summed : objective<summed_net, squared_error, sum> {};
struct flattened_net : network<input<3, 2> | dense<2> | flatten | dense<2>> {};
struct flattened : objective<flattened_net, squared_error> {};
struct ragged_mean_net : network<input<4, 2> | ragged | dense<3> | dense<2> | masked_mean_over_positions | dense<2>> {};
struct ragged_mean : objective<ragged_mean_net, squared_error> {};
struct ragged_sum_net : network<input<4, 2> | ragged | dense<3> | dense<2> | masked_sum_over_positions> {};
struct ragged_sum : objective<ragged_sum_net, squared_error> {};
struct circular_net : network<input<4, 4, 2> | conv<2, 3, circular, padding<1>, no_bias> |
                              conv<2, 3, circular, padding<1>> | mean_over_positions> {};
struct circular_images : objective<circular_net, squared_error> {};
struct padded_net
    : network<input<4, 4, 2> | conv<2, 3, padding<1>, no_bias> | conv<2, 3, padding<1>> | mean_over_positions> {};
struct padded_images : objective<padded_net, squared_error> {};

/// ‖K - G‖ / ‖G‖ in Frobenius' norm, for the block of each parameter.
template <class Net, class K, class G>
std::vector<double> errors(K const& kfac, G const& ggn_dense) {
  auto const k = to_dense(kfac);
  std::vector<double> all;
  for (parameter const& p : Net::parameters) {
    double difference = 0, norm = 0;
    for (int i = p.offset; i < p.offset + p.size(); ++i)
      for (int j = p.offset; j < p.offset + p.size(); ++j) {
        auto const a = static_cast<std::size_t>(i), b = static_cast<std::size_t>(j);
        difference += std::pow(k(a, b) - ggn_dense(a, b), 2);
        norm += std::pow(ggn_dense(a, b), 2);
      }
    REQUIRE(norm > 1e-6);
    all.push_back(std::sqrt(difference / norm));
  }
  return all;
}

struct variants {
  std::vector<double> expand, reduce, automatic;
};

template <class Objective>
variants errors_of(std::vector<unsigned char> const& mask = {}) {
  using net = typename Objective::network;
  constexpr int samples = 3;
  auto const theta = ref::random_theta<net, double>(5);
  auto const b = ref::random_batch<Objective, double>(samples, 6, ref::targets::vectors);
  batch<double> data(b.inputs, b.vectors);
  data.side.mask = mask;
  auto const q = derive<Objective>(theta, data, ggn, kfac<expand>, kfac<reduce_unaggregated>, kfac<automatic>);
  auto const g = to_dense(q[ggn]);
  return {errors<net>(q[kfac<expand>], g), errors<net>(q[kfac<reduce>], g), errors<net>(q[kfac<automatic>], g)};
}

double largest(std::vector<double> const& v) { return *std::max_element(v.begin(), v.end()); }

}  // namespace

TEST_CASE("K-FAC-expand is exact where every position has its loss, K-FAC-reduce is not") {
  auto const e = errors_of<per_token>();
  CHECK(largest(e.expand) < 1e-12);
  for (double r : e.reduce) CHECK(r > 1e-2);
  CHECK(e.automatic == e.expand);
}

TEST_CASE("K-FAC-reduce is exact where positions are aggregated by a scaled sum, K-FAC-expand is not") {
  auto const average = errors_of<pooled>();
  CHECK(largest(average.reduce) < 1e-12);
  CHECK(average.expand[0] > 1e-2);
  CHECK(average.expand[1] < 1e-12);  // one position
  CHECK(average.automatic == average.reduce);
  auto const total = errors_of<summed>();
  CHECK(largest(total.reduce) < 1e-12);
  CHECK(total.expand[0] > 1e-2);
  CHECK(total.automatic == total.reduce);
}

TEST_CASE("a flattened value is no scaled sum: neither variant is exact, the setting is that of reduce") {
  auto const e = errors_of<flattened>();
  CHECK(e.expand[0] > 1e-2);
  CHECK(e.reduce[0] > 1e-2);
  CHECK(e.automatic == e.reduce);
}

TEST_CASE("padding is left out of the factors: exact for ragged means and for ragged sums") {
  std::vector<unsigned char> const mask{1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0};
  auto const average = errors_of<ragged_mean>(mask);
  CHECK(largest(average.reduce) < 1e-12);
  CHECK(average.automatic == average.reduce);
  CHECK(average.expand[0] > 1e-2);
  auto const total = errors_of<ragged_sum>(mask);
  CHECK(largest(total.reduce) < 1e-12);
  CHECK(total.automatic == total.reduce);
  CHECK(total.expand[0] > 1e-2);
  // Without the mask the padding's values count, and the same factors belong to another matrix.
  CHECK(largest(errors_of<ragged_sum>().reduce) < 1e-12);
}

TEST_CASE("stacked linear convolutions: reduce is exact with circular padding only") {
  auto const circle = errors_of<circular_images>();
  CHECK(largest(circle.reduce) < 1e-12);
  CHECK(circle.expand[0] > 1e-2);
  auto const zeros_around = errors_of<padded_images>();
  CHECK(zeros_around.reduce[0] > 1e-2);
  CHECK(zeros_around.expand[0] > zeros_around.reduce[0]);
}
