#pragma once

#include <kappa/methods/optimiser.hpp>

namespace kappa::inline KAPPA_ARCH {

struct adam_options {
  double learning_rate = 1e-3;
  double first_decay = 0.9;     ///< β₁ in [0, 1)
  double second_decay = 0.999;  ///< β₂ in [0, 1)
  double epsilon = 1e-8;
  double weight_decay = 0;  ///< γ, decoupled: AdamW
};

/// Adam (Kingma and Ba 2015, Algorithm 1) with the bias corrected and, for γ > 0, AdamW's decay (Loshchilov and
/// Hutter 2019):
///
///     m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) g²,
///     θ ← (1 - lr γ) θ - lr m̂ / (√v̂ + ε)   with   m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ).
///
/// Steps allocate nothing. Memory: a gradient's workspace and 2 P scalars.
template <objective_type Objective, real T>
class adam {
 public:
  using objective = Objective;
  using value_type = T;

  /// For batches of up to `capacity` samples. \throws invalid_value naming the option; capacity_exceeded for 0.
  explicit adam(std::size_t capacity, adam_options o = {})
      : hyper(checked(o)),
        work(capacity),
        first(zeros<T>(static_cast<std::size_t>(Objective::parameter_count))),
        second(first) {}

  adam_options const& options() const { return hyper; }
  /// For schedules: holds from the next step on. \throws invalid_value, and nothing has changed.
  void set_options(adam_options const& o) { hyper = checked(o); }
  std::size_t steps() const { return taken; }

  step_statistics step(std::span<T> theta, batch<T> const& b) {
    auto const q = derive(work, theta, b, loss_value, gradient);
    auto const s = detail::statistics_of(q, taken + 1);
    // 1 - βᵗ, kept as running products so that schedules of β stay unbiased.
    first_left *= hyper.first_decay;
    second_left *= hyper.second_decay;
    T const b1 = static_cast<T>(hyper.first_decay), c1 = static_cast<T>(1 - hyper.first_decay);
    T const b2 = static_cast<T>(hyper.second_decay), c2 = static_cast<T>(1 - hyper.second_decay);
    T const m_scale = static_cast<T>(1 / (1 - first_left)), v_scale = static_cast<T>(1 / (1 - second_left));
    T const epsilon = static_cast<T>(hyper.epsilon);
    T const* const g = q[gradient].data();
    T* const m = first.data();
    T* const v = second.data();
    detail::descend(theta, hyper.learning_rate, hyper.weight_decay, [=](std::size_t i) {
      m[i] = b1 * m[i] + c1 * g[i];
      v[i] = b2 * v[i] + c2 * g[i] * g[i];
      return m_scale * m[i] / (std::sqrt(v_scale * v[i]) + epsilon);
    });
    ++taken;
    return s;
  }

 private:
  static adam_options const& checked(adam_options const& o) {
    detail::require_positive("adam: the learning rate", o.learning_rate);
    detail::require_within("adam: first_decay", o.first_decay, 0, 1);
    detail::require_within("adam: second_decay", o.second_decay, 0, 1);
    detail::require_positive("adam: epsilon", o.epsilon);
    detail::require_within("adam: the weight decay", o.weight_decay, 0, INFINITY);
    return o;
  }

  adam_options hyper;
  workspace<Objective, T, loss_value_t, gradient_t> work;
  vector<T> first, second;
  double first_left = 1, second_left = 1;
  std::size_t taken = 0;
};

}  // namespace kappa::inline KAPPA_ARCH
