#pragma once
/// \file
/// Elementary functions on vectors, to a few units in the last place over the whole range: exp, expm1, log1p and
/// the normal distribution. xsimd 8 has them too, but unfused on AVX-512 and through intrinsics that g++ 12 warns
/// about; these use the compilers' own vector arithmetic and no branch. NaN goes through all of them.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <kappa/kernels/simd.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

namespace detail {

template <class T>
using reg = typename simd<T>::register_type;

// As many integers of T's size as a vector has elements.
template <class T>
struct integers {
  using element = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef element type __attribute__((vector_size(sizeof(simd<T>))));
};
template <class T>
using ints = typename integers<T>::type;

template <class T>
[[gnu::always_inline]] inline ints<T> bits(simd<T> x) {
  return std::bit_cast<ints<T>>(static_cast<reg<T>>(x));
}
template <class T>
[[gnu::always_inline]] inline simd<T> from_bits(ints<T> x) {
  return std::bit_cast<reg<T>>(x);
}

template <class T>
inline constexpr bool is_float = sizeof(T) == 4;

}  // namespace detail

/// a < b ? x : y, element by element; y where a or b is NaN.
template <class T>
[[gnu::always_inline]] inline simd<T> where_less(simd<T> a, simd<T> b, simd<T> x, simd<T> y) {
  using r = detail::reg<T>;
  return static_cast<r>(static_cast<r>(a) < static_cast<r>(b) ? static_cast<r>(x) : static_cast<r>(y));
}

/// |x|
template <class T>
[[gnu::always_inline]] inline simd<T> magnitude(simd<T> x) {
  using i = typename detail::integers<T>::element;
  return detail::from_bits<T>(detail::bits<T>(x) & ~(detail::ints<T>{} + std::numeric_limits<i>::min()));
}

/// |x| with the sign of y.
template <class T>
[[gnu::always_inline]] inline simd<T> with_sign(simd<T> x, simd<T> y) {
  using i = typename detail::integers<T>::element;
  auto const sign = detail::ints<T>{} + std::numeric_limits<i>::min();
  return detail::from_bits<T>((detail::bits<T>(x) & ~sign) | (detail::bits<T>(y) & sign));
}

/// x held to [-limit, limit]; NaN stays.
template <class T>
[[gnu::always_inline]] inline simd<T> clamp(simd<T> x, T limit) {
  simd<T> const high(limit), low(-limit);
  return where_less<T>(high, x, high, where_less<T>(x, low, low, x));
}

namespace detail {

// c[0] + c[1] x + ... with c[i] = 1 / (Offset + Step i)!, or 1 / (Offset + Step i), by Horner's rule.
enum class series { factorial, reciprocal };
template <series Kind, int Terms, int Offset, int Step, class T>
[[gnu::always_inline]] inline simd<T> sum_series(simd<T> x) {
  constexpr auto coefficient = [](int i) {
    long double c = 1;
    if (Kind == series::reciprocal) return static_cast<T>(c / (Offset + Step * i));
    for (int j = 2; j <= Offset + Step * i; ++j) c /= j;
    return static_cast<T>(c);
  };
  constexpr auto table = [=] {
    struct {
      T c[Terms];
    } t{};
    for (int i = 0; i < Terms; ++i) t.c[i] = coefficient(i);
    return t;
  }();
  simd<T> s(table.c[Terms - 1]);
#pragma GCC unroll 24
  for (int i = Terms - 2; i >= 0; --i) s = multiply_add<T>(s, x, simd<T>(table.c[i]));
  return s;
}

// hi + lo = k ln 2 + r with |r| <= ln 2 / 2: k as integers and e^r - 1.
template <class T>
struct reduced {
  ints<T> k;
  simd<T> p;
};
template <class T>
[[gnu::always_inline]] inline reduced<T> reduce(simd<T> hi, simd<T> lo) {
  // Adding 1.5 times 2^(mantissa bits) leaves the rounded integer in the low bits. ln 2's first part is short, so
  // that k times it is exact with or without fused multiply-add.
  simd<T> const magic(is_float<T> ? T(12582912.0L) : T(6755399441055744.0L));
  simd<T> const shifted = multiply_add<T>(hi + lo, simd<T>(T(1.44269504088896340735992468100189214L)), magic);
  simd<T> const k = shifted - magic;
  simd<T> const high(is_float<T> ? T(-0.693359375L) : T(-6.93147180369123816490e-01L));
  simd<T> const low(is_float<T> ? T(2.12194440054690583e-4L) : T(-1.90821492927058770002e-10L));
  simd<T> const r = multiply_add<T>(k, high, hi) + multiply_add<T>(k, low, lo);
  constexpr int terms = is_float<T> ? 6 : 12;  // of e^r = 1 + r + r² (1/2! + r/3! + ...)
  simd<T> const tail = sum_series<series::factorial, terms, 2, 1>(r);
  return {bits<T>(shifted) - bits<T>(magic), multiply_add<T>(r * r, tail, r)};
}

// 2^k for k in the range of normal numbers.
template <class T>
[[gnu::always_inline]] inline simd<T> power_of_two(ints<T> k) {
  return from_bits<T>((k + (is_float<T> ? 127 : 1023)) << (is_float<T> ? 23 : 52));
}

}  // namespace detail

/// e^(x + lo), for |lo| much smaller than one; underflows gradually, overflows to infinity.
template <class T>
[[gnu::always_inline]] inline simd<T> exp(simd<T> x, simd<T> lo = simd<T>(T(0))) {
  auto const e = detail::reduce<T>(clamp<T>(x, detail::is_float<T> ? T(150) : T(1000)), lo);
  auto const half = e.k >> 1;  // in two steps, or denormal results would be lost
  return (e.p + simd<T>(T(1))) * detail::power_of_two<T>(half) * detail::power_of_two<T>(e.k - half);
}

/// e^x - 1 for x <= 0.
template <class T>
[[gnu::always_inline]] inline simd<T> expm1_negative(simd<T> x) {
  auto const e = detail::reduce<T>(clamp<T>(x, T(80)), simd<T>(T(0)));
  simd<T> const scale = detail::power_of_two<T>(e.k);
  return multiply_add<T>(e.p, scale, scale - simd<T>(T(1)));
}

/// log(1 + x) for x in [0, 1], as 2 artanh(x / (2 + x)).
template <class T>
[[gnu::always_inline]] inline simd<T> log1p_unit(simd<T> x) {
  simd<T> const z = x / (simd<T>(T(2)) + x), q = z * z;
  simd<T> const tail = detail::sum_series < detail::series::reciprocal, detail::is_float<T> ? 7 : 16, 3, 2 > (q);
  return multiply_add<T>(z * q, tail, z) * simd<T>(T(2));
}

/// e^(-x²/2), to full relative accuracy in the tails: x² is taken as an exact square and a remainder.
template <class T>
[[gnu::always_inline]] inline simd<T> exp_half_square(simd<T> x) {
  auto const keep = -((detail::ints<T>{} + 1) << (detail::is_float<T> ? 12 : 27));
  simd<T> const short_x = detail::from_bits<T>(detail::bits<T>(x) & keep);
  simd<T> const half(T(-0.5));
  return exp<T>(half * short_x * short_x, half * (x - short_x) * (x + short_x));
}

/// The normal distribution function below zero, Φ(-x) for x in [0, 64], and e^(-x²/2), which it needs anyway.
///
/// Φ(-x) = e^(-x²/2) H(x) / (1 + x) with H(x) = (1 + x) erfcx(x / √2) / 2, a Chebyshev series in (x - 5) / (x + 5)
/// (after Shepherd and Laframboise, Math. Comp. 36, 1981), its coefficients computed here in 60 digits.
template <class T>
struct normal_tail {
  simd<T> distribution, gaussian;
};
template <class T>
[[gnu::always_inline]] inline normal_tail<T> lower_normal(simd<T> x) {
  static constexpr T c[] = {
      T(4.61974212072185697053e-01L),  T(-6.51652023949126357749e-02L), T(-5.45878150113656736286e-03L),
      T(1.22961990455634391506e-02L),  T(-6.47087291570368813159e-03L), T(2.24073552241683049066e-03L),
      T(-5.63862377465197380302e-04L), T(9.98403108292581176154e-05L),  T(-9.84951484316849269036e-06L),
      T(-4.03249423304521724135e-07L), T(2.99023962013033996597e-07L),  T(-3.03207074844281413948e-08L),
      T(-4.61766571392902721451e-09L), T(1.32982880083826915243e-09L),  T(3.00724271901904502998e-11L),
      T(-4.42995372553281555830e-11L), T(1.39998571470181516755e-12L),  T(1.47189570289125711822e-12L),
      T(-9.32595311916537198912e-14L), T(-5.29468116906769521954e-14L), T(3.95818841441451692380e-15L),
      T(2.10482146429631939349e-15L),  T(-1.34567128613614390097e-16L), T(-9.09761491449583281704e-17L)};
  constexpr int terms = detail::is_float<T> ? 12 : 24;
  simd<T> const five(T(5)), one(T(1));
  simd<T> const t = (x - five) / (x + five), twice = t + t;
  simd<T> b1(T(0)), b2(T(0));  // Clenshaw's recurrence
#pragma GCC unroll 24
  for (int i = terms - 1; i > 0; --i) {
    simd<T> const b = multiply_add<T>(twice, b1, simd<T>(c[i]) - b2);
    b2 = b1;
    b1 = b;
  }
  simd<T> const h = multiply_add<T>(t, b1, simd<T>(c[0]) - b2);
  simd<T> const gaussian = exp_half_square<T>(x);
  return {gaussian * (h / (one + x)), gaussian};
}

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
