#pragma once
/// \file
/// Softmax and its logarithm over the last axis, as layers. (The loss `cross_entropy` takes logits and needs neither.)

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/layers/sums.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// p_i = exp(x_i) / Σ exp(x), or log p. With probabilities p the Jacobians are diag(p) - p pᵀ and I - 1 pᵀ.
template <bool Logarithm>
struct softmax_rule {
  static constexpr char const* name = Logarithm ? "log_softmax" : "softmax";
  static constexpr bool keeps_positions = true;
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }
  /// The probabilities of all positions, and a tangent of one.
  static constexpr std::size_t scratch(shape const& in, layer_settings const&) {
    return static_cast<std::size_t>(in.size() + in.features());
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    int const n = s.in.features();
    for (int at = 0; at < s.in.size(); at += n) {
      T const sum = probabilities(n, x + at, Logarithm ? s.scratch : y + at);
      if constexpr (Logarithm) {
        T const shift = *std::max_element(x + at, x + at + n) + std::log(sum);
        store(false, n, y + at, [&](int c) { return x[at + c] - shift; });
      }
    }
  }
  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    int const n = s.in.features();
    if (dx == nullptr) return store(false, s.in.size(), dy, [](int) { return T(0); });
    for (int at = 0; at < s.in.size(); at += n) {
      T* const p = s.scratch;
      probabilities(n, x + at, p);
      T const mean = lane_sum<T>(n, [&](int c) { return p[c] * dx[at + c]; });
      store(false, n, dy + at, [&](int c) { return (Logarithm ? T(1) : p[c]) * (dx[at + c] - mean); });
    }
  }
  template <class T>
  static void pull(site<T> const& s, T const* x, int count, T const* g, T* gx, bool adds) {
    int const n = s.in.features(), size = s.in.size();
    for (int at = 0; at < size; at += n) probabilities(n, x + at, s.scratch + at);
    for (int k = 0; k < count; ++k, g += size, gx += size)
      for (int at = 0; at < size; at += n) transposed(n, s.scratch + at, g + at, gx + at, adds);
  }
  template <class T>
  static void push_pull(site<T> const& s, T const* x, T const* dx, T const* g, T* gx) {
    if (dx == nullptr) return;
    int const n = s.in.features();
    for (int at = 0; at < s.in.size(); at += n) {
      T *const p = s.scratch, *const dp = p + n;
      probabilities(n, x + at, p);
      T const drift = lane_sum<T>(n, [&](int c) { return p[c] * dx[at + c]; });
      store(false, n, dp, [&](int c) { return p[c] * (dx[at + c] - drift); });
      T const* const h = g + at;
      if constexpr (Logarithm) {
        T const total = lane_sum<T>(n, [&](int c) { return h[c]; });
        store(true, n, gx + at, [&](int c) { return -dp[c] * total; });
      } else {
        T const mean = lane_sum<T>(n, [&](int c) { return p[c] * h[c]; });
        T const d_mean = lane_sum<T>(n, [&](int c) { return dp[c] * h[c]; });
        store(true, n, gx + at, [&](int c) { return dp[c] * (h[c] - mean) - p[c] * d_mean; });
      }
    }
  }

 private:
  /// Fills p and returns Σ exp(x - max x).
  template <class T>
  static T probabilities(int n, T const* x, T* p) {
    T const top = *std::max_element(x, x + n);
    for (int c = 0; c < n; ++c) p[c] = std::exp(x[c] - top);
    T const sum = lane_sum<T>(n, [&](int c) { return p[c]; });
    T const factor = 1 / sum;
    for (int c = 0; c < n; ++c) p[c] *= factor;
    return sum;
  }
  template <class T>
  static void transposed(int n, T const* p, T const* g, T* gx, bool adds) {
    if constexpr (Logarithm) {
      T const total = lane_sum<T>(n, [&](int c) { return g[c]; });
      store(adds, n, gx, [&](int c) { return g[c] - p[c] * total; });
    } else {
      T const mean = lane_sum<T>(n, [&](int c) { return p[c] * g[c]; });
      store(adds, n, gx, [&](int c) { return p[c] * (g[c] - mean); });
    }
  }
};

}  // namespace detail

struct softmax_t : term_base<softmax_t> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<detail::softmax_rule<false>>, {}); }
};
/// `softmax`: at every position y_i = exp(x_i) / Σ_j exp(x_j) over the last axis. Any shape, kept; no parameters.
inline constexpr softmax_t softmax{};

struct log_softmax_t : term_base<log_softmax_t> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<detail::softmax_rule<true>>, {}); }
};
/// `log_softmax`: its logarithm, x_i - log Σ_j exp(x_j), without overflow.
inline constexpr log_softmax_t log_softmax{};

}  // namespace kappa::inline KAPPA_ARCH
