#pragma once

#include <cmath>

#include <kappa/algebra/operations.hpp>

namespace kappa::inline KAPPA_ARCH {

/// `factor` times the mean eigenvalue of an operator, tr(A) / n: a damping that keeps its meaning when the loss, the
/// batch or the reduction changes scale (Grosse et al. 2023 take factor 0.1, layer by layer).
/// \throws invalid_value when `factor` is negative or not finite.
template <linear_operator Op>
double relative_damping(Op const& op, double factor = 0.1) {
  if (!(factor >= 0 && std::isfinite(factor)))
    throw invalid_value("a relative damping of " + detail::number(factor) + ": a number of at least 0 was expected");
  return factor * trace(op) / static_cast<double>(op.size());
}

}  // namespace kappa::inline KAPPA_ARCH
