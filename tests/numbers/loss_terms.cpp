// One loss term of every loss: its gradient and Hessian against differences in long double, its roots against its
// curvature, its draws against both, and its Fisher matrix against integrals.

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/tensor/random.hpp>

#include "textbook_losses.hpp"
#include "worst.hpp"

using namespace kappa;

namespace {

using extended = long double;
using reference::relative_error;

template <class T>
using numbers = std::vector<T>;

template <class L, class T>
numbers<T> gradient_of(numbers<T> const& f, target<T> y) {
  numbers<T> g(f.size(), T(7));  // what was there must not matter
  L::gradient(std::span<T const>(f), y, std::span<T>(g));
  return g;
}

// A matrix [C, C] by its products with unit vectors.
template <class T>
numbers<T> columns_of(std::size_t n, auto const& times) {
  numbers<T> m(n * n), unit(n), u(n, T(7));
  for (std::size_t j = 0; j < n; ++j) {
    unit[j] = 1;
    times(std::span<T const>(unit), std::span<T>(u));
    unit[j] = 0;
    for (std::size_t i = 0; i < n; ++i) m[i * n + j] = u[i];
  }
  return m;
}
template <class L, class T>
numbers<T> hessian_of(numbers<T> const& f, target<T> y) {
  return columns_of<T>(f.size(), [&](auto v, auto u) { L::hessian_times(std::span<T const>(f), y, v, u); });
}
template <class L, class T>
numbers<T> curvature_of(numbers<T> const& f, target<T> y) {
  return columns_of<T>(f.size(),
                       [&](auto v, auto u) { detail::curvature_times<L, T>(std::span<T const>(f), y, v, u); });
}

template <class T>
numbers<T> outer_squares(numbers<T> const& s, std::size_t n) {
  numbers<T> m(n * n);
  for (std::size_t k = 0; k < s.size() / n; ++k)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) m[i * n + j] += s[k * n + i] * s[k * n + j];
  return m;
}

// Agreement, and that a factor of 1.001 would be seen. All zero is compared as such.
template <class A>
void agrees(A const& got, numbers<extended> const& expected, extended tolerance) {
  bool zero = true;
  for (extended e : expected) zero = zero && e == 0;
  if (zero) {
    for (auto e : got) CHECK(e == 0);
    return;
  }
  CHECK(relative_error(got, expected) < tolerance);
  auto off = reference::convert<extended>(got);
  for (auto& e : off) e *= 1.001L;
  CHECK(relative_error(off, expected) > tolerance);
}

template <class L>
void check_derivatives(numbers<double> const& f, target<double> y) {
  auto const wide_f = reference::convert<extended>(f);
  numbers<extended> const wide_values(y.values.begin(), y.values.end());
  target<extended> const wide_y{y.label, wide_values};
  std::span<double const> const at(f);

  CHECK(static_cast<extended>(L::value(at, y)) ==
        Approx(static_cast<double>(reference::term_value<L, extended>(wide_f, wide_y))).epsilon(1e-13));
  auto const along = [&](std::size_t i, auto const& quantity) {
    return reference::detail::derivative_by_differences([&](extended step) {
      auto moved = wide_f;
      moved[i] += step;
      return quantity(moved);
    });
  };
  numbers<extended> gradient, hessian(f.size() * f.size());
  for (std::size_t i = 0; i < f.size(); ++i) {
    gradient.push_back(
        along(i, [&](auto const& m) { return numbers<extended>{L::value(std::span<extended const>(m), wide_y)}; })[0]);
    auto const column = along(i, [&](auto const& m) { return gradient_of<L>(m, wide_y); });
    for (std::size_t j = 0; j < f.size(); ++j) hessian[j * f.size() + i] = column[j];
  }
  for (auto& e : hessian)  // differences of a constant gradient leave its rounding
    if (std::abs(e) < 1e-12L) e = 0;
  agrees(gradient_of<L>(f, y), gradient, 1e-12L);
  agrees(hessian_of<L>(f, y), hessian, 1e-11L);
}

template <class L>
void check_roots(numbers<double> const& f, target<double> y) {
  auto const n = f.size();
  auto const outputs = static_cast<int>(n);
  auto const curvature = reference::convert<extended>(curvature_of<L>(f, y));
  numbers<double> s(static_cast<std::size_t>(L::root_columns(outputs)) * n, 7.0);
  L::root(std::span<double const>(f), y, std::span<double>(s));
  agrees(outer_squares(s, n), curvature, 1e-12L);
  if constexpr (requires { L::full_root_columns(outputs); }) {
    numbers<double> full(static_cast<std::size_t>(L::full_root_columns(outputs)) * n, 7.0);
    L::full_root(std::span<double const>(f), y, std::span<double>(full));
    agrees(outer_squares(full, n), curvature, 1e-12L);
  }
}

// How many standard errors the mean of `factor` g gᵀ over draws is away from `expected`, the largest of its entries.
template <class L>
double errors_away(numbers<double> const& f, target<double> y, numbers<double> const& expected, double factor = 1) {
  constexpr int draws = 40000;
  auto const n = f.size();
  numbers<double> sum(n * n), squares(n * n), g(n, 7.0);
  for (int d = 0; d < draws; ++d) {
    counter_random random(5, static_cast<std::uint64_t>(d));
    detail::sample_of<L, double>(std::span<double const>(f), y, random, std::span<double>(g));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double const e = factor * g[i] * g[j];
        sum[i * n + j] += e;
        squares[i * n + j] += e * e;
      }
  }
  double most = 0;
  for (std::size_t e = 0; e < n * n; ++e) {
    double const mean = sum[e] / draws, variance = squares[e] / draws - mean * mean;
    double const gap = std::abs(mean - expected[e]);
    if (!(gap <= 0)) most = worst_of(most, gap / std::sqrt(variance / draws + 1e-30));
  }
  return most;
}
template <class L>
void check_draws(numbers<double> const& f, target<double> y, numbers<double> const& expected) {
  CHECK(errors_away<L>(f, y, expected) < 4.5);
  bool zero = true;
  for (double e : expected) zero = zero && e == 0;
  if (!zero) CHECK(errors_away<L>(f, y, expected, 1.1) > 4.5);
}

template <class L>
void check_term(numbers<double> const& f, target<double> y) {
  check_derivatives<L>(f, y);
  check_roots<L>(f, y);
}

constexpr double infinity = std::numeric_limits<double>::infinity();
template <class F>
double integral(F const& f, double from, double to) {
  return boost::math::quadrature::gauss_kronrod<double, 61>::integrate(f, from, to, 10, 1e-13);
}

numbers<double> const outputs{0.7, -1.2, 2.1, 0.1};
numbers<double> const probabilities{0.1, 0.6, 0.25, 0.05};
inline constexpr auto smoothed = label_smoothing<0.1>(cross_entropy);
inline constexpr auto weighted = class_weights<1, 0.25, 3, 0>(cross_entropy);
inline constexpr auto both = class_weights<1, 0.25, 3, 2>(label_smoothing<0.3>(cross_entropy));
inline constexpr auto padded = ignore_index<-100>(both);

template <class L>
void check_classification(L) {
  for (int label = 0; label < 4; ++label) {
    target<double> const y{label, {}};
    INFO(L::name << ", label " << label);
    check_term<L>(outputs, y);
    check_draws<L>(outputs, y, curvature_of<L>(outputs, y));
  }
  target<double> const y{-1, probabilities};
  check_term<L>(outputs, y);
  check_draws<L>(outputs, y, curvature_of<L>(outputs, y));
}

}  // namespace

TEST_CASE("label smoothing, class weights and ignored labels") {
  check_classification(cross_entropy);
  check_classification(smoothed);
  check_classification(weighted);
  check_classification(both);
  check_classification(padded);
}

TEST_CASE("the modified cross-entropies are told apart and meet where they must") {
  auto const value = []<class L>(L, int label) {
    return L::value(std::span<double const>(outputs), target<double>{label, {}});
  };
  CHECK(value(label_smoothing<0>(cross_entropy), 2) == Approx(value(cross_entropy, 2)).epsilon(1e-14));
  CHECK(value(class_weights<1, 1, 1, 1>(cross_entropy), 2) == Approx(value(cross_entropy, 2)).epsilon(1e-14));
  CHECK(value(weighted, 2) == Approx(3 * value(cross_entropy, 2)).epsilon(1e-14));
  CHECK(value(smoothed, 2) != Approx(value(cross_entropy, 2)).epsilon(1e-3));
  // Smoothing is a target: (1 - ε) e + ε/C.
  numbers<double> const mixed{0.025, 0.025, 0.925, 0.025};
  CHECK(value(smoothed, 2) == Approx(cross_entropy_t::value(std::span<double const>(outputs), {-1, mixed})));
  static_assert(std::same_as<std::remove_const_t<decltype(both)>,
                             decltype(label_smoothing<0.3>(class_weights<1, 0.25, 3, 2>(cross_entropy)))>);
}

TEST_CASE("an ignored term is nothing") {
  using L = std::remove_const_t<decltype(padded)>;
  target<double> const y{-100, {}};
  std::span<double const> const f(outputs);
  CHECK(L::value(f, y) == 0);
  CHECK(L::weight(y) == 0);
  check_term<L>(outputs, y);
  check_draws<L>(outputs, y, numbers<double>(16));
  CHECK(L::ignores(-100));
  CHECK_FALSE(L::ignores(0));
  CHECK(L::weight(target<double>{2, {}}) == 3);
  CHECK(L::value(f, target<double>{2, {}}) != 0);
  CHECK(L::weight(target<double>{-1, probabilities}) == Approx(0.1 + 0.25 * 0.6 + 3 * 0.25 + 2 * 0.05));
}

TEST_CASE("Huber's loss") {
  using L = std::remove_const_t<decltype(huber<0.5>)>;
  static_assert(std::same_as<std::remove_const_t<decltype(huber<>)>, huber_t<1.0>>);
  numbers<double> const y{0.8, -3, 2.4, 0.55};  // residuals -0.1, 1.8, -0.3, -0.45
  check_term<L>(outputs, {-1, y});
  CHECK(hessian_of<L>(outputs, target<double>{-1, y})[5] == 0);  // a far target has no curvature
  CHECK(hessian_of<L>(outputs, target<double>{-1, y})[0] == 1);
  check_term<huber_t<1e3>>(outputs, {-1, y});
}

TEST_CASE("Huber's draws are those of Huber's density") {
  auto const check = []<double Delta>(huber_t<Delta>) {
    using L = huber_t<Delta>;
    // E[ψ²] and E[ψ'] under p(r) ∝ exp(-h(r)) by quadrature: one and the same number, the Fisher matrix's diagonal.
    auto const h = [](double r) { return std::abs(r) <= Delta ? r * r / 2 : Delta * (std::abs(r) - Delta / 2); };
    double const inside = integral([&](double r) { return std::exp(-h(r)); }, -Delta, Delta);
    double const outside = 2 * integral([&](double r) { return std::exp(-h(r)); }, Delta, infinity);
    double const square = integral([&](double r) { return r * r * std::exp(-h(r)); }, -Delta, Delta);
    double const fisher = (square + Delta * Delta * outside) / (inside + outside);
    CHECK(fisher == Approx(inside / (inside + outside)).epsilon(1e-10));
    CHECK(L::probability_near() == Approx(fisher).epsilon(1e-10));
    numbers<double> expected(16), hessian(16);
    for (std::size_t c = 0; c < 4; ++c) expected[5 * c] = fisher, hessian[5 * c] = 1;
    check_draws<L>(outputs, {-1, outputs}, expected);
    CHECK(errors_away<L>(outputs, {-1, outputs}, hessian) > 4.5);  // ∇²ℓ at the targets is another matrix
  };
  check(huber<0.5>);
  check(huber<1.5>);
}

TEST_CASE("the Gaussian negative log-likelihood") {
  using L = gaussian_negative_log_likelihood_t;
  numbers<double> const y{1.3, -0.2};
  target<double> const at{-1, y};
  static_assert(detail::has_fisher<L> && !detail::has_fisher<squared_error_t>);
  check_term<L>(outputs, at);
  check_draws<L>(outputs, at, curvature_of<L>(outputs, at));

  // The Hessian is indefinite, so no root of it exists: each pair's determinant is negative.
  auto const h = hessian_of<L>(outputs, at);
  for (std::size_t k = 0; k < 2; ++k)
    CHECK(h[k * 4 + k] * h[(2 + k) * 4 + 2 + k] - h[k * 4 + 2 + k] * h[(2 + k) * 4 + k] < 0);
  CHECK(relative_error(curvature_of<L>(outputs, at), h) > 0.1);
  CHECK(errors_away<L>(outputs, at, h) > 4.5);

  // The Fisher matrix is E[g gᵀ] and E[∇²ℓ] over y ~ N(μ, eˢ), pair by pair.
  numbers<double> squares(16), hessians(16);
  for (std::size_t k = 0; k < 2; ++k)
    for (std::size_t i : {k, 2 + k})
      for (std::size_t j : {k, 2 + k}) {
        auto const expectation = [&](auto const& entry) {
          return integral(
              [&](double z) {
                numbers<double> drawn = y;
                drawn[k] = outputs[k] + z * std::exp(outputs[2 + k] / 2);
                return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi) * entry(target<double>{-1, drawn});
              },
              -14, 14);
        };
        squares[i * 4 + j] = expectation([&](target<double> t) {
          auto const g = gradient_of<L>(outputs, t);
          return g[i] * g[j];
        });
        hessians[i * 4 + j] = expectation([&](target<double> t) { return hessian_of<L>(outputs, t)[i * 4 + j]; });
      }
  CHECK(relative_error(squares, curvature_of<L>(outputs, at)) < 1e-11);
  CHECK(relative_error(hessians, curvature_of<L>(outputs, at)) < 1e-11);
  CHECK(relative_error(squares, h) > 0.1);
}

TEST_CASE("losses in float stay finite where they should") {
  std::vector<float> const f{80.0f, -80.0f, 0.0f, 90.0f};
  auto const value = [&]<class L>(L, target<float> y) { return L::value(std::span<float const>(f), y); };
  CHECK(value(both, {1, {}}) == Approx(0.7 * 0.25 * 170 + 0.075 * (1 * 10 + 0.25 * 170 + 3 * 90)).epsilon(1e-6));
  std::vector<float> const y{1e18f, 0.0f, 0.0f, 0.0f};
  CHECK(value(huber<1>, {-1, y}) == Approx(1e18).epsilon(1e-6));
}
