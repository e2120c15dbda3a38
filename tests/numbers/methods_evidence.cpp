// The Laplace evidence where it is exact: linear regression with a Gaussian prior and likelihood.

#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/methods/laplace_evidence.hpp>

#include "algebra_reference.hpp"

namespace {

using namespace kappa;
namespace ref = reference;
using number = ref::number;

constexpr std::size_t samples = 25, features = 5;
constexpr double variance = 0.3;

struct regression {
  ref::dense phi{samples, features};
  ref::column y = ref::column(samples);

  explicit regression(unsigned seed = 1) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    ref::column w(features);
    for (auto& v : phi.a) v = normal(engine);
    for (auto& v : w) v = normal(engine);
    y = ref::times(phi, w);
    for (auto& v : y) v += std::sqrt(variance) * normal(engine);
  }
  // log N(y; 0, σ² I + Φ diag(1/δ) Φᵀ), δ for the first two weights and for the others.
  number exact(number first, number others) const {
    ref::dense c(samples, samples);
    for (std::size_t i = 0; i < samples; ++i)
      for (std::size_t j = 0; j < samples; ++j) {
        for (std::size_t k = 0; k < features; ++k) c(i, j) += phi(i, k) * phi(j, k) / (k < 2 ? first : others);
        if (i == j) c(i, j) += variance;
      }
    auto const [x, log_det_c] = ref::eliminate(c, y);
    number product = 0;
    for (std::size_t i = 0; i < samples; ++i) product += y[i] * x[i];
    return -0.5L * (samples * std::log(2 * std::numbers::pi_v<number>) + log_det_c + product);
  }
  // ΦᵀΦ.
  ref::dense normal_matrix() const { return ref::times(ref::transposed(phi), phi); }
  vector<double> mode(number first, number others) const {
    auto m = normal_matrix();
    for (auto& v : m.a) v /= variance;
    for (std::size_t k = 0; k < features; ++k) m(k, k) += k < 2 ? first : others;
    auto right = ref::times(ref::transposed(phi), y);
    for (auto& v : right) v /= variance;
    auto const x = ref::eliminate(m, right).first;
    auto theta = zeros<double>(features);
    for (std::size_t k = 0; k < features; ++k) theta(k) = static_cast<double>(x[k]);
    return theta;
  }
  double sse(vector<double> const& theta) const {
    auto const f = ref::times(phi, ref::wide(theta));
    number total = 0;
    for (std::size_t i = 0; i < samples; ++i) total += (y[i] - f[i]) * (y[i] - f[i]);
    return static_cast<double>(total);
  }
  // K-FAC of the mean of ½ (f - y)²: B = 1, A = ΦᵀΦ / N, as one block.
  auto curvature() const {
    auto a = normal_matrix();
    for (auto& v : a.a) v /= samples;
    return block_diagonal(std::vector{kronecker<double>(ref::to<double>(ref::unit(1)), ref::to<double>(a))});
  }
  laplace_evidence evidence(double delta, double scale = samples / variance) const {
    auto const theta = mode(delta, delta);
    return {gaussian_log_likelihood(sse(theta), samples, variance), curvature(), elements(theta), scale};
  }
};

}  // namespace

TEST_CASE("the evidence of a conjugate model is exact") {
  regression const r;
  for (double const delta : {0.05, 0.7, 8.0}) {
    std::vector<double> const at{delta};
    double const exact = static_cast<double>(r.exact(delta, delta));
    CHECK(r.evidence(delta)(at) == Approx(exact).epsilon(1e-12));
    CHECK_FALSE(r.evidence(delta, 1 / variance)(at) == Approx(exact).epsilon(1e-4));  // the mean taken for the sum
    CHECK_FALSE(r.evidence(delta, samples)(at) == Approx(exact).epsilon(1e-4));       // the noise forgotten
    // √δ on each factor instead of δ on their product biases the determinant.
    double factored = 0, damped_logs = 0;
    for (double v : eigenvalues(r.curvature())) {
      factored += std::log((samples / variance + std::sqrt(delta)) * (v + std::sqrt(delta)));
      damped_logs += std::log(samples / variance * v + delta);
    }
    CHECK(std::abs(factored - damped_logs) > 1e-2);
  }
}

TEST_CASE("EKFAC's form, blocks of their own, and float") {
  regression const r;
  auto const a = symmetric<double>(r.curvature().blocks()[0].right()).basis();
  auto lambda = zeros<double>(1, features);
  for (std::size_t i = 0; i < features; ++i) lambda(0, i) = a.values(i);
  auto const one = ref::to<double>(ref::unit(1));
  auto const measured = block_diagonal(std::vector{kronecker_eigenbasis<double>(one, a.vectors, lambda)});
  auto const theta = r.mode(0.7, 0.7);
  std::vector<double> const at{0.7};
  double const fit = gaussian_log_likelihood(r.sse(theta), samples, variance);
  CHECK(laplace_evidence(fit, measured, elements(theta), samples / variance)(at) ==
        Approx(static_cast<double>(r.exact(0.7L, 0.7L))).epsilon(1e-12));

  // Two blocks whose features are orthogonal: then the block-diagonal curvature is the whole one.
  regression orthogonal;
  for (std::size_t i = 0; i < samples; ++i)
    for (std::size_t k = 0; k < features; ++k)
      if ((i < 12) != (k < 2)) orthogonal.phi(i, k) = 0;
  auto whole = orthogonal.normal_matrix();
  auto const part = [&](std::size_t begin, std::size_t end) {
    ref::dense m(end - begin, end - begin);
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t j = begin; j < end; ++j) m(i - begin, j - begin) = whole(i, j) / samples;
    return kronecker<double>(one, ref::to<double>(m));
  };
  auto const two = block_diagonal(std::vector{part(0, 2), part(2, 5)});
  auto const mode = orthogonal.mode(0.4L, 3);
  laplace_evidence const e(gaussian_log_likelihood(orthogonal.sse(mode), samples, variance), two, elements(mode),
                           samples / variance);
  double const exact = static_cast<double>(orthogonal.exact(0.4L, 3));
  CHECK(e(std::vector{0.4, 3.0}) == Approx(exact).epsilon(1e-12));
  CHECK_FALSE(e(std::vector{3.0, 0.4}) == Approx(exact).epsilon(1e-4));
  CHECK(e.merged()(std::vector{0.6}) == Approx(e(std::vector{0.6, 0.6})).epsilon(1e-13));

  auto narrow = zeros<float>(features);
  std::transform(theta.begin(), theta.end(), narrow.begin(), [](double v) { return static_cast<float>(v); });
  auto const k = r.curvature().blocks()[0];
  auto narrow_a = zeros<float>(features, features), narrow_b = zeros<float>(1, 1);
  narrow_b(0, 0) = 1;
  std::ranges::transform(elements(k.right().entries()), narrow_a.data(),
                         [](double v) { return static_cast<float>(v); });
  auto const single = block_diagonal(std::vector{kronecker<float>(narrow_b, narrow_a)});
  CHECK(laplace_evidence(fit, single, elements(narrow), samples / variance)(at) ==
        Approx(static_cast<double>(r.exact(0.7L, 0.7L))).epsilon(1e-5));
}

TEST_CASE("its gradients are those of finite differences") {
  regression const r;
  auto const e = r.evidence(0.7);
  double const h = 1e-5;
  std::vector<double> const at{0.7}, more{0.7 + h}, less{0.7 - h};
  CHECK(e.gradient(at)[0] == Approx((e(more) - e(less)) / (2 * h)).epsilon(1e-7));
  CHECK_FALSE(e.gradient(std::vector{0.71})[0] == Approx((e(more) - e(less)) / (2 * h)).epsilon(1e-7));

  auto const theta = r.mode(0.7, 0.7);
  double const sse = r.sse(theta);
  auto const with_noise = [&](double v) {
    return laplace_evidence(gaussian_log_likelihood(sse, samples, v), r.curvature(), elements(theta), samples / v)(at);
  };
  double const slope_of_log = (with_noise(variance * std::exp(h)) - with_noise(variance * std::exp(-h))) / (2 * h);
  CHECK(noise_gradient(e, at, sse, samples, variance) == Approx(slope_of_log).epsilon(1e-7));
  CHECK_FALSE(noise_gradient(e, at, 1.001 * sse, samples, variance) == Approx(slope_of_log).epsilon(1e-7));
}

TEST_CASE("MacKay's fixed point with the mode refitted is the maximum of the exact evidence") {
  regression const r;
  std::vector<double> delta{1};
  for (int i = 0; i < 200; ++i) delta = r.evidence(delta[0]).updated(delta);
  // Golden section on log δ.
  number low = -6, high = 6;
  number const golden = (std::sqrt(5.0L) - 1) / 2;
  auto const value = [&](number log_delta) { return r.exact(std::exp(log_delta), std::exp(log_delta)); };
  while (high - low > 1e-8L) {
    number const a = high - golden * (high - low), b = low + golden * (high - low);
    (value(a) > value(b) ? high : low) = value(a) > value(b) ? b : a;
  }
  CHECK(delta[0] == Approx(static_cast<double>(std::exp(low))).epsilon(1e-6));
  CHECK_FALSE(1.001 * delta[0] == Approx(static_cast<double>(std::exp(low))).epsilon(1e-6));

  // With θ fixed the fixed point makes the gradient zero, wherever it starts.
  auto const e = r.evidence(0.7);
  auto const from_below = e.fitted({1e-2}), from_above = e.fitted({1e2});
  CHECK(from_below[0] == Approx(from_above[0]).epsilon(1e-8));
  CHECK(std::abs(e.gradient(from_below)[0] * from_below[0]) < 1e-7);
  CHECK(e.effective_dimensions(from_below)[0] < features);
  CHECK_THROWS_AS(e.fitted({1e-2}, {.iterations = 1}), not_converged);
}

TEST_CASE("what has no evidence is refused") {
  regression const r;
  auto const e = r.evidence(0.7);
  CHECK_THROWS_AS(e(std::vector{0.7, 0.7}), shape_mismatch);
  CHECK_THROWS_AS(e(std::vector{0.0}), invalid_value);
  CHECK_THROWS_AS(e(std::vector<double>{NAN}), invalid_value);
  CHECK_THROWS_AS(laplace_evidence(NAN, e.groups()), invalid_value);
  CHECK_THROWS_AS(laplace_evidence(0, {{{1, -1}, 1}}), invalid_value);
  CHECK_THROWS_AS(laplace_evidence(0, {{{1, 2}, 0}}).updated(std::vector{1.0}), invalid_value);
  auto const theta = zeros<double>(3);
  CHECK_THROWS_AS(laplace_evidence(0, r.curvature(), elements(theta), 1), shape_mismatch);
  CHECK_THROWS_AS(r.evidence(0.7, 0), invalid_value);
  CHECK_THROWS_AS(gaussian_log_likelihood(1, 1, 0), invalid_value);
}
