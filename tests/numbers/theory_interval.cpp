// Intervals, enclosures of spectra, and the small Gauss-Newton matrix in intervals: they hold the exact values.
#include <catch2/catch.hpp>

#include <cfenv>
#include <cmath>
#include <limits>
#include <vector>

#include "theory_networks.hpp"
#include "worst.hpp"

#include <kappa/testing/random_instance.hpp>
#include <kappa/theory.hpp>
#include <kappa/theory/enclosed_gauss_newton.hpp>

using namespace kappa;
using testing::weights;
using theory::interval;
using theory::detail::above;
using theory::detail::below;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Doubles of every exponent, both signs, subnormals, and neighbours of powers of two.
double any_double(counter_random& random) {
  double const exponent = std::floor(2090 * random.uniform()) - 1070;
  double const mantissa = random.below(3) == 0 ? 1 + (random.uniform() - 0.5) * 1e-15 : 1 + random.uniform();
  return (random.below(2) == 0 ? 1 : -1) * std::ldexp(mantissa, static_cast<int>(std::min(exponent, 1020.0)));
}

bool holds(interval const& i, long double x) {
  return static_cast<long double>(i.lower()) <= x && x <= static_cast<long double>(i.upper());
}

/// All eigenvalues of a symmetric matrix, descending, by Jacobi's rotations in long double.
std::vector<long double> jacobi(std::vector<long double> a, std::size_t n) {
  for (int sweep = 0; sweep < 60; ++sweep)
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) {
        if (a[p * n + q] == 0) continue;
        long double const theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
        long double const t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        long double const c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (std::size_t i = 0; i < n; ++i) {
          long double const x = a[i * n + p], y = a[i * n + q];
          a[i * n + p] = c * x - s * y, a[i * n + q] = s * x + c * y;
        }
        for (std::size_t i = 0; i < n; ++i) {
          long double const x = a[p * n + i], y = a[q * n + i];
          a[p * n + i] = c * x - s * y, a[q * n + i] = s * x + c * y;
        }
      }
  std::vector<long double> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = a[i * n + i];
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

}  // namespace

TEST_CASE("One step outward passes the neighbouring double, and at most two of them") {
  counter_random random(1);
  for (int i = 0; i < 200000; ++i) {
    double const x = any_double(random);
    double const next = std::nextafter(x, infinity), second = std::nextafter(next, infinity);
    double const third = std::nextafter(second, infinity);
    if (!(above(x) >= next && above(x) <= third && below(-x) == -above(x))) FAIL("x = " << x);
  }
  constexpr double smallest = std::numeric_limits<double>::denorm_min(), largest = std::numeric_limits<double>::max();
  CHECK(above(0.0) == smallest);
  CHECK(below(0.0) == -smallest);
  CHECK(below(smallest) <= 0);
  CHECK(above(largest) == infinity);
  CHECK(below(infinity) == largest);
  CHECK(above(-infinity) == -largest);
  CHECK(below(-infinity) == -infinity);
  STATIC_REQUIRE(above(1.0) > 1.0);
}

TEST_CASE("Operations hold the exact result, in long double") {
  counter_random random(2);
  auto const moderate = [&] {
    return std::ldexp(random.uniform() + 0.5, static_cast<int>(random.below(80)) - 40) *
           (random.below(2) == 0 ? 1 : -1);
  };
  int rounded = 0;
  for (int i = 0; i < 100000; ++i) {
    double const x = moderate(), y = moderate();
    long double const a = x, b = y;
    if (!holds(interval(x) + y, a + b) || !holds(interval(x) - y, a - b) || !holds(interval(x) * y, a * b) ||
        !holds(interval(x) / y, a / b) || !holds(boost::numeric::sqrt(interval(std::abs(x))), std::sqrt(std::abs(a))))
      FAIL("x = " << x << ", y = " << y);
    rounded += static_cast<long double>(x * y) != a * b;  // what a plain double does not hold
  }
  CHECK(rounded > 90000);
  // A sum of a hundred thousand tenths: a double drifts out, the interval holds 10,000.
  interval total = 0;
  double plain = 0;
  for (int i = 0; i < 100000; ++i) total += interval(1) / 10.0, plain += 0.1;
  CHECK(total.lower() <= 10000);
  CHECK(total.upper() >= 10000);
  CHECK(plain != 10000);
  CHECK(boost::numeric::width(interval(0.1) + interval(0) * 5.0 - 0.1) == 0);  // zeros stay zeros
  CHECK(std::fegetround() == FE_TONEAREST);  // nothing switched the processor's rounding
}

TEST_CASE("Quotients are infinite where the denominator may be zero") {
  using calculate = theory::arithmetic<interval>;
  CHECK(calculate::quotient(1, 0).lower() == infinity);
  CHECK(calculate::quotient(1, interval(0, 0.5)).lower() <= 2);
  CHECK(calculate::quotient(1, interval(0, 0.5)).lower() > 1.9999999);
  CHECK(calculate::quotient(1, interval(0, 0.5)).upper() == infinity);
  CHECK(!calculate::positive(interval(0, 1)));
  CHECK(calculate::least({1, 4}, {2, 3}).upper() == 3);
}

TEST_CASE("Enclosed spectra hold the eigenvalues, and are tight") {
  double widest = 0;
  for (std::size_t n : {1u, 2u, 7u, 15u})
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      counter_random random(seed, n);
      auto factor = zeros<double>(n + seed % 3, n);
      for (double& x : elements(factor)) x = random.normal();
      auto const gram = theory::multiply(true, false, {factor, 0}, {factor, 0});
      // The exact Gram matrix, to long double's 64 bits.
      std::vector<long double> exact(n * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)
          for (std::size_t r = 0; r < factor.shape(0); ++r)
            exact[i * n + j] += static_cast<long double>(factor(r, i)) * static_cast<long double>(factor(r, j));
      auto const values = jacobi(exact, n);
      auto const enclosed = theory::enclose_spectrum(gram);
      for (std::size_t i = 0; i < n; ++i) {
        CHECK(holds(enclosed[i], values[i]));
        widest = worst_of(widest, boost::numeric::width(enclosed[i]) / enclosed[0].upper());
      }
      // With the radius forgotten and half the matrix lost, the enclosure misses.
      auto halved = gram;
      for (double& x : elements(halved.mid)) x /= 2;
      CHECK(!holds(theory::enclose_spectrum(halved)[0], values[0]));
    }
  CHECK(widest < 1e-11);
  CHECK(widest > 1e-17);
}

TEST_CASE("The small matrix in intervals holds what double precision says, up to its rounding") {
  int decided = 0, instances = 0;
  double widest = 0;
  linear::for_each<linear::all>([&]<class Net>(std::type_identity<Net>) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      auto const d = testing::draw<Net>({.seed = seed,
                                         .samples = seed % 4 == 0 ? 3 : 12,
                                         .law = seed % 2 == 0 ? weights::gaussian : weights::orthogonal,
                                         .data_condition = 100});
      theory::linear_gauss_newton<Net> const g(d.theta, theory::covariance_of(d.inputs));
      theory::enclosed_gauss_newton const in(g);
      auto const near = [](interval const& i, double x) {
        double const slack = 1e-10 * std::abs(x) + 1e-13;
        return i.lower() - slack <= x && x <= i.upper() + slack;
      };
      ++instances;
      CHECK(in.rank() == g.rank());
      CHECK(near(in.data_condition(), g.data_condition()));
      CHECK(near(in.trace(), g.trace()));
      CHECK(near(in.squared_trace(), g.squared_trace()));
      for (std::size_t l = 0; l < g.depth(); ++l) {
        CHECK(near(in.left_spectrum(l).largest, g.left_spectrum(l).largest));
        CHECK(near(in.right_spectrum(l).smallest, g.right_spectrum(l).smallest));
        CHECK(near(in.weighted_right_spectrum(l).largest, g.weighted_right_spectrum(l).largest));
        CHECK(near(in.layer_spectrum(l).smallest, g.layer_spectrum(l).smallest));
      }
      if (!in.decided()) continue;
      ++decided;
      auto const condition = in.condition_number();
      double const plain = g.condition_number();
      CHECK(condition.lower() <= plain * (1 + 1e-9 * plain));
      CHECK(condition.upper() >= plain * (1 - 1e-9 * plain));
      if (plain < 1e4) widest = worst_of(widest, boost::numeric::width(condition) / plain);
    }
  });
  CHECK(instances == 112);
  CHECK(decided >= 100);
  CHECK(widest < 1e-5);
}

TEST_CASE("Enclosures tell networks apart that differ in the sixth digit of one weight") {
  using net = linear::deep;
  int apart = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    auto d = testing::draw<net>({.seed = seed, .samples = 12, .law = weights::gaussian, .data_condition = 10});
    auto const data = theory::covariance_of(d.inputs);
    auto const enclosed = [&] {
      return theory::enclosed_gauss_newton(theory::linear_gauss_newton<net>(d.theta, data)).condition_number();
    };
    auto const before = enclosed();
    d.theta(3) *= 1 + 1e-6;
    auto const after = enclosed();
    apart += !boost::numeric::overlap(before, after);
    d.theta(3) /= 1 + 1e-6;  // back up to rounding: not the same numbers, and enclosures that meet
    CHECK(boost::numeric::overlap(before, enclosed()));
  }
  CHECK(apart >= 8);
}
