#pragma once
/// \file
/// Elementary functions on vectors over the whole range: exp, expm1, log1p, tanh, the normal distribution and gelu.
/// xsimd 8 has some of them too, but unfused on AVX-512 and through intrinsics that g++ 12 warns about; these use the
/// compilers' own vector arithmetic and no branch. NaN goes through all of them.
///
/// Bounds are relative errors in units of the type's epsilon, 2^-23 and 2^-52; below the smallest normal number they
/// count in the unit of that number. tests/numbers/kernels_elementary.cpp holds every one of them.

#include <array>
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

/// Whether multiply_add rounds once.
#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
inline constexpr bool fuses = true;
#else
inline constexpr bool fuses = false;
#endif

}  // namespace detail

/// a < b ? x : y, element by element; y where a or b is NaN.
template <class T>
[[gnu::always_inline]] inline simd<T> where_less(simd<T> a, simd<T> b, simd<T> x, simd<T> y) {
  using r = detail::reg<T>;
  return static_cast<r>(static_cast<r>(a) < static_cast<r>(b) ? static_cast<r>(x) : static_cast<r>(y));
}

namespace detail {
// The bit of the sign, or all others. The operators of vectors of floating-point numbers that take it are
// floating-point instructions: from one of integers to the next of those and back, x86 waits two cycles.
template <class T>
[[gnu::always_inline]] inline simd<T> sign_bits(bool sign) {
  auto const bit = ints<T>{} + std::numeric_limits<typename integers<T>::element>::min();
  return from_bits<T>(sign ? bit : ~bit);
}
}  // namespace detail

/// |x|
template <class T>
[[gnu::always_inline]] inline simd<T> magnitude(simd<T> x) {
  return x & detail::sign_bits<T>(false);
}

/// x >= 0 with the sign of y.
template <class T>
[[gnu::always_inline]] inline simd<T> with_sign(simd<T> x, simd<T> y) {
  return x | (y & detail::sign_bits<T>(true));
}

/// limit < x ? limit : x; NaN stays.
template <class T>
[[gnu::always_inline]] inline simd<T> at_most(T limit, simd<T> x) {
#if defined(__SSE2__) && !defined(__AVX512F__)  // one instruction; its second operand comes out when one is NaN
  return xsimd::min(simd<T>(limit), x);
#else
  return where_less<T>(simd<T>(limit), x, simd<T>(limit), x);
#endif
}

/// x held to [-limit, limit]; NaN stays.
template <class T>
[[gnu::always_inline]] inline simd<T> clamp(simd<T> x, T limit) {
#if defined(__SSE2__) && !defined(__AVX512F__)
  return xsimd::max(simd<T>(-limit), at_most<T>(limit, x));
#else
  return where_less<T>(x, simd<T>(-limit), simd<T>(-limit), at_most<T>(limit, x));
#endif
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

/// c[0] + c[1] x + ... by Horner's rule.
template <class T, std::size_t Terms>
[[gnu::always_inline]] inline simd<T> polynomial(simd<T> x, std::array<T, Terms> const& c) {
  simd<T> s(c[Terms - 1]);
#pragma GCC unroll 24
  for (int i = static_cast<int>(Terms) - 2; i >= 0; --i)
    s = multiply_add<T>(s, x, simd<T>(c[static_cast<std::size_t>(i)]));
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

/// e^x - 1 for |x| <= 80; -1 below.
template <class T>
[[gnu::always_inline]] inline simd<T> expm1_any(simd<T> x) {
  auto const e = detail::reduce<T>(clamp<T>(x, T(80)), simd<T>(T(0)));
  simd<T> const scale = detail::power_of_two<T>(e.k);
  return multiply_add<T>(e.p, scale, scale - simd<T>(T(1)));
}

/// tanh x, to 1.9 (float) and 2 (double) epsilon, as t / (t + 2) with t = e^2|x| - 1; exactly odd, and exactly one from
/// where the nearest number is one.
template <class T>
[[gnu::always_inline]] inline simd<T> tanh(simd<T> x) {
  if constexpr (!detail::is_float<T>) {
    simd<T> const y = at_most<T>(T(20), magnitude<T>(x));
    simd<T> const t = expm1_any<T>(y + y);
    return with_sign<T>(t / (t + simd<T>(T(2))), x);
  } else {
    // e^2|x| = 2^k e^2r; both sides of the fraction are multiplied by 2^-k / 2. The number 126 - k comes out in the low
    // bits of `shifted`, and a shift makes that power of it.
    simd<T> const a = at_most<T>(T(10), magnitude<T>(x));
    simd<T> const magic(T(12582912 + 126));
    simd<T> const shifted = multiply_add<T>(a, simd<T>(T(-2.88539008177792681471984936200378427L)), magic);
    simd<T> const k = shifted - magic;  // -k
    simd<T> r = multiply_add<T>(k, simd<T>(T(0.34657359027997265470861606072908829L)), a);
    if constexpr (!detail::fuses)
      r = multiply_add<T>(k, simd<T>(T(0.693359375L / 2)), a) - k * simd<T>(T(2.12194440054690583e-4L / 2));
    // p = (e^2r - 1) / 2 = r + r² (1 + ...), of least relative error for |2r| <= 0.3475, found by Lawson's iteration;
    // by powers of r², because a short network waits for this chain.
    simd<T> const q = r * r, half(T(0.5L));
    simd<T> const low = multiply_add<T>(r, simd<T>(T(4 * 0.166665417128L)), simd<T>(T(1)));
    simd<T> const high = multiply_add<T>(r, simd<T>(T(16 * 0.00836675558807L)), simd<T>(T(8 * 0.0416662780367L)));
    simd<T> const tail = multiply_add<T>(q, simd<T>(T(32 * 0.00139467479599L)), high);
    simd<T> const p = multiply_add<T>(q * q, tail, multiply_add<T>(q, low, r));
    simd<T> const scale = detail::from_bits<T>(detail::bits<T>(shifted) << 23);
    return with_sign<T>((p + (half - scale)) / (p + (half + scale)), x);
  }
}

/// tanh x, to 3 epsilon in float and 2.2e-8 in double, at half the cost: x P(x²) / Q(x²) with P and Q of degree 4, of
/// least relative error on [0, 9.01], found by Lawson's iteration; constant beyond. Exactly odd; may exceed one by an
/// epsilon.
template <class T>
[[gnu::always_inline]] inline simd<T> fast_tanh(simd<T> x) {
  static constexpr std::array p{T(0.99999997924821715L), T(0.13380366886467823L), T(0.0034948054649908693L),
                                T(2.0596183304854881e-05L), T(1.3336727037088935e-08L)};
  static constexpr std::array q{T(1), T(0.467136823069778L), T(0.025874005469681393L), T(0.00032843541359000612L),
                                T(7.7692324049543248e-07L)};
  simd<T> const a = clamp<T>(x, T(9.01L)), z = a * a;
  return a * detail::polynomial<T>(z, p) / detail::polynomial<T>(z, q);
}

/// log(1 + x) for x in [0, 1], as 2 artanh(x / (2 + x)).
template <class T>
[[gnu::always_inline]] inline simd<T> log1p_unit(simd<T> x) {
  simd<T> const z = x / (simd<T>(T(2)) + x), q = z * z;
  simd<T> const tail = detail::sum_series < detail::series::reciprocal, detail::is_float<T> ? 7 : 16, 3, 2 > (q);
  return multiply_add<T>(z * q, tail, z) * simd<T>(T(2));
}

namespace detail {
// -x²/2 in two parts: x² as an exact square and a remainder.
template <class T>
struct two_parts {
  simd<T> hi, lo;
};
template <class T>
[[gnu::always_inline]] inline two_parts<T> half_square(simd<T> x) {
  auto const keep = -((ints<T>{} + 1) << (is_float<T> ? 12 : 27));
  simd<T> const short_x = from_bits<T>(bits<T>(x) & keep);
  simd<T> const half(T(-0.5));
  return {half * short_x * short_x, half * (x - short_x) * (x + short_x)};
}
}  // namespace detail

/// e^(-x²/2), to full relative accuracy in the tails.
template <class T>
[[gnu::always_inline]] inline simd<T> exp_half_square(simd<T> x) {
  auto const square = detail::half_square<T>(x);
  return exp<T>(square.hi, square.lo);
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

/// x Φ(-x), what gelu takes from x, for x in [1, ∞): e^(-x²/2) A(x) with A(x) = x erfcx(x / √2) / 2, a polynomial in
/// t = (x - 2) / (x + 2), interpolated in 50 digits at Chebyshev's points of [1, 14.5] and [1, 39]. A is near its
/// constant term, so that the errors of t and of Horner's rule weigh little; the power of two comes last, so that what
/// underflows is rounded once.
template <class T>
[[gnu::always_inline]] inline simd<T> gelu_tail(simd<T> x) {
  static constexpr auto c = [] {
    if constexpr (detail::is_float<T>)
      return std::array{T(0.336204003668L),   T(0.170501809731L),    T(-0.151303779928L),   T(0.0327561204163L),
                        T(0.0181332483257L),  T(-0.00357455452914L), T(-0.00445829202592L), T(-0.000605804078905L),
                        T(0.00135010642527L), T(-5.00538141604e-5L)};
    else
      return std::array{
          T(0.33620400244634121103L),        T(0.170501781251950853167L),      T(-0.151303541021708131368L),
          T(0.0327578606570921709507L),      T(0.0181243820670891358526L),     T(-0.00359725195138234729238L),
          T(-0.00433801561213444277085L),    T(-0.000583003223418052814722L),  T(0.000806158574855122972725L),
          T(0.000517100632162412447974L),    T(0.0000456418426409418465364L),  T(-0.000122188833610731318402L),
          T(-0.0000871166735994490970675L),  T(-0.0000178454834349692494216L), T(0.0000137453445861470425314L),
          T(0.0000180694143243283083705L),   T(0.0000155722945059892934099L),  T(-0.0000172555577322538516123L),
          T(-0.00000263430549782056141245L), T(0.0000395975734477679049557L),  T(-0.0000678481993185845025973L),
          T(0.0000491709379315648271589L),   T(-0.0000159327091245835646999L), T(0.00000183093368715913372129L)};
  }();
  x = at_most<T>(detail::is_float<T> ? T(14.5L) : T(39), x);  // nothing is left of e^(-x²/2) there
  simd<T> const two(T(2)), a = detail::polynomial<T>((x - two) / (x + two), c);
  auto const square = detail::half_square<T>(x);
  auto const e = detail::reduce<T>(square.hi, square.lo);
  auto const half = e.k >> 1;
  return multiply_add<T>(a, e.p, a) * detail::power_of_two<T>(half) * detail::power_of_two<T>(e.k - half);
}

/// gelu, s Φ(s), to 2 epsilon: by its tail where |s| >= 1, and as s (1/2 + s E(s²)) with a series E elsewhere, whose
/// constant term, the larger part, is added to the half first.
template <class T>
[[gnu::always_inline]] inline simd<T> gelu(simd<T> s) {
  simd<T> const zero(T(0)), one(T(1)), x = magnitude<T>(s);
  simd<T> const tail = gelu_tail<T>(x);
  simd<T> const far = where_less<T>(s, zero, -tail, s - tail);
  // E(z) = (Φ(√z) - 1/2) / √z = Σ (-z/2)^j / (j! (2j + 1) √(2π)), its constant term in two parts.
  constexpr long double first = 0.39894228040143267793994605993438L;
  constexpr T leading = static_cast<T>(first);
  constexpr int terms = detail::is_float<T> ? 9 : 16;
  static constexpr auto series = [] {
    std::array<T, terms> c{};
    long double term = first;
    for (int j = 0; j < terms; ++j, term /= -2.0L * j)
      c[static_cast<std::size_t>(j)] = static_cast<T>(j == 0 ? first - leading : term / (2 * j + 1));
    return c;
  }();
  simd<T> const b = clamp<T>(s, T(1));
  simd<T> const rest = detail::polynomial<T>(b * b, series);
  simd<T> const near = b * multiply_add<T>(b, rest, multiply_add<T>(b, simd<T>(leading), simd<T>(T(0.5L))));
  return where_less<T>(x, one, near, far);
}

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
