#pragma once

#include <kappa/methods/optimiser.hpp>

namespace kappa::inline KAPPA_ARCH {

struct sgd_options {
  double learning_rate = 0.01;
  double momentum = 0;      ///< μ in [0, 1)
  bool nesterov = false;    ///< looks ahead by one momentum step
  double weight_decay = 0;  ///< γ, decoupled: not part of the gradient
};

/// Stochastic gradient descent with momentum (Sutskever et al. 2013), and weight decay beside it (SGDW, Loshchilov
/// and Hutter 2019):
///
///     v ← μ v + g,   θ ← (1 - lr γ) θ - lr v,   or with Nesterov   θ ← (1 - lr γ) θ - lr (g + μ v).
///
/// Steps allocate nothing. Memory: a gradient's workspace and P scalars.
template <objective_type Objective, real T>
class sgd {
 public:
  using objective = Objective;
  using value_type = T;

  /// For batches of up to `capacity` samples. \throws invalid_value naming the option; capacity_exceeded for 0.
  explicit sgd(std::size_t capacity, sgd_options o = {})
      : hyper(checked(o)), work(capacity), velocity(zeros<T>(static_cast<std::size_t>(Objective::parameter_count))) {}

  sgd_options const& options() const { return hyper; }
  /// For schedules: holds from the next step on. \throws invalid_value, and nothing has changed.
  void set_options(sgd_options const& o) { hyper = checked(o); }
  std::size_t steps() const { return taken; }

  step_statistics step(std::span<T> theta, batch<T> const& b) {
    auto const q = derive(work, theta, b, loss_value, gradient);
    auto const s = detail::statistics_of(q, taken + 1);
    T const mu = static_cast<T>(hyper.momentum);
    T const* const g = q[gradient].data();
    T* const v = velocity.data();
    bool const ahead = hyper.nesterov;
    detail::descend(theta, hyper.learning_rate, hyper.weight_decay, [=](std::size_t i) {
      v[i] = mu * v[i] + g[i];
      return ahead ? g[i] + mu * v[i] : v[i];
    });
    ++taken;
    return s;
  }

 private:
  static sgd_options const& checked(sgd_options const& o) {
    detail::require_positive("sgd: the learning rate", o.learning_rate);
    detail::require_within("sgd: the momentum", o.momentum, 0, 1);
    detail::require_within("sgd: the weight decay", o.weight_decay, 0, INFINITY);
    return o;
  }

  sgd_options hyper;
  workspace<Objective, T, loss_value_t, gradient_t> work;
  vector<T> velocity;
  std::size_t taken = 0;
};

}  // namespace kappa::inline KAPPA_ARCH
