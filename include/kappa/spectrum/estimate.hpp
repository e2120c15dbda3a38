#pragma once
/// \file
/// A stochastic quantity: its value and how far to trust it.

#include <cmath>
#include <span>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The mean of independent samples and the standard error of that mean (NaN for fewer than two samples).
struct estimate {
  double value = 0, standard_error = 0;
};

namespace detail {
inline estimate mean_of(std::span<double const> samples) {
  auto const count = static_cast<double>(samples.size());
  double mean = 0, squares = 0;
  for (auto x : samples) mean += x / count;
  for (auto x : samples) squares += (x - mean) * (x - mean);
  return {mean, std::sqrt(squares / (count - 1) / count)};
}
}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
