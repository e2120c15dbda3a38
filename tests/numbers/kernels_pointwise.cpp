// Activations and their derivatives against the C++ standard library in long double, over the whole range.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/kernels/pointwise.hpp>

#include "worst.hpp"

namespace {

using kind = kappa::activation_kind;
using real_t = long double;

// Formulas of the definition, in long double, from the INPUT. `size` is the largest term where terms cancel.
struct answer {
  real_t value, size;
};
answer plain(real_t v) { return {v, std::abs(v)}; }

real_t sigma(real_t s) { return s < 0 ? std::exp(s) / (1 + std::exp(s)) : 1 / (1 + std::exp(-s)); }
real_t distribution(real_t s) { return std::erfc(-s / std::sqrt(real_t(2))) / 2; }
real_t density(real_t s) { return std::exp(-s * s / 2) / std::sqrt(2 * std::acos(real_t(-1))); }

template <kind Kind>
answer expected(int order, real_t s) {
  if constexpr (Kind == kind::identity) return plain(order == 0 ? s : order == 1 ? 1 : 0);
  if constexpr (Kind == kind::relu) return plain(order == 2 ? 0 : s > 0 ? (order == 0 ? s : 1) : 0);
  if constexpr (Kind == kind::leaky_relu)
    return plain(order == 2 ? 0 : (s > 0 ? 1 : real_t(3) / 20) * (order == 0 ? s : 1));
  if constexpr (Kind == kind::tanh) {
    real_t const a = std::tanh(s), c = 1 / (std::cosh(s) * std::cosh(s));
    return plain(order == 0 ? a : order == 1 ? c : -2 * a * c);
  }
  if constexpr (Kind == kind::sigmoid) {
    real_t const p = sigma(s), q = sigma(-s);
    return order == 0 ? plain(p) : order == 1 ? plain(p * q) : answer{p * q * (q - p), p * q};
  }
  if constexpr (Kind == kind::softplus) {
    real_t const p = sigma(s), q = sigma(-s);
    return plain(order == 0   ? (s > 0 ? s + std::log1p(std::exp(-s)) : std::log1p(std::exp(s)))
                 : order == 1 ? p
                              : p * q);
  }
  if constexpr (Kind == kind::gelu) {
    real_t const p = distribution(s), d = density(s);
    if (order == 0) return plain(s * p);
    if (order == 1) return {p + s * d, std::max(p, std::abs(s * d))};
    return {d * (2 - s * s), d * std::max(real_t(2), s * s)};
  }
  if constexpr (Kind == kind::silu) {
    real_t const p = sigma(s), q = sigma(-s);
    if (order == 0) return plain(s * p);
    if (order == 1) return {p * (1 + s * q), p * std::max(real_t(1), std::abs(s * q))};
    return {p * q * (2 + s * (q - p)), p * q * std::max(real_t(2), std::abs(s))};
  }
}

template <class T>
std::vector<T> inputs() {
  std::vector<T> s;
  for (int i = -40000; i <= 40000; ++i) s.push_back(static_cast<T>(i) * T(0.0005));  // -20 .. 20
  std::mt19937 engine(1);
  std::uniform_real_distribution<double> exponent(sizeof(T) == 4 ? -44 : -320, 3.2);
  for (int i = 0; i < 20000; ++i) {
    T const x = static_cast<T>(std::pow(10.0, exponent(engine)));
    s.push_back(x);
    s.push_back(-x);
  }
  return s;
}

// The worst error in units in the last place of the result. Where results underflow, the unit is that of the smallest
// normal number, times s² for gelu and silu: they multiply a number that has underflowed by up to s².
template <class T, kind Kind>
struct worst {
  double ulps = 0;
  void see(T got, answer e, T s) {
    bool const products = Kind == kind::gelu || Kind == kind::silu;
    real_t const growth = products ? std::max(real_t(1), static_cast<real_t>(s) * static_cast<real_t>(s)) : 1;
    real_t const floor = std::numeric_limits<T>::min() * growth;
    real_t const unit = std::max(e.size, floor) * std::numeric_limits<T>::epsilon();
    auto const off = static_cast<double>(std::abs(static_cast<real_t>(got) - e.value) / unit);
    ulps = worst_of(ulps, off);
  }
};

// Where a derivative comes from the rounded output, the reference is the same function of that output: conditioning
// is the caller's, accuracy the kernel's.
template <kind Kind>
answer from_output(int order, real_t a) {
  if constexpr (Kind == kind::tanh) {
    real_t const c = (1 - a) * (1 + a);
    return plain(order == 1 ? c : -2 * a * c);
  } else if constexpr (Kind == kind::sigmoid) {
    return order == 1 ? plain(a * (1 - a)) : answer{a * (1 - a) * (1 - 2 * a), a * (1 - a)};
  } else if constexpr (Kind == kind::softplus) {
    return plain(order == 1 ? -std::expm1(-a) : -std::expm1(-a) * std::exp(-a));
  } else {
    return expected<Kind>(order, a);  // piecewise linear ones: the sign is what matters
  }
}

template <class T, kind Kind>
void check(double value_ulps, double derivative_ulps) {
  INFO("kind " << static_cast<int>(Kind) << " bytes " << sizeof(T));
  using namespace kappa::kernels;
  auto const s = inputs<T>();
  std::size_t const n = s.size();
  std::vector<T> a(n), first(n), second(n), g(n);
  for (std::size_t i = 0; i < n; ++i) g[i] = T(i % 2 ? -1.5 : 0.75);
  activate<T, Kind, 3, 20>(s.data(), a.data(), n);
  auto const& v = kappa::derivative_from_output(Kind) ? a : s;
  derivative_times<T, Kind, 3, 20>(v.data(), g.data(), first.data(), n);
  second_derivative<T, Kind, 3, 20>(v.data(), second.data(), n);

  worst<T, Kind> value, d1, d2, planted;
  for (std::size_t i = 0; i < n; ++i) {
    value.see(a[i], expected<Kind>(0, s[i]), s[i]);
    auto const reference = [&](int order) {
      return kappa::derivative_from_output(Kind) ? from_output<Kind>(order, v[i]) : expected<Kind>(order, v[i]);
    };
    auto e = reference(1);
    d1.see(first[i], {e.value * static_cast<real_t>(g[i]), e.size * std::abs(static_cast<real_t>(g[i]))}, s[i]);
    d2.see(second[i], reference(2), s[i]);
    planted.see(
        a[i],
        {expected<Kind>(0, s[i]).value * (1 + 32 * std::numeric_limits<T>::epsilon()), expected<Kind>(0, s[i]).size},
        s[i]);
  }
  CHECK(value.ulps < value_ulps);
  CHECK(d1.ulps < derivative_ulps);
  CHECK(d2.ulps < derivative_ulps);
  CHECK_FALSE(planted.ulps < value_ulps);  // planted fault: 32 units in the last place

  // Every length and position gives the same, in place too, and nothing past the end is touched.
  for (std::size_t length = 0; length < 40; ++length) {
    std::vector<T> part(s.begin() + 100, s.begin() + 140), out(g.begin(), g.begin() + 40);
    std::vector<T> const tail(part.begin() + static_cast<std::ptrdiff_t>(length), part.end());
    activate<T, Kind, 3, 20>(part.data(), part.data(), length);
    REQUIRE(std::equal(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(length), a.begin() + 100));
    REQUIRE(std::equal(tail.begin(), tail.end(), part.begin() + static_cast<std::ptrdiff_t>(length)));
    std::copy(g.begin() + 100, g.begin() + 140, out.begin());
    derivative_times<T, Kind, 3, 20>(v.data() + 100, out.data(), out.data(), length);
    REQUIRE(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(length), first.begin() + 100));
  }

  // Limits at infinity, signed zeros, NaN.
  T const inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> special{inf, -inf, T(0), T(-0.0), nan}, y(5);
  activate<T, Kind, 3, 20>(special.data(), y.data(), 5);
  bool const bounded_above = Kind == kind::tanh || Kind == kind::sigmoid;
  REQUIRE(y[0] == (bounded_above ? T(1) : inf));
  bool const to_minus_infinity = Kind == kind::identity || Kind == kind::leaky_relu;
  REQUIRE(y[1] == (to_minus_infinity ? -inf : Kind == kind::tanh ? T(-1) : T(0)));
  REQUIRE(y[2] == static_cast<T>(expected<Kind>(0, 0).value));
  REQUIRE(y[3] == y[2]);
  if (y[2] == 0) REQUIRE(std::signbit(y[3]));
  REQUIRE(std::isnan(y[4]));
  if (kappa::derivative_from_output(Kind)) return;
  std::vector<T> ones(5, T(1)), d(5), dd(5);
  derivative_times<T, Kind>(special.data(), ones.data(), d.data(), 5);
  second_derivative<T, Kind>(special.data(), dd.data(), 5);
  REQUIRE(d[0] == T(1));
  REQUIRE(d[1] == T(0));
  REQUIRE(dd[0] == T(0));
  REQUIRE(dd[1] == T(0));
  REQUIRE(std::isnan(d[4]));
  REQUIRE(std::isnan(dd[4]));
}

template <kind Kind>
void check_both(double value_ulps, double derivative_ulps) {
  check<float, Kind>(value_ulps, derivative_ulps);
  check<double, Kind>(value_ulps, derivative_ulps);
}

TEST_CASE("piecewise linear activations") {
  check_both<kind::identity>(0.6, 0.6);
  check_both<kind::relu>(0.6, 0.6);
  check_both<kind::leaky_relu>(1.6, 1.6);
}
TEST_CASE("tanh") { check_both<kind::tanh>(4, 4); }
TEST_CASE("sigmoid") { check_both<kind::sigmoid>(4, 4); }
TEST_CASE("softplus") { check_both<kind::softplus>(4, 6); }
TEST_CASE("gelu") { check_both<kind::gelu>(6, 8); }
TEST_CASE("silu") { check_both<kind::silu>(5, 8); }

}  // namespace
