#pragma once
/// \file
/// What a few draws of a quantity say: order statistics, means, the error of a mean.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace conditioning_figures {

/// The quantile 0 <= share <= 1, by linear interpolation between the order statistics; infinite draws count as the
/// largest. NaN without draws.
inline double quantile(std::vector<double> draws, double share) {
  if (draws.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(draws.begin(), draws.end());
  double const place = share * static_cast<double>(draws.size() - 1);
  auto const below = static_cast<std::size_t>(place);
  auto const rest = place - static_cast<double>(below);
  if (rest == 0 || below + 1 == draws.size()) return draws[below];
  return draws[below] + rest * (draws[below + 1] - draws[below]);
}

inline double median(std::vector<double> const& draws) { return quantile(draws, 0.5); }

/// Mean and deviation (over n - 1) of draws; the deviation of one draw is NaN.
struct moments {
  double mean = 0, deviation = 0;
  std::size_t count = 0;

  double standard_error() const { return deviation / std::sqrt(static_cast<double>(count)); }
};

inline moments moments_of(std::vector<double> const& draws) {
  moments m{0, 0, draws.size()};
  auto const n = static_cast<double>(draws.size());
  for (double x : draws) m.mean += x / n;
  for (double x : draws) m.deviation += (x - m.mean) * (x - m.mean);
  m.deviation = draws.size() > 1 ? std::sqrt(m.deviation / (n - 1)) : std::numeric_limits<double>::quiet_NaN();
  return m;
}

/// Draws in groups of one size that share something random (here: the data): the mean, and the deviations within the
/// groups and between them, so that a mean of other sizes can be said how uncertain it is.
struct grouped_moments {
  double mean = 0;
  double within = 0;   ///< deviation of a draw in its group
  double between = 0;  ///< deviation of what a group shares
  std::size_t groups = 0, group_size = 0;

  /// The standard error of a mean over `count` groups of `size` draws.
  double standard_error(std::size_t count, std::size_t size) const {
    auto const c = static_cast<double>(count), s = static_cast<double>(size);
    return std::sqrt((between * between + within * within / s) / c);
  }
  double standard_error() const { return standard_error(groups, group_size); }
};

/// From each group's mean and mean square. \pre at least two groups of at least two.
inline grouped_moments grouped_moments_of(std::vector<double> const& means, std::vector<double> const& mean_squares,
                                          std::size_t group_size) {
  auto const s = static_cast<double>(group_size), n = static_cast<double>(means.size());
  auto const of_means = moments_of(means);
  double variance = 0;
  for (std::size_t i = 0; i < means.size(); ++i) variance += (mean_squares[i] - means[i] * means[i]) * s / (s - 1) / n;
  double const shared = of_means.deviation * of_means.deviation - variance / s;
  return {of_means.mean, std::sqrt(std::max(0.0, variance)), std::sqrt(std::max(0.0, shared)), means.size(),
          group_size};
}

/// The slope of the straight line of least squares. \pre as many x as y, not all x equal.
inline double slope_of(std::vector<double> const& x, std::vector<double> const& y) {
  double const mean_x = moments_of(x).mean, mean_y = moments_of(y).mean;
  double over = 0, under = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    over += (x[i] - mean_x) * (y[i] - mean_y);
    under += (x[i] - mean_x) * (x[i] - mean_x);
  }
  return over / under;
}

}  // namespace conditioning_figures
