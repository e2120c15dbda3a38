// The lower bounds and the product bound on random linear networks: no violation as stated, violations as soon as they
// are changed, and the cases in which they are exact.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include "theory_networks.hpp"
#include "theory_tally.hpp"

#include <kappa/theory.hpp>

using namespace kappa;
using linear::percent_of;
using linear::try_on;
using testing::weights;

namespace {

struct square : network<input<4> | repeat<3>(dense<4, no_bias>)> {};
struct tall : network<input<4> | repeat<3>(dense<7, no_bias>) | dense<3, no_bias>> {};
struct heavy_scales : network<input<3> | dense<5, no_bias> | scale<3> | dense<5, no_bias> | scale<1, 4> |
                              dense<2, no_bias> | scale<2>> {};
using equal_widths = std::tuple<linear::wide, linear::single, linear::one_output, linear::one_input, linear::residuals,
                                square, tall, heavy_scales>;

/// The product bound with the layers' smallest non-zero singular values, on any network.
struct misread_product {
  static constexpr char const* name = "product bound, misread";
  double operator()(theory::small_gauss_newton const& g) const {
    double over = 0, under = 0, ratio = g.data_condition();
    for (std::size_t l = 0; l < g.depth(); ++l) {
      auto const& s = g.layer_spectrum(l);
      ratio *= s.largest / s.smallest_non_zero;
      over += 1 / s.largest;
      under += 1 / s.smallest_non_zero;
    }
    return ratio * over / under;
  }
};

}  // namespace

TEST_CASE("Lower bounds have no violation on 1,400 random linear networks") {
  auto const plan = testing::sweep{.instances = 100, .seed = 5000};
  for (auto const& t :
       {try_on<linear::all>(theory::rayleigh_bound, plan), try_on<linear::all>(theory::moment_floor, plan),
        try_on<linear::all>(theory::weyl_floor, plan), try_on<linear::all>(theory::data_floor, plan)}) {
    CHECK(t.instances == 1400);
    CHECK(t.failures == 0);
    CHECK(t.decided() >= 1200);
  }
  // One layer: κ(G) = κ(Σ), which Rayleigh and Weyl attain; a hundredth more is false. White data are all moments.
  CHECK(try_on<std::tuple<linear::single>>(percent_of<theory::rayleigh_bound_t, 101>{}, plan).failures > 50);
  CHECK(try_on<std::tuple<linear::single>>(percent_of<theory::weyl_floor_t, 101>{}, plan).failures > 50);
  CHECK(try_on<std::tuple<linear::single>>(percent_of<theory::data_floor_t, 101>{}, plan).failures > 50);
  auto const white = testing::sweep{.instances = 50, .seed = 5000, .whitened = true};
  CHECK(try_on<std::tuple<linear::single>>(percent_of<theory::moment_floor_t, 101>{}, white).failures == 50);
}

TEST_CASE("The Rayleigh bound is exact for one hidden layer and close to it elsewhere") {
  int exact = 0;
  std::vector<double> ratios;
  linear::for_each<std::tuple<linear::wide, linear::one_output, linear::deep, tall>>([&]<class Net>(
                                                                                         std::type_identity<Net>) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      auto const d = testing::draw<Net>({.seed = seed, .samples = 12, .law = weights::gaussian, .data_condition = 50});
      theory::linear_gauss_newton<Net> const g(d.theta, theory::covariance_of(d.inputs));
      double const condition = g.condition_number(), below = theory::rayleigh_bound(g).value;
      if constexpr (theory::one_hidden_layer<Net>) {
        CHECK(std::abs(below / condition - 1) <= 1e-10);
        ++exact;
      } else {
        CHECK(below < condition * (1 - 1e-9));
        ratios.push_back(below / condition);
      }
      CHECK(theory::moment_floor(g).value < 0.9 * condition);
      CHECK(theory::weyl_floor(g).value < (1 + 1e-12) * condition);
    }
  });
  CHECK(exact == 60);
  std::sort(ratios.begin(), ratios.end());
  CHECK(ratios[ratios.size() / 2] > 0.95);  // the median
}

TEST_CASE("The product bound has no violation where hidden widths are equal, with no alignment") {
  auto const plan = testing::sweep{.instances = 80, .seed = 6000};
  auto const t = try_on<equal_widths>(theory::product_bound, plan);
  CHECK(t.instances == 640);
  CHECK(t.failures == 0);
  CHECK(t.decided() >= 350);
  // Other widths are refused by the type; the formula with non-zero singular values is false there.
  static_assert(theory::detail::covers<tall, theory::product_bound_t>);
  static_assert(!theory::detail::covers<linear::deep, theory::product_bound_t>);        // 8 and 9
  static_assert(!theory::detail::covers<linear::bottleneck, theory::product_bound_t>);  // 3 below 6
  CHECK(testing::try_statement<linear::between>(misread_product{}).failures > 0);
}

TEST_CASE("The product bound is an equality for aligned singular vectors and white data") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<matrix<double>> bases, layers;
    counter_random random(seed);
    for (int l = 0; l < 4; ++l) bases.push_back(testing::detail::orthonormal_rows(4, 4, random));
    double misprint_over = 0, misprint_under = 0;
    for (std::size_t l = 0; l < 3; ++l) {
      std::vector<double> s(4);
      for (double& x : s) x = 0.3 + 1.7 * random.uniform();
      std::sort(s.begin(), s.end(), [](double a, double b) { return a > b; });
      layers.push_back(testing::detail::with_singular_values(s, bases[l + 1], bases[l]));
      misprint_over += l == 1 ? s[0] * s[0] : 1 / (s[0] * s[0]);
      misprint_under += l == 1 ? s[3] * s[3] : 1 / (s[3] * s[3]);
    }
    auto unit = zeros<double>(4, 4);
    for (std::size_t i = 0; i < 4; ++i) unit(i, i) = 1;
    std::vector<double> const gains{1, 1, 1};
    theory::small_gauss_newton const g(layers, gains, theory::covariance(unit));
    double const exact = g.condition_number(), stated = theory::product_bound_t::value(g);
    CHECK(std::abs(stated / exact - 1) <= 1e-12 * exact);
    // The hidden layer's s² for s⁻², as in the authors' public code, is another number.
    double over = 0, under = 0;
    for (std::size_t l = 0; l < 3; ++l) {
      over += 1 / g.layer_spectrum(l).largest;
      under += 1 / g.layer_spectrum(l).smallest;
    }
    CHECK(std::abs(stated * (misprint_over / misprint_under) / (over / under) / exact - 1) > 1e-3);
  }
}
