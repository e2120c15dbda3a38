#pragma once
/// \file
/// Power iteration: the eigenvalue of largest magnitude with two vectors of memory.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include <kappa/algebra/operations.hpp>
#include <kappa/spectrum/lanczos.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The method and its settings: dominant_eigenpair(op, power_iteration{.seed = 1}).
struct power_iteration {
  /// Stop when ‖A v - λ v‖ ≤ tolerance · |λ|.
  double tolerance = 1e-4;
  std::size_t max_iterations = 10000;
  std::uint64_t seed = 0;
};

/// The eigenvalue of largest magnitude with its unit eigenvector and residual. The error shrinks by |λ₂/λ₁| an
/// iteration, one product each; lanczos needs far fewer.
/// \throws invalid_value for an operator of size 0 or when a product is not finite; not_converged with the residual.
template <linear_operator Op>
eigenpairs<value_t<Op>> dominant_eigenpair(Op const& op, power_iteration const& method = {}) {
  using T = value_t<Op>;
  static_assert(detail::symmetric_v<Op>, "power_iteration takes symmetric operators: a product is not");
  auto const n = static_cast<std::size_t>(op.size());
  if (n == 0) throw invalid_value("power_iteration: the operator has size 0");
  auto v = detail::random_direction<T>(n, method.seed, 0);
  std::vector<T> image(n);
  double relative = 0;
  for (std::size_t i = 0; i < method.max_iterations; ++i) {
    op.apply(std::span<T const>(v), std::span<T>(image));
    auto const value = detail::dot<T>(v, image), length = std::sqrt(detail::dot<T>(image, image));
    if (!std::isfinite(length)) throw invalid_value("power_iteration: a product with the operator is not finite");
    double residual = 0;
    for (std::size_t j = 0; j < n; ++j)
      residual += std::pow(static_cast<double>(image[j]) - value * static_cast<double>(v[j]), 2);
    residual = std::sqrt(residual);
    if (residual <= method.tolerance * std::abs(value)) {
      eigenpairs<T> pair{zeros<T>(1), zeros<T>(1, n), zeros<T>(1)};
      pair.values(0) = static_cast<T>(value);
      pair.residuals(0) = static_cast<T>(residual);
      std::copy(v.begin(), v.end(), pair.vectors.data());
      return pair;
    }
    relative = residual / std::abs(value);
    for (std::size_t j = 0; j < n; ++j) v[j] = static_cast<T>(static_cast<double>(image[j]) / length);
  }
  throw not_converged("power_iteration: after " + std::to_string(method.max_iterations) +
                      " iterations the relative residual is " + detail::number(relative) + ", the tolerance " +
                      detail::number(method.tolerance));
}

}  // namespace kappa::inline KAPPA_ARCH
