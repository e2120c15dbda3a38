#pragma once
/// \file
/// Losses of one loss term: ℓ(f, y), its gradient, and roots of its Hessian. A loss is not a layer: the
/// Gauss-Newton matrix is Jᵀ (∇²ℓ) J, so network and loss must stay apart.

#include <cmath>
#include <concepts>
#include <span>
#include <type_traits>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {

/// What a loss term is compared with: a class index, or a vector of the network's output width.
template <class T>
struct target {
  int label = -1;
  std::span<T const> values{};
};

struct loss_tag {};

namespace detail {
// What `sample` draws from, as far as the concept knows.
struct random_source {
  double uniform();
  double normal();
};
}  // namespace detail

/// A loss ℓ(f, y) on the last axis of the output, convex in f. With C = f.size() and K = root_columns(C):
/// - `value(f, y)`, and `gradient(f, y, g)`: g = ∇ℓ, [C];
/// - `root(f, y, s)`: s is [K, C], and Σ_k s_k s_kᵀ = ∇²ℓ exactly;
/// - optional: `full_root_columns(C)` and `full_root(f, y, s)`, another root with more columns and the same Hessian;
/// - `hessian_times(f, y, v, u)`: u = ∇²ℓ v, [C];
/// - `sample(f, random, g)`: g = -∇ log p(ỹ | f) for a target ỹ the model itself draws, so that E[g gᵀ] = ∇²ℓ, or
///   E[∇²ℓ] where ∇²ℓ depends on the target;
///   `random` has `uniform()` in [0, 1) and `normal()`;
/// - `smallest_output`, `takes_labels`, `takes_vectors`, `name`; `fault_of(y)` says what is wrong with a vector
///   target, or nullptr.
template <class L>
concept loss = std::is_base_of_v<loss_tag, L> && std::is_empty_v<L> &&
    requires(std::span<double const> f, target<double> y, std::span<double> g, detail::random_source& random) {
  { L::value(f, y) } -> std::same_as<double>;
  L::gradient(f, y, g);
  L::root(f, y, g);
  L::hessian_times(f, y, f, g);
  L::template sample<double>(f, random, g);
  { L::root_columns(2) } -> std::same_as<int>;
  { L::smallest_output } -> std::convertible_to<int>;
  { L::takes_labels } -> std::convertible_to<bool>;
  { L::takes_vectors } -> std::convertible_to<bool>;
  { L::name } -> std::convertible_to<char const*>;
  { L::fault_of(f) } -> std::same_as<char const*>;
};

namespace detail {
template <class T>
T log_sum_exp(std::span<T const> f) {
  T top = f[0];
  for (T v : f) top = v > top ? v : top;
  T total = 0;
  for (T v : f) total += std::exp(v - top);
  return top + std::log(total);
}
}  // namespace detail

/// Softmax cross-entropy, -Σ_c y_c log p_c; the target is a class index or a vector of probabilities.
struct cross_entropy_t : loss_tag {
  static constexpr char const* name = "cross_entropy";
  static constexpr int smallest_output = 2;
  static constexpr bool takes_labels = true;
  static constexpr bool takes_vectors = true;

  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    T const normaliser = detail::log_sum_exp(f);
    if (y.values.empty()) return normaliser - f[static_cast<std::size_t>(y.label)];
    T total = 0;
    for (std::size_t c = 0; c < f.size(); ++c) total += y.values[c] * (normaliser - f[c]);
    return total;
  }
  template <class T>
  static void probabilities(std::span<T const> f, std::span<T> p) {
    T const normaliser = detail::log_sum_exp(f);
    for (std::size_t c = 0; c < f.size(); ++c) p[c] = std::exp(f[c] - normaliser);
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    probabilities(f, g);
    if (y.values.empty()) {
      g[static_cast<std::size_t>(y.label)] -= 1;
    } else {
      for (std::size_t c = 0; c < f.size(); ++c) g[c] -= y.values[c];
    }
  }
  static constexpr int root_columns(int outputs) { return outputs - 1; }
  // ∇²ℓ = diag(τ)(I - ττᵀ)diag(τ) with τ = √p. The Householder reflection that sends the last unit vector to -τ
  // gives an orthonormal basis of τ's complement, so C - 1 columns suffice; no QR factorisation.
  template <class T>
  static void root(std::span<T const> f, target<T>, std::span<T> s) {
    auto const outputs = f.size();
    auto const last = outputs - 1;
    T const normaliser = detail::log_sum_exp(f);
    T const tau_last = std::exp((f[last] - normaliser) / 2);
    auto const tau = [&](std::size_t k) -> T& { return s[k * outputs + last]; };  // until the last row is due
    for (std::size_t k = 0; k < last; ++k) tau(k) = std::exp((f[k] - normaliser) / 2);
    for (std::size_t k = 0; k < last; ++k) {
      T const shared = -tau(k) / (1 + tau_last);
      for (std::size_t c = 0; c < last; ++c) s[k * outputs + c] = shared * tau(c) * tau(c);
      s[k * outputs + k] += tau(k);
    }
    for (std::size_t k = 0; k < last; ++k) tau(k) *= -tau_last;
  }
  // The columns √p_k (e_k - p): gradients at every label, weighted by the label's probability (Dangel et al. 2020,
  // BackPACK, appendix A.2, up to a rotation).
  static constexpr int full_root_columns(int outputs) { return outputs; }
  template <class T>
  static void full_root(std::span<T const> f, target<T>, std::span<T> s) {
    auto const outputs = f.size();
    T const normaliser = detail::log_sum_exp(f);
    for (std::size_t k = 0; k < outputs; ++k) {
      T const tau = std::exp((f[k] - normaliser) / 2);
      for (std::size_t c = 0; c < outputs; ++c) s[k * outputs + c] = -tau * std::exp(f[c] - normaliser);
      s[k * outputs + k] += tau;
    }
  }
  template <class T>
  static void hessian_times(std::span<T const> f, target<T>, std::span<T const> v, std::span<T> u) {
    probabilities(f, u);
    T mean = 0;
    for (std::size_t c = 0; c < f.size(); ++c) mean += u[c] * v[c];
    for (std::size_t c = 0; c < f.size(); ++c) u[c] *= v[c] - mean;
  }
  template <class T, class Random>
  static void sample(std::span<T const> f, Random& random, std::span<T> g) {
    probabilities(f, g);
    T remaining = static_cast<T>(random.uniform());
    std::size_t drawn = 0;
    while (drawn + 1 < f.size() && remaining >= g[drawn]) remaining -= g[drawn++];
    g[drawn] -= 1;
  }
  template <class T>
  static char const* fault_of(std::span<T const> y) {
    T total = 0;
    for (T v : y) {
      if (!(v >= 0)) return "a class probability is negative or not a number";
      total += v;
    }
    return std::abs(total - 1) <= T(1e-4) ? nullptr : "class probabilities do not sum to one";
  }
};
inline constexpr cross_entropy_t cross_entropy{};

/// ½‖f - y‖².
struct squared_error_t : loss_tag {
  static constexpr char const* name = "squared_error";
  static constexpr int smallest_output = 1;
  static constexpr bool takes_labels = false;
  static constexpr bool takes_vectors = true;

  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    T total = 0;
    for (std::size_t c = 0; c < f.size(); ++c) total += (f[c] - y.values[c]) * (f[c] - y.values[c]);
    return total / 2;
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = f[c] - y.values[c];
  }
  static constexpr int root_columns(int outputs) { return outputs; }
  template <class T>
  static void root(std::span<T const> f, target<T>, std::span<T> s) {
    for (std::size_t k = 0; k < f.size(); ++k)
      for (std::size_t c = 0; c < f.size(); ++c) s[k * f.size() + c] = k == c ? T(1) : T(0);
  }
  template <class T>
  static void hessian_times(std::span<T const>, target<T>, std::span<T const> v, std::span<T> u) {
    for (std::size_t c = 0; c < v.size(); ++c) u[c] = v[c];
  }
  template <class T, class Random>
  static void sample(std::span<T const> f, Random& random, std::span<T> g) {
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = static_cast<T>(random.normal());
  }
  template <class T>
  static char const* fault_of(std::span<T const>) {
    return nullptr;
  }
};
inline constexpr squared_error_t squared_error{};

/// Σ_c log(1 + exp f_c) - y_c f_c: independent logistic outputs, targets in [0, 1].
struct binary_cross_entropy_t : loss_tag {
  static constexpr char const* name = "binary_cross_entropy";
  static constexpr int smallest_output = 1;
  static constexpr bool takes_labels = false;
  static constexpr bool takes_vectors = true;

  template <class T>
  static T probability(T f) {
    T const e = std::exp(-std::abs(f));
    return (f < 0 ? e : T(1)) / (1 + e);
  }
  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    T total = 0;
    for (std::size_t c = 0; c < f.size(); ++c)
      total += std::log1p(std::exp(-std::abs(f[c]))) + (f[c] < 0 ? T(0) : f[c]) - y.values[c] * f[c];
    return total;
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = probability(f[c]) - y.values[c];
  }
  static constexpr int root_columns(int outputs) { return outputs; }
  template <class T>
  static T deviation(T f) {  // √(p(1 - p)) without cancellation
    T const e = std::exp(-std::abs(f) / 2);
    return e / (1 + e * e);
  }
  template <class T>
  static void root(std::span<T const> f, target<T>, std::span<T> s) {
    for (std::size_t k = 0; k < f.size(); ++k)
      for (std::size_t c = 0; c < f.size(); ++c) s[k * f.size() + c] = k == c ? deviation(f[c]) : T(0);
  }
  template <class T>
  static void hessian_times(std::span<T const> f, target<T>, std::span<T const> v, std::span<T> u) {
    for (std::size_t c = 0; c < f.size(); ++c) u[c] = deviation(f[c]) * deviation(f[c]) * v[c];
  }
  template <class T, class Random>
  static void sample(std::span<T const> f, Random& random, std::span<T> g) {
    for (std::size_t c = 0; c < f.size(); ++c) {
      T const p = probability(f[c]);
      g[c] = p - (static_cast<T>(random.uniform()) < p ? T(1) : T(0));
    }
  }
  template <class T>
  static char const* fault_of(std::span<T const> y) {
    for (T v : y)
      if (!(v >= 0 && v <= 1)) return "a target of binary_cross_entropy lies outside [0, 1]";
    return nullptr;
  }
};
inline constexpr binary_cross_entropy_t binary_cross_entropy{};

}  // namespace kappa::inline KAPPA_ARCH
