#pragma once
/// \file
/// Small numbers about many numbers: overlaps of spaces, averages, and steps to look at.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>

namespace noise_study {

/// The overlap of two spaces given by orthonormal rows, ‖U Vᵀ‖_F² / √(dim U · dim V): 1 for the same space, 0 for
/// orthogonal ones, and k/P on average for two random spaces of dimension k in P (Gur-Ari, Roberts and Dyer 2018).
/// 0 where a space is empty. \throws shape_mismatch for spaces in different dimensions
inline double overlap(kappa::matrix<float> const& u, kappa::matrix<float> const& v) {
  if (u.shape(1) != v.shape(1))
    throw kappa::shape_mismatch("the overlap of spaces in " + std::to_string(u.shape(1)) + " and " +
                                std::to_string(v.shape(1)) + " dimensions");
  double total = 0;
  for (std::size_t i = 0; i < u.shape(0); ++i)
    for (std::size_t j = 0; j < v.shape(0); ++j) {
      double inner = 0;
      for (std::size_t e = 0; e < u.shape(1); ++e) inner += static_cast<double>(u(i, e)) * static_cast<double>(v(j, e));
      total += inner * inner;
    }
  auto const dimensions = static_cast<double>(u.shape(0)) * static_cast<double>(v.shape(0));
  return dimensions > 0 ? total / std::sqrt(dimensions) : 0;
}

/// Mean and range of some numbers; NaN when there are none.
struct spread {
  double mean, low, high;
};
inline spread spread_of(std::vector<double> const& values) {
  if (values.empty()) return {std::nan(""), std::nan(""), std::nan("")};
  double total = 0;
  for (double v : values) total += v;
  auto const [low, high] = std::ranges::minmax(values);
  return {total / static_cast<double>(values.size()), low, high};
}

/// The median; infinite values count. Of an even number the lower one; NaN when there are none.
inline double median_of(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  auto const middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// About `count` steps from 0 to `last`, both included, evenly spaced in log(step + 1); fewer where they coincide.
inline std::vector<std::size_t> logarithmic_steps(std::size_t last, std::size_t count) {
  std::vector<std::size_t> chosen{0};
  for (std::size_t i = 1; i < count; ++i) {
    double const share = static_cast<double>(i) / static_cast<double>(count - 1);
    auto const step = static_cast<std::size_t>(std::llround(std::pow(static_cast<double>(last) + 1, share))) - 1;
    if (step > chosen.back()) chosen.push_back(step);
  }
  return chosen;
}

}  // namespace noise_study
