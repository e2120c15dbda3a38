#pragma once
/// \file
/// What an optimiser is, and what all of them share.

#include <cmath>
#include <concepts>
#include <span>
#include <string>

#include <kappa/algebra/operator.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/tensor/batch.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {

/// What one step reports.
struct step_statistics {
  double loss = 0;           ///< L on the batch, before the step
  double gradient_norm = 0;  ///< ‖∇L‖ on the batch, before the step
  double clip = 1;           ///< the factor by which a clip shortened the update
};

/// An optimiser of one objective. `step` derives on the batch what it needs, in a workspace of its own, and changes
/// theta [P]. It throws what `derive` throws, and not_converged when the loss or the gradient is not finite; theta is
/// then unchanged.
template <class O>
concept optimiser = objective_type<typename O::objective> && real<typename O::value_type> &&
    requires(O& o, std::span<typename O::value_type> theta, batch<typename O::value_type> const& b) {
  { o.step(theta, b) } -> std::same_as<step_statistics>;
};

namespace detail {

/// Throws unless low <= value < high; NaN is outside.
inline void require_within(char const* what, double value, double low, double high) {
  if (!(value >= low && value < high))
    throw invalid_value(std::string(what) + " is " + number(value) + ", a value in [" + number(low) + ", " +
                        number(high) + ") was expected");
}
inline void require_positive(char const* what, double value) {
  if (!(value > 0 && std::isfinite(value)))
    throw invalid_value(std::string(what) + " is " + number(value) + ", a positive number was expected");
}

/// The loss and gradient of a derivation; throws not_converged when they are not finite.
template <class Derivation>
step_statistics statistics_of(Derivation const& q, std::size_t step) {
  auto const g = q[gradient];
  step_statistics s{q[loss_value], std::sqrt(dot(g, g)), 1};
  if (!std::isfinite(s.loss) || !std::isfinite(s.gradient_norm))
    throw not_converged("training diverged: at step " + std::to_string(step) + " the loss is " + number(s.loss) +
                        " and the gradient's norm " + number(s.gradient_norm) + "; a smaller learning rate would help");
  return s;
}

/// θ ← (1 - lr γ) θ - lr d, where d(i) is called once for each i.
template <real T, class Direction>
void descend(std::span<T> theta, double learning_rate, double weight_decay, Direction direction) {
  T const keep = static_cast<T>(1 - learning_rate * weight_decay);
  T const rate = static_cast<T>(learning_rate);
  parallel_ranges(theta.size(), std::size_t{1} << 15, 16, [=](std::size_t i, std::size_t end) {
    for (; i < end; ++i) theta[i] = keep * theta[i] - rate * direction(i);
  });
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
