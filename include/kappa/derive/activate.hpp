#pragma once
/// \file
/// The activation of a graph node, dispatched to vectorised code or to the functions a user gave.

#include <cstddef>

#include <kappa/declare/act.hpp>
#include <kappa/kernels/pointwise.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// a = φ(s), n elements; a may be s.
template <class T, activation_rule const* Rule>
void activate(T const* s, T* a, std::size_t n) {
  if constexpr (Rule->kind == activation_kind::custom) {
    constexpr auto value = Rule->template functions<T>().value;
    for (std::size_t i = 0; i < n; ++i) a[i] = value(s[i]);
  } else {
    kernels::activate<T, Rule->kind, Rule->numerator, Rule->denominator>(s, a, n);
  }
}

/// out = g ∘ φ'; `v` is the activation's output or its input, as `derivative_from_output` says. out may be g.
template <class T, activation_rule const* Rule>
void derivative_times(T const* v, T const* g, T* out, std::size_t n) {
  if constexpr (Rule->kind == activation_kind::custom) {
    constexpr auto derivative = Rule->template functions<T>().first_derivative;
    for (std::size_t i = 0; i < n; ++i) out[i] = g[i] * derivative(v[i]);
  } else {
    kernels::derivative_times<T, Rule->kind, Rule->numerator, Rule->denominator>(v, g, out, n);
  }
}

/// out = φ''.
template <class T, activation_rule const* Rule>
void second_derivative(T const* v, T* out, std::size_t n) {
  if constexpr (Rule->kind == activation_kind::custom) {
    constexpr auto derivative = Rule->template functions<T>().second_derivative;
    for (std::size_t i = 0; i < n; ++i) out[i] = derivative(v[i]);
  } else {
    kernels::second_derivative<T, Rule->kind, Rule->numerator, Rule->denominator>(v, out, n);
  }
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
