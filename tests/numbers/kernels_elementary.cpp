// tanh, sigmoid and gelu within the error that is claimed for them: against the standard library in long double, over
// all of the type's range.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare/act.hpp>
#include <kappa/kernels/pointwise.hpp>

#include "worst.hpp"

namespace {

using kind = kappa::activation_kind;
using extended = long double;

struct tanh_of {
  static extended exact(extended s) { return std::tanh(s); }
};
struct sigmoid_of {
  static extended exact(extended s) { return s < 0 ? std::exp(s) / (1 + std::exp(s)) : 1 / (1 + std::exp(-s)); }
};
struct gelu_of {
  static extended exact(extended s) { return s * std::erfc(-s / std::sqrt(extended(2))) / 2; }
};

// Every binade evenly, from the smallest denormal number to the largest number, both signs, and where functions bend
// more densely; for double the same at random.
template <class T>
std::vector<T> inputs() {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::vector<T> x;
  auto const both = [&](T v) {
    x.push_back(v);
    x.push_back(-v);
  };
  bits const last = std::bit_cast<bits>(std::numeric_limits<T>::max());
  bits const from = std::bit_cast<bits>(T(1) / 1024), to = std::bit_cast<bits>(T(128));
  std::mt19937_64 engine(1);
  std::uniform_int_distribution<bits> anywhere(0, last), bending(from, to);
  for (int i = 0; i < 100000; ++i) both(std::bit_cast<T>(anywhere(engine)));
  for (int i = 0; i < 200000; ++i) both(std::bit_cast<T>(bending(engine)));
  std::uniform_real_distribution<double> even(0, sizeof(T) == 4 ? 16 : 40), small(0, 2);
  for (int i = 0; i < 100000; ++i) both(static_cast<T>(even(engine)));
  for (int i = 0; i < 100000; ++i) both(static_cast<T>(small(engine)));
  for (bits b = 0; b < 1000; ++b) both(std::bit_cast<T>(b)), both(std::bit_cast<T>(last - b));
  return x;
}

// The largest error over all inputs, relative and in epsilons; results below the smallest normal number count in the
// unit of that number.
template <class T, class Function>
struct errors {
  double relative = 0, absolute = 0;
  bool odd = true;
  std::size_t overshoots = 0;  // of one in magnitude
};
template <class T, class Function, class F>
errors<T, Function> measure(F&& f) {
  static std::vector<T> const x = inputs<T>();
  std::vector<T> y(x.size());
  f(x.data(), y.data(), x.size());
  errors<T, Function> e;
  for (std::size_t i = 0; i < x.size(); ++i) {
    extended const exact = Function::exact(static_cast<extended>(x[i]));
    extended const off = std::abs(static_cast<extended>(y[i]) - exact);
    extended const unit = std::max<extended>(std::abs(exact), std::numeric_limits<T>::min());
    auto const relative = static_cast<double>(off / unit / std::numeric_limits<T>::epsilon());
    e.relative = worst_of(e.relative, relative);
    e.absolute = worst_of(e.absolute, static_cast<double>(off));
    if (i % 2 == 1) e.odd = e.odd && y[i] == -y[i - 1];
    if (std::abs(y[i]) > 1) ++e.overshoots;
  }
  return e;
}

template <class T, kind Kind>
auto of = [](T const* x, T* y, std::size_t n) { kappa::kernels::activate<T, Kind>(x, y, n); };

template <class T, kind Kind, class Function>
void special(T at_minus_infinity, T at_infinity) {
  constexpr T inf = std::numeric_limits<T>::infinity();
  std::vector<T> x{inf, -inf, T(0), -T(0), std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min()};
  std::vector<T> y(x.size());
  kappa::kernels::activate<T, Kind>(x.data(), y.data(), x.size());
  CHECK(y[0] == at_infinity);
  CHECK(y[1] == at_minus_infinity);
  CHECK(y[2] == static_cast<T>(Function::exact(0)));
  CHECK(y[3] == y[2]);
  if (y[2] == 0) {
    CHECK_FALSE(std::signbit(y[2]));
    CHECK(std::signbit(y[3]));
  }
  CHECK(std::isnan(y[4]));
}

// A function that is off by two units more than the bound allows must be found out.
template <class T, kind Kind>
auto planted = [](T const* x, T* y, std::size_t n) {
  kappa::kernels::activate<T, Kind>(x, y, n);
  for (std::size_t i = 0; i < n; ++i) y[i] *= 1 + 4 * std::numeric_limits<T>::epsilon();
};

}  // namespace

TEMPLATE_TEST_CASE("tanh, to 2 epsilon", "", float, double) {
  using T = TestType;
  auto const e = measure<T, tanh_of>(of<T, kind::tanh>);
  CAPTURE(e.relative);
  CHECK(e.relative <= (sizeof(T) == 4 ? 1.9 : 2));
  CHECK(e.odd);
  CHECK(e.overshoots == 0);
  CHECK_FALSE(measure<T, tanh_of>(planted<T, kind::tanh>).relative <= 2);
  special<T, kind::tanh, tanh_of>(-1, 1);
}

TEMPLATE_TEST_CASE("sigmoid, to 2 epsilon", "", float, double) {
  using T = TestType;
  auto const e = measure<T, sigmoid_of>(of<T, kind::sigmoid>);
  CAPTURE(e.relative);
  CHECK(e.relative <= 2);
  CHECK(e.overshoots == 0);
  CHECK_FALSE(measure<T, sigmoid_of>(planted<T, kind::sigmoid>).relative <= 2);
  special<T, kind::sigmoid, sigmoid_of>(0, 1);
}

TEMPLATE_TEST_CASE("gelu, to 2 epsilon", "", float, double) {
  using T = TestType;
  auto const e = measure<T, gelu_of>(of<T, kind::gelu>);
  CAPTURE(e.relative);
  CHECK(e.relative <= 2);
  CHECK_FALSE(measure<T, gelu_of>(planted<T, kind::gelu>).relative <= 2);
  special<T, kind::gelu, gelu_of>(0, std::numeric_limits<T>::infinity());
}

// ---- the faster ones ------------------------------------------------------------------------------------------------

TEMPLATE_TEST_CASE("fast_tanh, to 3 epsilon in float and 2.2e-8 in double", "", float, double) {
  using T = TestType;
  double const bound = sizeof(T) == 4 ? 3 * 0x1p-23 : 2.2e-8, epsilon = std::numeric_limits<T>::epsilon();
  auto const e = measure<T, tanh_of>(of<T, kind::fast_tanh>);
  CAPTURE(e.relative * epsilon);
  CHECK(e.relative * epsilon <= bound);
  CHECK(e.odd);
  CHECK_FALSE(measure<T, tanh_of>([](T const* x, T* y, std::size_t n) {
                kappa::kernels::activate<T, kind::fast_tanh>(x, y, n);
                for (std::size_t i = 0; i < n; ++i) y[i] *= sizeof(T) == 4 ? T(1 + 4 * 0x1p-23) : T(1 + 1e-8);
              }).relative *
                  epsilon <=
              bound);
}

TEMPLATE_TEST_CASE("fast_sigmoid, absolutely", "", float, double) {
  using T = TestType;
  double const bound = sizeof(T) == 4 ? 2e-7 : 1.1e-8;
  auto const e = measure<T, sigmoid_of>(of<T, kind::fast_sigmoid>);
  CAPTURE(e.absolute);
  CHECK(e.absolute <= bound);
  CHECK_FALSE(e.relative * std::numeric_limits<T>::epsilon() <= bound);  // the claim is absolute, and has to be
}

TEMPLATE_TEST_CASE("fast_gelu is near gelu, and has derivatives of its own", "", float, double) {
  using T = TestType;
  using formula = kappa::activations::fast_gelu;
  std::vector<T> s, value, first, second, ones;
  for (int i = -20000; i <= 20000; ++i) s.push_back(static_cast<T>(i) * T(0.0007));
  value = first = second = s;
  ones.assign(s.size(), T(1));
  kappa::kernels::activate<T, kind::fast_gelu>(s.data(), value.data(), s.size());
  kappa::kernels::derivative_times<T, kind::fast_gelu>(s.data(), ones.data(), first.data(), s.size());
  kappa::kernels::second_derivative<T, kind::fast_gelu>(s.data(), second.data(), s.size());
  extended from_gelu = 0, off[3] = {}, to_gelu_slope = 0;
  auto const see = [](extended& worst, extended error) { worst = worst_of(worst, std::abs(error)); };
  for (std::size_t i = 0; i < s.size(); ++i) {
    auto const x = static_cast<extended>(s[i]);
    see(from_gelu, static_cast<extended>(value[i]) - gelu_of::exact(x));
    see(to_gelu_slope, static_cast<extended>(first[i]) - kappa::activations::gelu::first_derivative(x));
    see(off[0], static_cast<extended>(value[i]) - formula::value(x));
    see(off[1], static_cast<extended>(first[i]) - formula::first_derivative(x));
    see(off[2], static_cast<extended>(second[i]) - formula::second_derivative(x));
  }
  double const tight[] = {1e-6, 8e-6, 5e-5};
  CAPTURE(from_gelu, off[0], off[1], off[2]);
  CHECK(from_gelu <= 4.8e-4L);
  CHECK(from_gelu > 4e-4L);
  for (int i = 0; i < 3; ++i) CHECK(off[i] <= tight[i]);
  CHECK_FALSE(to_gelu_slope <= tight[1]);  // gelu's derivative is another function
  std::vector<T> special{std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                         std::numeric_limits<T>::quiet_NaN()};
  kappa::kernels::activate<T, kind::fast_gelu>(special.data(), special.data(), 3);
  CHECK(special[0] == std::numeric_limits<T>::infinity());
  CHECK(std::abs(special[1]) <= T(1e-6));
  CHECK(std::isnan(special[2]));
}

// The formulas of the declared structs are derivatives of each other: differences in long double.
TEST_CASE("fast_gelu's formulas") {
  using formula = kappa::activations::fast_gelu;
  extended const h = 1e-5L;
  for (extended x = -6; x <= 6; x += 0.037L) {
    extended const first = (formula::value(x + h) - formula::value(x - h)) / (2 * h);
    extended const second = (formula::first_derivative(x + h) - formula::first_derivative(x - h)) / (2 * h);
    CHECK(std::abs(first - formula::first_derivative(x)) < 1e-9L);
    CHECK(std::abs(second - formula::second_derivative(x)) < 1e-9L);
    if (std::abs(x) > 0.5L && std::abs(x) < 2) CHECK_FALSE(std::abs(second - formula::first_derivative(x)) < 1e-9L);
  }
}
