#pragma once

#include <cmath>
#include <limits>

#include <kappa/methods/optimiser.hpp>

namespace kappa::inline KAPPA_ARCH {

struct levenberg_marquardt_options {
  double factor = 0.95;  ///< ω in (0, 1), per step: 19/20 of Martens and Grosse
  int period = 5;        ///< T₁, steps from one adaptation to the next
  double lowest = 1e-8;  ///< bounds on λ
  double highest = std::numeric_limits<double>::infinity();
};

/// How well a quadratic model foretold a step: (L(θ + δ) - L(θ)) / (q(δ) - q(0)). A loss that is not finite counts as
/// -∞. \throws invalid_value when the model does not foretell a decrease.
inline double reduction_ratio(double actual_change, double predicted_change) {
  if (!(predicted_change < 0))
    throw invalid_value("a model's predicted change of " + detail::number(predicted_change) +
                        ": a negative number was expected");
  return std::isfinite(actual_change) ? actual_change / predicted_change : -std::numeric_limits<double>::infinity();
}

/// The damping after T₁ steps with reduction ratio ρ: ω^T₁ λ when ρ > 3/4, λ / ω^T₁ when ρ < 1/4, else unchanged;
/// within the bounds (Martens and Grosse 2015, section 6.5). Not reliable where the loss of a batch is very noisy.
/// \throws invalid_value naming the option, when ω is not in (0, 1), the period not positive, or λ not in the bounds'
/// order.
inline double adapted_damping(double damping, double ratio, levenberg_marquardt_options const& o = {}) {
  if (!(o.factor > 0 && o.factor < 1))
    throw invalid_value("Levenberg-Marquardt: the factor is " + detail::number(o.factor) +
                        ", a number between 0 and 1 was expected");
  if (o.period < 1)
    throw invalid_value("Levenberg-Marquardt: the period is " + std::to_string(o.period) +
                        ", a positive number was expected");
  if (!(o.lowest >= 0 && o.lowest <= o.highest))
    throw invalid_value("Levenberg-Marquardt: the bounds are " + detail::number(o.lowest) + " and " +
                        detail::number(o.highest) + ", two ordered numbers of at least 0 were expected");
  detail::require_within("Levenberg-Marquardt: the damping", damping, 0, INFINITY);
  double const change = std::pow(o.factor, o.period);
  if (ratio > 0.75) damping *= change;
  if (ratio < 0.25) damping /= change;
  return damping < o.lowest ? o.lowest : damping > o.highest ? o.highest : damping;
}

}  // namespace kappa::inline KAPPA_ARCH
