#pragma once
/// \file
/// Losses by their textbook formulas, sums over classes and the like, for the reference to be right on its own.

#include <algorithm>
#include <cmath>

#include <kappa/declare.hpp>

#include "reference.hpp"

namespace kappa::reference {

/// Σ_k a_k (-log p_k) with a_k = w_k q_k: a sum of plain cross-entropies, class by class.
template <double Smoothing, auto Weights>
struct loss_formulas<modified_cross_entropy_t<Smoothing, Weights>> {
  template <class S>
  static std::vector<S> shares(target<S> y, std::size_t outputs) {
    auto a = detail::vector_of(y, outputs);
    for (std::size_t k = 0; k < outputs; ++k) {
      a[k] = (1 - S(Smoothing)) * a[k] + S(Smoothing) / S(outputs);
      if (Weights.count > 0) a[k] *= S(Weights.of[Weights.count > 0 ? k : 0]);
    }
    return a;
  }
  template <class S>
  static S value(std::span<S const> f, target<S> y) {
    auto const p = detail::softmax(f), a = shares(y, f.size());
    S total = 0;
    for (std::size_t k = 0; k < f.size(); ++k) total -= a[k] * std::log(p[k]);
    return total;
  }
  template <class S>
  static std::vector<S> gradient(std::span<S const> f, target<S> y) {
    auto const p = detail::softmax(f), a = shares(y, f.size());
    std::vector<S> g(f.size());
    for (std::size_t k = 0; k < f.size(); ++k)
      for (std::size_t c = 0; c < f.size(); ++c) g[c] += a[k] * (p[c] - S(c == k ? 1 : 0));
    return g;
  }
  template <class S>
  static std::vector<S> curvature(std::span<S const> f, target<S> y) {
    auto const p = detail::softmax(f), a = shares(y, f.size());
    std::vector<S> h(f.size() * f.size());
    for (S const share : a)
      for (std::size_t i = 0; i < f.size(); ++i)
        for (std::size_t j = 0; j < f.size(); ++j)
          h[i * f.size() + j] += share * ((i == j ? p[i] : S(0)) - p[i] * p[j]);
    return h;
  }
  template <class S>
  static S weight(target<S> y) {
    if (Weights.count == 0) return 1;
    auto const v = detail::vector_of(y, Weights.count);
    S w = 0;
    for (std::size_t k = 0; k < v.size(); ++k) w += v[k] * S(Weights.of[k]);
    return w;
  }
};

/// Nothing where the label is `Index`, the loss itself elsewhere.
template <int Index, class Loss>
struct loss_formulas<ignore_index_t<Index, Loss>> {
  template <class S>
  static bool counts(target<S> y) {
    return !y.values.empty() || y.label != Index;
  }
  template <class S>
  static S value(std::span<S const> f, target<S> y) {
    return counts(y) ? term_value<Loss, S>(f, y) : S(0);
  }
  template <class S>
  static std::vector<S> gradient(std::span<S const> f, target<S> y) {
    return counts(y) ? term_gradient<Loss, S>(f, y) : std::vector<S>(f.size());
  }
  template <class S>
  static std::vector<S> curvature(std::span<S const> f, target<S> y) {
    return counts(y) ? term_hessian<Loss, S>(f, y) : std::vector<S>(f.size() * f.size());
  }
  template <class S>
  static S weight(target<S> y) {
    if (!counts(y)) return 0;
    if constexpr (has_formulas<Loss>) return loss_formulas<Loss>::weight(y);
    return 1;
  }
};

/// The smallest of a²/2 + δ (|r| - a) over a in [0, |r|], its slope r held to [-δ, δ], and where it is not held.
template <double Delta>
struct loss_formulas<huber_t<Delta>> {
  template <class S>
  static S value(std::span<S const> f, target<S> y) {
    S total = 0;
    for (std::size_t c = 0; c < f.size(); ++c) {
      S const r = std::abs(f[c] - y.values[c]), a = std::min(r, S(Delta));
      total += a * a / 2 + S(Delta) * (r - a);
    }
    return total;
  }
  template <class S>
  static std::vector<S> gradient(std::span<S const> f, target<S> y) {
    std::vector<S> g;
    for (std::size_t c = 0; c < f.size(); ++c) g.push_back(std::clamp(f[c] - y.values[c], S(-Delta), S(Delta)));
    return g;
  }
  template <class S>
  static std::vector<S> curvature(std::span<S const> f, target<S> y) {
    std::vector<S> h(f.size() * f.size());
    auto const g = gradient(f, y);
    for (std::size_t c = 0; c < f.size(); ++c) h[c * f.size() + c] = std::abs(g[c]) < S(Delta) ? 1 : 0;
    return h;
  }
  template <class S>
  static S weight(target<S>) {
    return 1;
  }
};

/// log σ + (y - μ)² / (2 σ²) with log σ² the second half of the outputs; the Fisher matrix of (μ, log σ²).
template <>
struct loss_formulas<gaussian_negative_log_likelihood_t> {
  template <class S>
  static S value(std::span<S const> f, target<S> y) {
    S total = 0;
    for (std::size_t k = 0; k < y.values.size(); ++k) {
      S const sigma = std::exp(f[y.values.size() + k] / 2), z = (y.values[k] - f[k]) / sigma;
      total += std::log(sigma) + z * z / 2;
    }
    return total;
  }
  template <class S>
  static std::vector<S> gradient(std::span<S const> f, target<S> y) {
    std::vector<S> g(f.size());
    for (std::size_t k = 0; k < y.values.size(); ++k) {
      S const sigma = std::exp(f[y.values.size() + k] / 2), z = (y.values[k] - f[k]) / sigma;
      g[k] = -z / sigma;
      g[y.values.size() + k] = S(0.5) - z * z / 2;
    }
    return g;
  }
  template <class S>
  static std::vector<S> curvature(std::span<S const> f, target<S> y) {
    std::size_t const n = y.values.size();
    std::vector<S> h(4 * n * n);
    for (std::size_t k = 0; k < n; ++k) {
      S const sigma = std::exp(f[n + k] / 2);
      h[k * 2 * n + k] = 1 / (sigma * sigma);
      h[(n + k) * 2 * n + n + k] = S(0.5);
    }
    return h;
  }
  template <class S>
  static S weight(target<S>) {
    return 1;
  }
};

}  // namespace kappa::reference
