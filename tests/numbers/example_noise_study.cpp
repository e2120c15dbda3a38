// The small numbers of the noise study: overlaps of spaces, averages, steps to look at.

#include "../../examples/noise_study/summary.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <kappa/tensor/random.hpp>

using namespace kappa;
using namespace noise_study;

namespace {

// Orthonormal rows by Gram and Schmidt, twice.
matrix<float> random_rows(std::size_t k, std::size_t p, std::uint64_t seed) {
  counter_random random(seed);
  std::vector<std::vector<double>> rows;
  for (std::size_t i = 0; i < k; ++i) {
    std::vector<double> v(p);
    for (double& x : v) x = random.normal();
    for (int pass = 0; pass < 2; ++pass)
      for (auto const& u : rows) {
        double inner = 0;
        for (std::size_t e = 0; e < p; ++e) inner += u[e] * v[e];
        for (std::size_t e = 0; e < p; ++e) v[e] -= inner * u[e];
      }
    double length = 0;
    for (double x : v) length += x * x;
    for (double& x : v) x /= std::sqrt(length);
    rows.push_back(v);
  }
  auto m = zeros<float>(k, p);
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t e = 0; e < p; ++e) m(i, e) = static_cast<float>(rows[i][e]);
  return m;
}

// tr(P_U P_V) / √(tr P_U · tr P_V), with the projectors formed.
double overlap_of_projectors(matrix<float> const& u, matrix<float> const& v) {
  std::size_t const p = u.shape(1);
  auto const projector = [&](matrix<float> const& rows) {
    std::vector<double> m(p * p);
    for (std::size_t k = 0; k < rows.shape(0); ++k)
      for (std::size_t i = 0; i < p; ++i)
        for (std::size_t j = 0; j < p; ++j)
          m[i * p + j] += static_cast<double>(rows(k, i)) * static_cast<double>(rows(k, j));
    return m;
  };
  auto const a = projector(u), b = projector(v);
  double both = 0, first = 0, second = 0;
  for (std::size_t i = 0; i < p; ++i) {
    first += a[i * p + i];
    second += b[i * p + i];
    for (std::size_t j = 0; j < p; ++j) both += a[i * p + j] * b[j * p + i];
  }
  return both / std::sqrt(first * second);
}

}  // namespace

TEST_CASE("the overlap of spaces is that of their projectors") {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    auto const u = random_rows(4, 12, 2 * seed), v = random_rows(3 + seed % 3, 12, 2 * seed + 1);
    double const expected = overlap_of_projectors(u, v);
    CHECK(std::abs(overlap(u, v) - expected) < 1e-6);
    CHECK(std::abs(overlap(u, u) - 1) < 1e-6);
    CHECK(expected < 0.9);  // so that a constant 1 would be seen
    // The basis does not matter: the rows turned among themselves.
    auto turned = u;
    for (std::size_t e = 0; e < 12; ++e) {
      turned(0, e) = 0.6f * u(0, e) + 0.8f * u(1, e);
      turned(1, e) = -0.8f * u(0, e) + 0.6f * u(1, e);
    }
    CHECK(std::abs(overlap(turned, v) - expected) < 1e-6);
    // Rows that are no basis any more give another number.
    for (std::size_t e = 0; e < 12; ++e) turned(1, e) = 0.6f * u(0, e) + 0.8f * u(1, e);
    CHECK(std::abs(overlap(turned, turned) - 1) > 0.1);
  }
  CHECK(overlap(zeros<float>(0, 5), zeros<float>(2, 5)) == 0);
  CHECK_THROWS_AS(overlap(zeros<float>(2, 4), zeros<float>(2, 5)), shape_mismatch);
}

TEST_CASE("random spaces overlap by k/P on average") {
  double total = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    total += overlap(random_rows(3, 24, 1000 + seed), random_rows(3, 24, 5000 + seed)) / 200;
  CHECK(std::abs(total - 3.0 / 24) < 0.01);  // one pair's standard deviation is about 0.05
}

TEST_CASE("averages") {
  auto const s = spread_of({3, 1, 2});
  CHECK(s.mean == 2);
  CHECK(s.low == 1);
  CHECK(s.high == 3);
  CHECK(std::isnan(spread_of({}).mean));
  auto const infinite = std::numeric_limits<double>::infinity();
  CHECK(median_of({5, infinite, 1}) == 5);
  CHECK(median_of({infinite, infinite, 1}) == infinite);
  CHECK(median_of({4, 1, 3, 2}) == 2);
  CHECK(std::isnan(median_of({})));
}

TEST_CASE("steps to look at begin at 0, end at the last, and grow by a constant factor") {
  auto const steps = logarithmic_steps(640, 10);
  REQUIRE(steps.size() == 10);
  CHECK(steps.front() == 0);
  CHECK(steps.back() == 640);
  double const factor = std::pow(641.0, 1.0 / 9);
  for (std::size_t i = 5; i < 10; ++i)
    CHECK(std::abs(static_cast<double>(steps[i] + 1) / static_cast<double>(steps[i - 1] + 1) / factor - 1) < 0.06);
  for (std::size_t last : {1U, 2U, 7U, 100U})
    for (std::size_t count : {2U, 5U, 40U}) {
      auto const some = logarithmic_steps(last, count);
      CHECK(some.front() == 0);
      CHECK(some.back() == last);
      CHECK(some.size() <= count);
      for (std::size_t i = 1; i < some.size(); ++i) CHECK(some[i] > some[i - 1]);
    }
}
