#pragma once
/// \file
/// Parameters that act on every feature by itself, the same at all positions.

#include <algorithm>

#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// y = x + b at every position.
struct feature_shift_rule {
  static constexpr char const* name = "bias";
  static constexpr bool keeps_positions = true;
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }
  static constexpr int parameters(shape const& in, layer_settings const&) { return in.features(); }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    int const features = s.in.features();
    for (int r = 0; r < s.in.size(); r += features)
      for (int c = 0; c < features; ++c) y[r + c] = x[r + c] + s.theta[c];
  }
  template <class T>
  static void push(site<T> const& s, T const*, T const* dx, T* dy) {
    int const features = s.in.features();
    for (int r = 0; r < s.in.size(); r += features)
      for (int c = 0; c < features; ++c)
        dy[r + c] = (dx != nullptr ? dx[r + c] : T(0)) + (s.direction != nullptr ? s.direction[c] : T(0));
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const size = count * s.in.size();
    if (adds) {
      for (int e = 0; e < size; ++e) gx[e] += g[e];
    } else {
      std::copy_n(g, size, gx);
    }
  }
  template <class T>
  static void weigh(site<T> const& s, T const*, int count, T const* g, T* w) {
    int const features = s.in.features(), size = s.in.size();
    for (int k = 0; k < count; ++k, w += features) {
      std::fill_n(w, features, T(0));
      for (int r = 0; r < size; r += features, g += features)
        for (int c = 0; c < features; ++c) w[c] += g[c];
    }
  }
};

/// y = w ∘ x at every position.
struct feature_scale_rule {
  static constexpr char const* name = "scale_features";
  static constexpr bool keeps_positions = true;
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }
  static constexpr int parameters(shape const& in, layer_settings const&) { return in.features(); }
  static constexpr double initial_mean(shape const&, layer_settings const&, int) { return 1; }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    int const features = s.in.features();
    for (int r = 0; r < s.in.size(); r += features)
      for (int c = 0; c < features; ++c) y[r + c] = x[r + c] * s.theta[c];
  }
  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    int const features = s.in.features();
    for (int r = 0; r < s.in.size(); r += features)
      for (int c = 0; c < features; ++c)
        dy[r + c] = (dx != nullptr ? dx[r + c] * s.theta[c] : T(0)) +
                    (s.direction != nullptr ? x[r + c] * s.direction[c] : T(0));
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const features = s.in.features();
    for (int r = 0; r < count * s.in.size(); r += features)
      for (int c = 0; c < features; ++c) gx[r + c] = (adds ? gx[r + c] : T(0)) + g[r + c] * s.theta[c];
  }
  template <class T>
  static void push_pull(site<T> const& s, T const*, T const*, T const* g, T* gx) {
    if (s.direction == nullptr) return;
    int const features = s.in.features();
    for (int r = 0; r < s.in.size(); r += features)
      for (int c = 0; c < features; ++c) gx[r + c] += g[r + c] * s.direction[c];
  }
  template <class T>
  static void weigh(site<T> const& s, T const* x, int count, T const* g, T* w) {
    int const features = s.in.features(), size = s.in.size();
    for (int k = 0; k < count; ++k, w += features, g += size) {
      std::fill_n(w, features, T(0));
      for (int r = 0; r < size; r += features)
        for (int c = 0; c < features; ++c) w[c] += g[r + c] * x[r + c];
    }
  }
  template <class T>
  static void push_weigh(site<T> const& s, T const*, T const* dx, T const* g, T* w) {
    if (dx == nullptr) return;
    int const features = s.in.features();
    for (int r = 0; r < s.in.size(); r += features)
      for (int c = 0; c < features; ++c) w[c] += g[r + c] * dx[r + c];
  }
};

}  // namespace detail

struct bias_t : term_base<bias_t> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<detail::feature_shift_rule>, {}); }
};
/// `bias`: adds a parameter [features] at every position; drawn as zero.
inline constexpr bias_t bias{};

struct scale_features_t : term_base<scale_features_t> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<detail::feature_scale_rule>, {}); }
};
/// `scale_features`: multiplies every feature with its parameter, [features], at every position; drawn as one.
inline constexpr scale_features_t scale_features{};

}  // namespace kappa::inline KAPPA_ARCH
