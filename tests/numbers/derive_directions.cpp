// ViViT's identities between per-sample and mini-batch derivatives along the leading directions.

#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

#include "worst.hpp"

namespace {
using namespace kappa;
struct net : network<input<6> | dense<7> | act::tanh | dense<4>> {};
struct goal : objective<net, cross_entropy> {};

struct fixture {
  static constexpr std::size_t samples = 9;
  vector<double> theta = initialise<net, double>(11);
  std::vector<double> x = std::vector<double>(samples * 6);
  std::vector<int> y = std::vector<int>(samples);
  fixture() {
    counter_random random(12);
    for (double& v : x) v = random.normal();
    for (int& v : y) v = static_cast<int>(random.below(4));
  }
};

// Largest deviation of the mean over samples from `expected(k)`, relative to the largest expected value.
template <class Expected>
double deviation(matrix<double> const& per_sample, Expected const& expected) {
  double worst = 0, largest = 0;
  for (std::size_t k = 0; k < per_sample.shape(1); ++k) {
    double mean = 0;
    for (std::size_t n = 0; n < per_sample.shape(0); ++n) mean += per_sample(n, k);
    mean /= static_cast<double>(per_sample.shape(0));
    worst = worst_of(worst, std::abs(mean - expected(k)));
    largest = std::max(largest, std::abs(expected(k)));
  }
  REQUIRE(largest > 1e-3);
  return worst / largest;
}
}  // namespace

TEST_CASE("slopes and curvatures per sample average to those of the batch") {
  fixture f;
  auto const q = derive<goal>(f.theta, batch(f.x, f.y), gradient, ggn);
  auto const d = directional_derivatives_of(q, 5);
  auto const directions = directions_of(q[ggn], d);
  REQUIRE(d.eigenvalues.size() == 5);
  auto const slope = [&](std::size_t k) {
    double total = 0;
    for (std::size_t p = 0; p < directions.shape(1); ++p) total += directions(k, p) * q[gradient][p];
    return total;
  };
  CHECK(deviation(d.slopes, slope) < 1e-12);
  CHECK(deviation(d.curvatures, [&](std::size_t k) { return d.eigenvalues(k); }) < 1e-12);

  SECTION("the check sees a wrong scale") {
    auto wrong = d.curvatures;
    wrong *= 1.0 / fixture::samples;
    CHECK(deviation(wrong, [&](std::size_t k) { return d.eigenvalues(k); }) > 0.1);
    CHECK(deviation(d.slopes, [&](std::size_t k) { return slope(k) / fixture::samples; }) > 0.1);
  }
  SECTION("the directions are orthonormal") {
    for (std::size_t k = 0; k < 5; ++k)
      for (std::size_t l = 0; l <= k; ++l) {
        double dot = 0;
        for (std::size_t p = 0; p < directions.shape(1); ++p) dot += directions(k, p) * directions(l, p);
        CHECK(std::abs(dot - (k == l ? 1 : 0)) < 1e-10);
      }
  }
}

TEST_CASE("a view of an earlier derivation says that it is stale") {
  fixture f;
  auto work = workspace_for<goal, double>(fixture::samples, gradient, ggn);
  auto const first = derive(work, f.theta, batch(f.x, f.y), gradient, ggn);
  CHECK(first[gradient].size() == net::parameter_count);
  auto const second = derive(work, f.theta, batch(f.x, f.y), gradient, ggn);
  CHECK(second[gradient].size() == net::parameter_count);
  CHECK_THROWS_AS(first[gradient], invalid_value);
}
