#pragma once
/// \file
/// The built-in activations and their derivatives on contiguous arrays, vectorised. Relative errors are a few units
/// in the last place over the whole range, NaN goes through, and infinities give the limits.

#include <cstddef>

#include <kappa/declare/activation_kind.hpp>
#include <kappa/kernels/elementary.hpp>
#include <kappa/kernels/simd.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

namespace detail {

// φ, φ' and φ'' on one vector. v is the output or the input, as derivative_from_output says.
template <class T, activation_kind Kind, int Numerator, int Denominator>
struct rule {
  static_assert(Kind != activation_kind::custom, "kappa: a custom activation brings its own functions");
  using vec = simd<T>;
  using enum activation_kind;
  static vec number(long double c) { return vec(static_cast<T>(c)); }

  // σ(s) and σ(-s), each to full relative accuracy.
  struct both {
    vec p, q;
  };
  [[gnu::always_inline]] static both logistic(vec s) {
    vec const zero(T(0)), one(T(1));
    vec const e = exp<T>(-magnitude<T>(s)), d = one + e;
    vec const small = e / d, large = one / d;
    return {where_less<T>(s, zero, small, large), where_less<T>(s, zero, large, small)};
  }

  // Φ(s) and the density at s.
  [[gnu::always_inline]] static both normal(vec s) {
    auto const tail = lower_normal<T>(magnitude<T>(s));
    return {where_less<T>(s, vec(T(0)), tail.distribution, vec(T(1)) - tail.distribution),
            tail.gaussian * number(0.39894228040143267793994605993438L)};
  }

  // 1 - v², rounded once where that is possible: near v = 1 the square alone would lose it.
  [[gnu::always_inline]] static vec one_minus_square(vec v) {
    vec const one(T(1));
    if constexpr (fuses) return subtract_product<T>(v, v, one);
    return (one - v) * (one + v);
  }

  // √(2/π) (s + 0.044715 s³) and its derivatives.
  struct inner {
    vec u, du, ddu;
  };
  [[gnu::always_inline]] static inner inner_of(vec s) {
    vec const slope = number(0.79788456080286535587989211986876L), cubic = number(0.044715L), one(T(1));
    vec const q = cubic * s * s;
    return {slope * s * (one + q), slope * multiply_add<T>(number(3), q, one), number(6) * slope * cubic * s};
  }

  // Beyond these inputs the functions are their asymptotes in T, and infinity times zero must not be met.
  [[gnu::always_inline]] static vec bounded(vec s) {
    if constexpr (Kind == gelu) return clamp<T>(s, T(64));
    if constexpr (Kind == fast_gelu) return clamp<T>(s, T(5.5L));  // fast_tanh is constant there
    return clamp<T>(s, is_float<T> ? T(128) : T(800));
  }

  [[gnu::always_inline]] static vec value(vec s) {
    vec const zero(T(0)), one(T(1));
    if constexpr (Kind == identity) return s;
    if constexpr (Kind == relu) return where_less<T>(s, zero, zero, s);
    if constexpr (Kind == leaky_relu) return where_less<T>(s, zero, slope() * s, s);
    if constexpr (Kind == activation_kind::tanh) return kernels::tanh<T>(s);
    if constexpr (Kind == sigmoid) {
      vec const e = exp<T>(-magnitude<T>(s));
      return where_less<T>(s, zero, e, one) / (one + e);
    }
    if constexpr (Kind == softplus) return log1p_unit<T>(exp<T>(-magnitude<T>(s))) + where_less<T>(s, zero, zero, s);
    // s on the positive side may be anything; on the negative side the product must vanish
    if constexpr (Kind == activation_kind::fast_tanh) return kernels::fast_tanh<T>(s);
    if constexpr (Kind == fast_sigmoid) {
      vec const half = number(0.5L);
      return multiply_add<T>(half, kernels::fast_tanh<T>(half * s), half);
    }
    if constexpr (Kind == fast_gelu) {
      vec const b = bounded(s), half = number(0.5L) * where_less<T>(s, zero, b, s);
      return half * (one + kernels::fast_tanh<T>(inner_of(b).u));
    }
    if constexpr (Kind == silu) return where_less<T>(s, zero, bounded(s), s) * logistic(bounded(s)).p;
    if constexpr (Kind == activation_kind::gelu) return kernels::gelu<T>(s);
  }

  [[gnu::always_inline]] static vec first(vec v) {
    vec const zero(T(0)), one(T(1));
    if constexpr (Kind == identity) return one;
    if constexpr (Kind == relu) return where_less<T>(zero, v, one, zero);
    if constexpr (Kind == leaky_relu) return where_less<T>(zero, v, one, slope());
    if constexpr (Kind == activation_kind::tanh || Kind == activation_kind::fast_tanh) return one_minus_square(v);
    if constexpr (Kind == sigmoid || Kind == fast_sigmoid) return v * (one - v);
    if constexpr (Kind == fast_gelu) {
      vec const s = bounded(v);
      auto const i = inner_of(s);
      vec const t = kernels::fast_tanh<T>(i.u);
      return number(0.5L) * multiply_add<T>(s * one_minus_square(t), i.du, one + t);
    }
    if constexpr (Kind == softplus) return -expm1_any<T>(-v);
    if constexpr (Kind == gelu) {
      vec const s = bounded(v);
      both const n = normal(s);
      return multiply_add<T>(s, n.q, n.p);
    }
    if constexpr (Kind == silu) {
      vec const s = bounded(v);
      both const l = logistic(s);
      return l.p * multiply_add<T>(s, l.q, one);
    }
  }

  [[gnu::always_inline]] static vec second(vec v) {
    vec const one(T(1));
    if constexpr (Kind == identity || Kind == relu || Kind == leaky_relu) return vec(T(0));
    if constexpr (Kind == activation_kind::tanh || Kind == activation_kind::fast_tanh)
      return number(-2) * v * one_minus_square(v);
    if constexpr (Kind == sigmoid || Kind == fast_sigmoid) return v * (one - v) * (one - (v + v));
    if constexpr (Kind == fast_gelu) {
      vec const s = bounded(v);
      auto const i = inner_of(s);
      vec const t = kernels::fast_tanh<T>(i.u);
      return one_minus_square(t) * multiply_add<T>(s, number(0.5L) * i.ddu - t * i.du * i.du, i.du);
    }
    if constexpr (Kind == softplus) return -expm1_any<T>(-v) * exp<T>(-v);
    if constexpr (Kind == gelu) {
      vec const s = bounded(v);
      return normal(s).q * (number(2) - s * s);
    }
    if constexpr (Kind == silu) {
      vec const s = bounded(v);
      both const l = logistic(s);
      return l.p * l.q * multiply_add<T>(s, l.q - l.p, number(2));
    }
  }

  [[gnu::always_inline]] static vec slope() { return vec(T(Numerator) / T(Denominator)); }
};

// out[i] = f(x[i], ...) for contiguous arrays of n elements; out may be one of them.
template <class T, class F, class... In>
[[gnu::always_inline]] inline void map(std::size_t n, T* out, F&& f, In const*... in) {
  constexpr std::size_t w = static_cast<std::size_t>(width<T>);
  std::size_t i = 0;
  for (; i + w <= n; i += w) store<T>(out + i, f(load(in + i)...));
  if (i < n) store_first<T>(out + i, f(load_first(in + i, n - i)...), n - i);
}

}  // namespace detail

/// φ and φ' on one vector, as `activate` and `derivative_times` take them.
template <class T, activation_kind Kind, int Numerator = 1, int Denominator = 100>
[[gnu::always_inline]] inline simd<T> activation_value(simd<T> s) {
  return detail::rule<T, Kind, Numerator, Denominator>::value(s);
}
template <class T, activation_kind Kind, int Numerator = 1, int Denominator = 100>
[[gnu::always_inline]] inline simd<T> activation_derivative(simd<T> v) {
  return detail::rule<T, Kind, Numerator, Denominator>::first(v);
}

/// a = φ(s), n elements; a may be s. leaky_relu's slope is Numerator / Denominator.
template <class T, activation_kind Kind, int Numerator = 1, int Denominator = 100>
void activate(T const* s, T* a, std::size_t n) {
  using rule = detail::rule<T, Kind, Numerator, Denominator>;
  if constexpr (Kind == activation_kind::identity)
    if (s == a) return;
  detail::map(
      n, a, [](simd<T> x) __attribute__((always_inline)) { return rule::value(x); }, s);
}

/// out = g ∘ φ', with φ' from v, the output or the input as derivative_from_output says; out may be g or v.
template <class T, activation_kind Kind, int Numerator = 1, int Denominator = 100>
void derivative_times(T const* v, T const* g, T* out, std::size_t n) {
  using rule = detail::rule<T, Kind, Numerator, Denominator>;
  if constexpr (Kind == activation_kind::identity)
    if (g == out) return;
  detail::map(
      n, out, [](simd<T> x, simd<T> y) __attribute__((always_inline)) { return y * rule::first(x); }, v, g);
}

/// out = φ'', from v as above; out may be v.
template <class T, activation_kind Kind, int Numerator = 1, int Denominator = 100>
void second_derivative(T const* v, T* out, std::size_t n) {
  using rule = detail::rule<T, Kind, Numerator, Denominator>;
  detail::map(
      n, out, [](simd<T> x) __attribute__((always_inline)) { return rule::second(x); }, v);
}

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
