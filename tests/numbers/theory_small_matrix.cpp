// The small matrix of a linear network against the Gauss-Newton matrix itself, made of brute-force Jacobians.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference.hpp"
#include "spectral_distance.hpp"
#include "theory_networks.hpp"
#include "worst.hpp"

#include <kappa/testing/random_instance.hpp>
#include <kappa/theory.hpp>

using namespace kappa;
using testing::weights;

namespace {

/// G = 1/n Σ_i J_iᵀ J_i, [P, P], Jacobians from the reference's interpreter of the graph in long double.
template <class Net>
matrix<double> brute_force(testing::drawn const& d) {
  auto const n = d.inputs.shape(0), features = d.inputs.shape(1), p = d.theta.size();
  std::vector<long double> const theta(d.theta.begin(), d.theta.end());
  std::vector<long double> sum(p * p);
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<long double> const x(d.inputs.data() + i * features, d.inputs.data() + (i + 1) * features);
    auto const j = reference::jacobian<Net, long double>(theta, std::span<long double const>(x));
    for (std::size_t row = 0; row < j.size() / p; ++row)
      for (std::size_t a = 0; a < p; ++a)
        for (std::size_t b = 0; b < p; ++b) sum[a * p + b] += j[row * p + a] * j[row * p + b];
  }
  auto g = zeros<double>(p, p);
  for (std::size_t i = 0; i < p * p; ++i) g.data()[i] = static_cast<double>(sum[i] / static_cast<long double>(n));
  return g;
}

template <class Net>
theory::linear_gauss_newton<Net> small(testing::drawn const& d) {
  return {d.theta, theory::covariance_of(d.inputs)};
}

std::size_t numerical_rank(matrix<double> const& g) {
  return theory::ends_of(elements(lapack::symmetric_eigenvalues(g))).rank;
}

}  // namespace

TEST_CASE("The small matrix has the spectrum of the Gauss-Newton matrix") {
  double worst = 0;
  int instances = 0;
  linear::for_each<linear::all>([&]<class Net>(std::type_identity<Net>) {
    for (int law = 0; law < testing::weight_laws; ++law)
      for (int samples : {2, 13}) {
        auto const d = testing::draw<Net>({.seed = 5,
                                           .samples = samples,
                                           .law = static_cast<weights>(law),
                                           .data_condition = law % 2 == 0 ? 1. : 1e3});
        auto const exact = lapack::symmetric_eigenvalues(brute_force<Net>(d));
        auto const g = small<Net>(d);
        CHECK(spectral_distance(exact, g.eigenvalues()) <= 1e-11);
        CHECK(spectral_distance(exact, lapack::symmetric_eigenvalues(g.dense())) <= 1e-11);
        worst = worst_of(worst, spectral_distance(exact, g.eigenvalues()));
        ++instances;
      }
  });
  INFO("largest distance " << worst);
  CHECK(instances == 224);
}

TEST_CASE("Planted faults in the small matrix are seen") {
  using net = linear::scaled;
  auto const d = testing::draw<net>({.seed = 3, .samples = 13, .law = weights::gaussian, .data_condition = 30});
  auto const exact = lapack::symmetric_eigenvalues(brute_force<net>(d));
  auto const matrices = theory::layer_matrices<net>(d.theta);
  auto const sigma = theory::covariance_of(d.inputs);
  auto const spectrum = [&](std::vector<double> const& gains, theory::covariance const& s) {
    return theory::small_gauss_newton(matrices, gains, s).eigenvalues();
  };
  std::vector<double> gains;
  for (auto const& layer : theory::linear_layers<net>()) gains.push_back(layer.gain);
  CHECK(spectral_distance(exact, spectrum(gains, sigma)) <= 1e-11);
  CHECK(spectral_distance(exact, spectrum({1, 1, 1}, sigma)) > 1e-2);  // scales forgotten
  auto doubled = d.inputs;
  for (double& x : elements(doubled)) x *= std::sqrt(2.0);  // the mean's 1/n wrong by a factor of 2
  CHECK(spectral_distance(exact, spectrum(gains, theory::covariance_of(doubled))) > 1e-2);
  auto centred = d.inputs;  // Σ is the uncentred second moment
  for (std::size_t c = 0; c < 6; ++c) {
    double average = 0;
    for (std::size_t i = 0; i < 13; ++i) average += centred(i, c) / 13;
    for (std::size_t i = 0; i < 13; ++i) centred(i, c) -= average;
  }
  CHECK(spectral_distance(exact, spectrum(gains, theory::covariance_of(centred))) > 1e-3);
}

TEST_CASE("The rank formula is exact for any weights") {
  int mismatches = 0, by_shape_alone = 0, instances = 0;
  linear::for_each<linear::all>([&]<class Net>(std::type_identity<Net>) {
    for (weights law : {weights::orthogonal, weights::gaussian, weights::rank_deficient})
      for (int samples : {2, 3, 16})
        for (std::uint64_t seed : {1u, 2u}) {
          auto const d = testing::draw<Net>({.seed = seed, .samples = samples, .law = law, .data_condition = 5});
          auto const rank = numerical_rank(brute_force<Net>(d));
          auto const g = small<Net>(d);
          mismatches += g.rank() != rank;
          mismatches += g.spectrum().rank != rank;
          auto const data_rank = std::min(samples, Net::input_shape.size());
          if (law == weights::gaussian) mismatches += theory::generic_rank<Net>(data_rank) != static_cast<long>(rank);
          by_shape_alone += theory::generic_rank<Net>(data_rank) != static_cast<long>(rank);
          ++instances;
        }
  });
  CHECK(instances == 252);
  CHECK(mismatches == 0);
  CHECK(by_shape_alone > 20);  // rank-deficient weights: widths alone do not tell
  // A single bottleneck r: r (d + k - r).
  STATIC_REQUIRE(theory::generic_rank<linear::bottleneck>() == 3 * (6 + 5 - 3));
  STATIC_REQUIRE(theory::generic_rank<linear::wide>() == 24);
}

TEST_CASE("One hidden layer: the exact formula against the dense eigenproblem") {
  linear::for_each<linear::one_hidden_layer>([&]<class Net>(std::type_identity<Net>) {
    for (weights law : {weights::orthogonal, weights::gaussian})
      for (std::uint64_t seed = 0; seed < 6; ++seed) {
        auto const d = testing::draw<Net>({.seed = seed, .samples = 20, .law = law, .data_condition = 20});
        auto const g = small<Net>(d);
        auto const dense = lapack::symmetric_eigenvalues(g.dense());
        double const exact = theory::condition_number(theory::ends_of(elements(dense)));
        // λ_min is known to order ε λ_max.
        double const rounding = static_cast<double>(g.order()) * std::numeric_limits<double>::epsilon() * exact;
        CHECK(spectral_distance(dense, g.eigenvalues()) <= 1e-13);
        CHECK(std::abs(theory::exact_one_hidden_layer(g).value / exact - 1) <= std::max(1e-11, rounding));
        CHECK(rounding <= 1e-9);
      }
  });
  // The formula with the two ends of W Wᵀ exchanged is another number.
  auto const g = small<linear::wide>(testing::draw<linear::wide>({.seed = 1, .samples = 20, .law = weights::gaussian}));
  auto const lambda = lapack::symmetric_eigenvalues(g.left(0));
  auto const low = lapack::symmetric_eigenvalues(g.hidden_layer_block(lambda(lambda.size() - 1)));
  auto const high = lapack::symmetric_eigenvalues(g.hidden_layer_block(lambda(0)));
  CHECK(std::abs(low(0) / high(high.size() - 1) / g.condition_number() - 1) > 1e-2);
}

TEST_CASE("The square root of the covariance") {
  auto const d =
      testing::draw<linear::wide>({.seed = 9, .samples = 4, .law = weights::gaussian, .data_condition = 100});
  auto const sigma = theory::covariance_of(d.inputs);
  CHECK(sigma.rank() == 4);
  CHECK(std::abs(sigma.condition_number() / 100 - 1) <= 1e-12);
  auto const root = sigma.square_root();
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 6; ++j) {
      double square = 0, moment = 0;
      for (std::size_t c = 0; c < 6; ++c) square += root(i, c) * root(c, j);
      for (std::size_t n = 0; n < 4; ++n) moment += d.inputs(n, i) * d.inputs(n, j) / 4;
      CHECK(std::abs(square - moment) <= 1e-12 * sigma.eigenvalues()(0));
    }
}

TEST_CASE("Layer matrices, in float too") {
  auto const d = testing::draw<linear::residuals>({.seed = 2, .samples = 9, .law = weights::gaussian});
  auto const m = theory::layer_matrices<linear::residuals>(d.theta);
  REQUIRE(m.size() == 3);
  CHECK(m[0](1, 2) == d.theta(7));
  CHECK(m[0](2, 2) == d.theta(12) + 1);
  CHECK(m[2](2, 4) == d.theta(50 + 14));
  auto narrow = zeros<float>(d.theta.size());
  std::copy(d.theta.begin(), d.theta.end(), narrow.begin());
  CHECK(std::abs(theory::layer_matrices<linear::residuals>(narrow)[1](3, 1) - m[1](3, 1)) <= 1e-6);
}

TEST_CASE("What does not fit is refused with a documented exception") {
  auto d = testing::draw<linear::wide>({.seed = 2, .samples = 9, .law = weights::gaussian});
  auto const sigma = theory::covariance_of(d.inputs);
  auto const five = theory::covariance_of(testing::draw<linear::single>({.samples = 9}).inputs);
  CHECK_THROWS_AS(theory::layer_matrices<linear::deep>(d.theta), shape_mismatch);
  CHECK_THROWS_AS(theory::linear_gauss_newton<linear::wide>(d.theta, five), shape_mismatch);
  d.theta(3) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(theory::linear_gauss_newton<linear::wide>(d.theta, sigma), invalid_value);
  CHECK_THROWS_AS(theory::covariance_of(zeros<double>(0, 4)), capacity_exceeded);
  CHECK_THROWS_AS(theory::covariance_of(zeros<double>(3, 4)), invalid_value);
  d.inputs(2, 2) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(theory::covariance_of(d.inputs), invalid_value);
  auto m = zeros<double>(2, 2);
  m(0, 1) = 1;
  CHECK_THROWS_AS(theory::covariance(m), invalid_value);  // not symmetric
  m(1, 0) = 1;
  CHECK_THROWS_AS(theory::covariance(m), invalid_value);  // not positive semidefinite
  CHECK_THROWS_AS(theory::covariance(zeros<double>(2, 3)), shape_mismatch);
  auto const none = zeros<double>(linear::single::parameter_count);
  CHECK_NOTHROW(theory::linear_gauss_newton<linear::single>(none, five).condition_number());  // κ(Σ): W does not enter
  auto const nothing = zeros<double>(linear::wide::parameter_count);
  CHECK_THROWS_AS(theory::linear_gauss_newton<linear::wide>(nothing, sigma).condition_number(), singular_matrix);
}
