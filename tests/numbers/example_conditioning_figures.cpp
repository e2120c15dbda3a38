// The statistics of conditioning_figures: order statistics, errors of means, with and without groups.

#include "../../examples/conditioning_figures/summary.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <kappa/tensor/random.hpp>

using namespace conditioning_figures;

TEST_CASE("Quantiles interpolate order statistics and keep infinity") {
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == 2.5);
  CHECK(quantile({10, 0}, 0.1) == 1);
  CHECK(quantile({5, 7, 6}, 0) == 5);
  CHECK(quantile({5, 7, 6}, 1) == 7);
  double const infinity = std::numeric_limits<double>::infinity();
  CHECK(median({1, 2, infinity}) == 2);
  CHECK(median({1, infinity, infinity}) == infinity);
  CHECK(std::isnan(median({})));
}

TEST_CASE("Moments and slopes") {
  auto const m = moments_of({1, 2, 3, 4});
  CHECK(m.mean == 2.5);
  CHECK(std::abs(m.deviation - std::sqrt(5.0 / 3)) < 1e-14);
  CHECK(std::abs(m.standard_error() - std::sqrt(5.0 / 12)) < 1e-14);
  CHECK(std::isnan(moments_of({1}).deviation));
  CHECK(std::abs(slope_of({1, 2, 4}, {5, 7, 11}) - 2) < 1e-14);
}

TEST_CASE("Deviations within groups and between them are told apart") {
  // Groups of 20 draws, deviation 1 within and 0.5 between, so a mean of 400 groups has the error
  // √((0.25 + 1/20) / 400). Without groups it would come out near √(1.25 / 8000), less than half of it.
  kappa::counter_random random(1, 1);
  std::vector<double> means, squares;
  for (int g = 0; g < 400; ++g) {
    double const shared = 3 + 0.5 * random.normal();
    double sum = 0, square = 0;
    for (int i = 0; i < 20; ++i) {
      double const x = shared + random.normal();
      sum += x / 20, square += x * x / 20;
    }
    means.push_back(sum), squares.push_back(square);
  }
  auto const m = grouped_moments_of(means, squares, 20);
  CHECK(std::abs(m.mean - 3) < 4 * std::sqrt(0.3 / 400));
  CHECK(std::abs(m.within - 1) < 0.03);
  CHECK(std::abs(m.between - 0.5) < 0.08);
  CHECK(std::abs(m.standard_error() / std::sqrt(0.3 / 400) - 1) < 0.15);
  CHECK(m.standard_error() > 1.9 * std::sqrt(1.25 / 8000));
  CHECK(m.standard_error(1, 2000) > 0.4);  // one group: what it shares does not average out
}
