#pragma once
/// \file
/// Losses on class labels and probabilities: softmax cross-entropy, plain, with smoothed labels and with class weights,
/// and independent logistic outputs.

#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>

#include <kappa/declare/loss.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {
template <class T>
T largest(std::span<T const> f) {
  T top = f[0];
  for (T v : f) top = v > top ? v : top;
  return top;
}
template <class T>
T log_sum_exp(std::span<T const> f) {
  T const top = largest(f);
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
    T const top = detail::largest(f);
    T total = 0;
    for (std::size_t c = 0; c < f.size(); ++c) total += p[c] = std::exp(f[c] - top);
    T const share = 1 / total;
    for (T& v : p) v *= share;
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
    auto const tau = [&](std::size_t k) -> T& { return s[k * outputs + last]; };  // until the last row is due
    T const top = detail::largest(f);
    T tau_last = std::exp((f[last] - top) / 2), total = tau_last * tau_last;
    for (std::size_t k = 0; k < last; ++k) {
      tau(k) = std::exp((f[k] - top) / 2);
      total += tau(k) * tau(k);
    }
    T const share = 1 / std::sqrt(total);
    tau_last *= share;
    for (std::size_t k = 0; k < last; ++k) tau(k) *= share;
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

namespace detail {

/// A weight for each class; none: every weight is one.
template <int Count>
struct weights {
  double of[Count > 0 ? Count : 1]{};
  static constexpr int count = Count;
};

template <int Count>
constexpr bool are_weights(weights<Count> const& w) {
  bool good = false;  // one of them must be positive
  for (double v : w.of) {
    if (!(v >= 0 && v < 1e300)) return false;
    good = good || v > 0;
  }
  return good;
}

}  // namespace detail

/// -Σ_c w_c q_c log p_c with q = (1 - ε) y + ε/C and p = softmax f: cross-entropy with label smoothing ε (Szegedy et
/// al. 2016, section 7) and class weights w. Written `label_smoothing<0.1>(cross_entropy)`,
/// `class_weights<1.0, 4.0>(cross_entropy)`, or one of the other, in either order.
///
/// With s = Σ_c w_c q_c, which is 1 without weights: ∇ℓ = s p - w q and ∇²ℓ = s (diag p - p pᵀ). Smoothing does not
/// change the Hessian. No density has w_c as a factor of its logarithm, so `sample` draws a label from p and takes
/// g = √s (p - e), which has E[g gᵀ] = ∇²ℓ at the actual target.
///
/// A term's weight in `weighted_mean` is Σ_c w_c y_c: w_y of a label, smoothed or not.
template <double Smoothing, auto Weights>
struct modified_cross_entropy_t : loss_tag {
  static constexpr bool weighted = Weights.count > 0;
  static constexpr char const* name = weighted ? "class_weights" : "label_smoothing";
  static constexpr int smallest_output = 2;
  static constexpr bool takes_labels = true;
  static constexpr bool takes_vectors = true;
  static constexpr int outputs_for(int outputs) { return weighted ? Weights.count : outputs; }

  template <class T>
  static T class_weight([[maybe_unused]] std::size_t c) {
    if constexpr (weighted) {
      return static_cast<T>(Weights.of[c]);
    } else {
      return T(1);
    }
  }
  /// w_c q_c.
  template <class T>
  static T weighted_target(target<T> y, std::size_t c, std::size_t outputs) {
    T const plain = !y.values.empty() ? y.values[c] : c == static_cast<std::size_t>(y.label) ? T(1) : T(0);
    T const q = static_cast<T>(1 - Smoothing) * plain + static_cast<T>(Smoothing) / static_cast<T>(outputs);
    return class_weight<T>(c) * q;
  }
  /// s = Σ_c w_c q_c.
  template <class T>
  static T total(target<T> y, std::size_t outputs) {
    T s = 0;
    for (std::size_t c = 0; c < outputs; ++c) s += weighted_target(y, c, outputs);
    return s;
  }
  template <class T>
  static T weight(target<T> y) {
    if (!weighted) return T(1);
    if (y.values.empty()) return y.label < 0 ? T(0) : class_weight<T>(static_cast<std::size_t>(y.label));
    T w = 0;
    for (std::size_t c = 0; c < y.values.size(); ++c) w += class_weight<T>(c) * y.values[c];
    return w;
  }

  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    T const normaliser = detail::log_sum_exp(f);
    T sum = 0;
    for (std::size_t c = 0; c < f.size(); ++c) sum += weighted_target(y, c, f.size()) * (normaliser - f[c]);
    return sum;
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    cross_entropy_t::probabilities(f, g);
    T const s = total(y, f.size());
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = s * g[c] - weighted_target(y, c, f.size());
  }
  static constexpr int root_columns(int outputs) { return cross_entropy_t::root_columns(outputs); }
  template <class T>
  static void root(std::span<T const> f, target<T> y, std::span<T> s) {
    cross_entropy_t::root(f, y, s);
    times_root_of_total(y, f.size(), s);
  }
  static constexpr int full_root_columns(int outputs) { return cross_entropy_t::full_root_columns(outputs); }
  template <class T>
  static void full_root(std::span<T const> f, target<T> y, std::span<T> s) {
    cross_entropy_t::full_root(f, y, s);
    times_root_of_total(y, f.size(), s);
  }
  template <class T>
  static void hessian_times(std::span<T const> f, target<T> y, std::span<T const> v, std::span<T> u) {
    cross_entropy_t::hessian_times(f, y, v, u);
    T const s = total(y, f.size());
    for (T& e : u) e *= s;
  }
  template <class T, class Random>
  static void sample(std::span<T const> f, target<T> y, Random& random, std::span<T> g) {
    cross_entropy_t::sample(f, random, g);
    times_root_of_total(y, f.size(), g);
  }
  template <class T>
  static char const* fault_of(std::span<T const> y) {
    return cross_entropy_t::fault_of(y);
  }

 private:
  template <class T>
  static void times_root_of_total(target<T> y, std::size_t outputs, std::span<T> s) {
    T const factor = std::sqrt(total(y, outputs));
    for (T& e : s) e *= factor;
  }
};

namespace detail {

template <auto Weights>
constexpr auto weights_from() {
  weights<static_cast<int>(Weights.size())> w;
  for (int c = 0; c < w.count; ++c) w.of[c] = static_cast<double>(Weights[static_cast<std::size_t>(c)]);
  return w;
}

// What the two names do to a loss; a smoothing of zero and no weights are cross_entropy itself.
template <double Smoothing>
struct smoothing {
  static_assert(Smoothing >= 0 && Smoothing < 1, "kappa: label_smoothing wants a number from 0 to below 1");
  static constexpr auto of(cross_entropy_t) { return modified_cross_entropy_t<Smoothing, weights<0>{}>{}; }
  template <auto Weights>
  static constexpr auto of(modified_cross_entropy_t<0.0, Weights>) {
    return modified_cross_entropy_t<Smoothing, Weights>{};
  }
  template <class Other>
  static constexpr auto of(Other) {
    static_assert(Smoothing > 2, "kappa: label_smoothing wants cross_entropy, with class_weights or without");
    return cross_entropy_t{};
  }
};
template <auto Weights>
struct weighting {
  static_assert(are_weights(Weights), "kappa: class_weights wants finite weights, none negative and one positive");
  static constexpr auto of(cross_entropy_t) { return modified_cross_entropy_t<0.0, Weights>{}; }
  template <double Smoothing>
  static constexpr auto of(modified_cross_entropy_t<Smoothing, weights<0>{}>) {
    return modified_cross_entropy_t<Smoothing, Weights>{};
  }
  template <class Other>
  static constexpr auto of(Other) {
    static_assert(Weights.count < 0, "kappa: class_weights wants cross_entropy, with label_smoothing or without");
    return cross_entropy_t{};
  }
};

}  // namespace detail

/// `label_smoothing<0.1>(cross_entropy)`: targets (1 - ε) y + ε/C, ε in [0, 1).
template <auto Smoothing, class Loss>
requires std::is_arithmetic_v<decltype(Smoothing)>
constexpr auto label_smoothing(Loss l) { return detail::smoothing<static_cast<double>(Smoothing)>::of(l); }

/// `class_weights<1.0, 4.0>(cross_entropy)`: a factor of the loss for each class. Many of them come as one
/// `std::array`: `class_weights<rarity>(cross_entropy)`.
template <auto... Weights, class Loss>
requires(sizeof...(Weights) > 0 &&
         (std::is_arithmetic_v<decltype(Weights)> && ...)) constexpr auto class_weights(Loss l) {
  return detail::weighting<detail::weights<sizeof...(Weights)>{{static_cast<double>(Weights)...}}>::of(l);
}
template <auto Weights, class Loss>
requires requires { Weights.size(); }
constexpr auto class_weights(Loss l) { return detail::weighting<detail::weights_from<Weights>()>::of(l); }

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
