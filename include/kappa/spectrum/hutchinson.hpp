#pragma once
/// \file
/// Hutchinson's estimators of the trace and the diagonal, with Rademacher probes.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <kappa/algebra/operations.hpp>
#include <kappa/spectrum/estimate.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {

/// Settings: hutchinson_trace(op, hutchinson{.samples = 50, .seed = 1}). Probe i depends on (seed, i) only.
struct hutchinson {
  std::size_t samples = 100;
  std::uint64_t seed = 0;
};

namespace detail {
// Calls f(z, A z) for each probe, z of independent signs.
template <linear_operator Op, class F>
void for_each_probe(Op const& op, hutchinson const& method, F&& f) {
  using T = value_t<Op>;
  if (method.samples == 0) throw invalid_value("hutchinson: at least one sample is needed, came 0");
  auto const n = static_cast<std::size_t>(op.size());
  std::vector<T> z(n), image(n);
  for (std::size_t i = 0; i < method.samples; ++i) {
    counter_random random(method.seed, i);
    for (auto& x : z) x = random.bits() >> 63 ? T(1) : T(-1);
    op.apply(std::span<T const>(z), std::span<T>(image));
    f(z, image);
  }
}
}  // namespace detail

/// tr A as the mean of zᵀA z (Hutchinson 1989), one product a sample. The variance of one sample is
/// 2 (‖A‖_F² - Σ aᵢᵢ²): exact for a diagonal operator. Unbiased for any square operator.
/// \throws invalid_value for zero samples.
template <linear_operator Op>
estimate hutchinson_trace(Op const& op, hutchinson const& method = {}) {
  using T = value_t<Op>;
  std::vector<double> samples;
  detail::for_each_probe(op, method,
                         [&](auto const& z, auto const& image) { samples.push_back(detail::dot<T>(z, image)); });
  return detail::mean_of(samples);
}

/// A diagonal with the standard error of each entry.
struct diagonal_estimate {
  vector<double> values, standard_errors;
};

/// diag A as the mean of z ∘ A z (Bekas, Kokiopoulou and Saad 2007); one sample of entry i has the variance
/// Σ_{j ≠ i} aᵢⱼ². \throws invalid_value for zero samples.
template <linear_operator Op>
diagonal_estimate hutchinson_diagonal(Op const& op, hutchinson const& method = {}) {
  auto const n = static_cast<std::size_t>(op.size());
  diagonal_estimate d{zeros<double>(n), zeros<double>(n)};
  double count = 0;
  detail::for_each_probe(op, method, [&](auto const& z, auto const& image) {
    count += 1;  // Welford's update
    for (std::size_t i = 0; i < n; ++i) {
      auto const x = static_cast<double>(z[i]) * static_cast<double>(image[i]), away = x - d.values(i);
      d.values(i) += away / count;
      d.standard_errors(i) += away * (x - d.values(i));
    }
  });
  for (auto& x : d.standard_errors) x = std::sqrt(x / (count - 1) / count);
  return d;
}

}  // namespace kappa::inline KAPPA_ARCH
