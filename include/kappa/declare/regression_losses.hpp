#pragma once
/// \file
/// Losses on vectors of real numbers: squared error, Huber's, and the Gaussian negative log-likelihood.

#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>

#include <kappa/declare/loss.hpp>

namespace kappa::inline KAPPA_ARCH {

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

/// Σ_c h(f_c - y_c) with h(r) = r²/2 for |r| <= δ and δ (|r| - δ/2) beyond (Huber 1964). Convex, with ∇²ℓ diagonal: 1
/// where |r| <= δ, and 0 beyond, so far targets have a gradient and no curvature.
///
/// `sample` draws from Huber's density, p(r) ∝ exp(-h(r)), whose Fisher matrix is E[∇²ℓ] = P(|r| <= δ) I: Monte Carlo
/// curvature has that mean, the same at every target, and not the ones and zeros of ∇²ℓ at the actual ones.
template <double Delta>
struct huber_t : loss_tag {
  static_assert(Delta > 0 && Delta < 1e150, "kappa: huber wants a positive, finite threshold");
  static constexpr char const* name = "huber";
  static constexpr int smallest_output = 1;
  static constexpr bool takes_labels = false;
  static constexpr bool takes_vectors = true;
  static constexpr double delta = Delta;

  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    T total = 0;
    for (std::size_t c = 0; c < f.size(); ++c) {
      T const r = std::abs(f[c] - y.values[c]);
      total += r <= static_cast<T>(Delta) ? r * r / 2 : static_cast<T>(Delta) * (r - static_cast<T>(Delta) / 2);
    }
    return total;
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    for (std::size_t c = 0; c < f.size(); ++c) {
      T const r = f[c] - y.values[c];
      g[c] = near(f[c], y.values[c]) ? r : std::copysign(static_cast<T>(Delta), r);
    }
  }
  static constexpr int root_columns(int outputs) { return outputs; }
  template <class T>
  static void root(std::span<T const> f, target<T> y, std::span<T> s) {
    for (std::size_t k = 0; k < f.size(); ++k)
      for (std::size_t c = 0; c < f.size(); ++c) s[k * f.size() + c] = k == c && near(f[c], y.values[c]) ? T(1) : T(0);
  }
  template <class T>
  static void hessian_times(std::span<T const> f, target<T> y, std::span<T const> v, std::span<T> u) {
    for (std::size_t c = 0; c < f.size(); ++c) u[c] = near(f[c], y.values[c]) ? v[c] : T(0);
  }
  /// P(|r| <= δ) under Huber's density.
  static double probability_near() { return mass_near() / (mass_near() + 2 * mass_of_tail()); }
  template <class T, class Random>
  static void sample(std::span<T const> f, Random& random, std::span<T> g) {
    double const inside = mass_near(), tail = mass_of_tail();
    for (std::size_t c = 0; c < f.size(); ++c) {
      double const u = random.uniform() * (inside + 2 * tail);
      g[c] = static_cast<T>(u < inside ? residual_near(random) : u < inside + tail ? Delta : -Delta);
    }
  }
  template <class T>
  static char const* fault_of(std::span<T const>) {
    return nullptr;
  }

 private:
  template <class T>
  static bool near(T f, T y) {
    return std::abs(f - y) <= static_cast<T>(Delta);
  }
  // The integrals of exp(-h) over [-δ, δ] and over one side beyond.
  static double mass_near() { return std::sqrt(2 * std::numbers::pi) * std::erf(Delta / std::numbers::sqrt2); }
  static double mass_of_tail() { return std::exp(-Delta * Delta / 2) / Delta; }
  // A standard normal number in [-δ, δ], by rejection: from a uniform one where the density is nearly flat.
  template <class Random>
  static double residual_near(Random& random) {
    for (;;) {
      double const r = Delta > 1 ? random.normal() : Delta * (2 * random.uniform() - 1);
      if (Delta > 1 ? std::abs(r) <= Delta : random.uniform() < std::exp(-r * r / 2)) return r;
    }
  }
};
/// `huber<0.5>`: quadratic up to a residual of δ = 0.5, linear beyond.
template <auto Delta = 1.0>
inline constexpr huber_t<static_cast<double>(Delta)> huber{};

/// Σ_k ½ (s_k + (y_k - μ_k)² exp(-s_k)): minus the logarithm of independent normal densities, without its constant
/// ½ log 2π. The C outputs are C/2 means μ and then as many log-variances s; a target has C/2 numbers.
///
/// Not convex in (μ, s): with r = μ - y, ∇²ℓ of one pair is [[e⁻ˢ, -r e⁻ˢ], [-r e⁻ˢ, ½ r² e⁻ˢ]], whose determinant
/// is -½ r² e⁻²ˢ. Its roots and all Gauss-Newton quantities are therefore those of the Fisher matrix, the mean of ∇²ℓ
/// over y ~ N(μ, eˢ), which is diag(e⁻ˢ, ½); Hessian-vector products have ∇²ℓ itself.
struct gaussian_negative_log_likelihood_t : loss_tag {
  static constexpr char const* name = "gaussian_negative_log_likelihood";
  static constexpr int smallest_output = 2;
  static constexpr bool takes_labels = false;
  static constexpr bool takes_vectors = true;
  static constexpr int outputs_for(int outputs) { return outputs + outputs % 2; }
  static constexpr int target_size(int outputs) { return outputs / 2; }

  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    std::size_t const n = f.size() / 2;
    T total = 0;
    for (std::size_t k = 0; k < n; ++k) {
      T const r = f[k] - y.values[k];
      total += f[n + k] + r * r * std::exp(-f[n + k]);
    }
    return total / 2;
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    std::size_t const n = f.size() / 2;
    for (std::size_t k = 0; k < n; ++k) {
      T const r = f[k] - y.values[k], precision = std::exp(-f[n + k]);
      g[k] = r * precision;
      g[n + k] = (1 - r * r * precision) / 2;
    }
  }
  static constexpr int root_columns(int outputs) { return outputs; }
  template <class T>
  static void root(std::span<T const> f, target<T>, std::span<T> s) {
    std::size_t const n = f.size() / 2;
    for (T& e : s) e = 0;
    for (std::size_t k = 0; k < n; ++k) {
      s[k * f.size() + k] = std::exp(-f[n + k] / 2);
      s[(n + k) * f.size() + n + k] = std::sqrt(T(0.5));
    }
  }
  template <class T>
  static void hessian_times(std::span<T const> f, target<T> y, std::span<T const> v, std::span<T> u) {
    std::size_t const n = f.size() / 2;
    for (std::size_t k = 0; k < n; ++k) {
      T const r = f[k] - y.values[k], precision = std::exp(-f[n + k]);
      T const of_mean = v[k], of_log = v[n + k];
      u[k] = precision * (of_mean - r * of_log);
      u[n + k] = precision * r * (r * of_log / 2 - of_mean);
    }
  }
  template <class T>
  static void fisher_times(std::span<T const> f, target<T>, std::span<T const> v, std::span<T> u) {
    std::size_t const n = f.size() / 2;
    for (std::size_t k = 0; k < n; ++k) {
      u[k] = std::exp(-f[n + k]) * v[k];
      u[n + k] = v[n + k] / 2;
    }
  }
  template <class T, class Random>
  static void sample(std::span<T const> f, Random& random, std::span<T> g) {
    std::size_t const n = f.size() / 2;
    for (std::size_t k = 0; k < n; ++k) {
      T const z = static_cast<T>(random.normal());  // ỹ = μ + z exp(s/2)
      g[k] = -z * std::exp(-f[n + k] / 2);
      g[n + k] = (1 - z * z) / 2;
    }
  }
  template <class T>
  static char const* fault_of(std::span<T const>) {
    return nullptr;
  }
};
inline constexpr gaussian_negative_log_likelihood_t gaussian_negative_log_likelihood{};

}  // namespace kappa::inline KAPPA_ARCH
