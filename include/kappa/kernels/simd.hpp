#pragma once
/// \file
/// Vectors of the width the user compiles for, through xsimd, and the few operations on them that xsimd 8 lacks
/// or does not fuse: multiply-add on AVX-512, loads and stores of a part of a vector, transposes.

#include <bit>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <kappa/arch.hpp>
#include <xsimd/xsimd.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

/// A vector register of `T`.
template <class T>
using simd = xsimd::batch<T>;

/// Elements of `T` in a vector.
template <class T>
inline constexpr int width = static_cast<int>(simd<T>::size);

/// Bytes of a vector.
inline constexpr int simd_bytes = static_cast<int>(sizeof(simd<float>));

/// Vector registers of the instruction set.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int simd_registers = 32;
#else
inline constexpr int simd_registers = 16;
#endif

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }

/// a b + c, fused where the instruction set can.
template <class T>
[[gnu::always_inline]] inline simd<T> multiply_add(simd<T> a, simd<T> b, simd<T> c) {
#if defined(__AVX512F__)  // xsimd 8.1 multiplies and adds in two instructions here
  if constexpr (sizeof(simd<T>) == 64 && sizeof(T) == 4) return _mm512_fmadd_ps(a, b, c);
  if constexpr (sizeof(simd<T>) == 64 && sizeof(T) == 8) return _mm512_fmadd_pd(a, b, c);
#endif
  return xsimd::fma(a, b, c);
}

/// c - a b, fused where the instruction set can.
template <class T>
[[gnu::always_inline]] inline simd<T> subtract_product(simd<T> a, simd<T> b, simd<T> c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(simd<T>) == 64 && sizeof(T) == 4) return _mm512_fnmadd_ps(a, b, c);
  if constexpr (sizeof(simd<T>) == 64 && sizeof(T) == 8) return _mm512_fnmadd_pd(a, b, c);
#endif
  return xsimd::fnma(a, b, c);
}

template <class T>
[[gnu::always_inline]] inline simd<T> load(T const* p) {
  return simd<T>::load_unaligned(p);
}

template <class T>
[[gnu::always_inline]] inline void store(T* p, simd<T> v) {
  v.store_unaligned(p);
}

namespace detail {

// Masks of AVX's partial loads and stores: `sliding + 8 - n` begins with n ones.
inline constexpr int sliding[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
inline constexpr long long sliding_wide[8] = {-1, -1, -1, -1, 0, 0, 0, 0};

// The first n < width elements from p, the rest zero, in one instruction where there is one. `n` is a number or a
// std::integral_constant; only the latter avoids a trip through memory on SSE2 and NEON.
template <class T, class N>
[[gnu::always_inline]] inline simd<T> load_part(T const* p, N n) {
#if defined(__AVX512F__)
  auto const mask = (1u << n) - 1u;
  if constexpr (sizeof(T) == 4)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), p);
  else
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), p);
#elif defined(__AVX__)
  // By shorter loads where one is enough: a masked one waits until a shorter store to its place has left the buffer.
  if constexpr (!std::is_integral_v<N>) {
    using all = typename simd<T>::register_type;
    auto const bytes = reinterpret_cast<__m128i const*>(p);
    if constexpr (sizeof(T) * N::value == 4) return _mm256_zextps128_ps256(_mm_load_ss(p));
    if constexpr (sizeof(T) * N::value == 8)
      return simd<T>(std::bit_cast<all>(_mm256_zextsi128_si256(_mm_loadl_epi64(bytes))));
    if constexpr (sizeof(T) * N::value == 16)
      return simd<T>(std::bit_cast<all>(_mm256_zextsi128_si256(_mm_loadu_si128(bytes))));
  }
  if constexpr (sizeof(T) == 4)
    return _mm256_maskload_ps(p, _mm256_loadu_si256(reinterpret_cast<__m256i const*>(sliding + 8 - n)));
  else
    return _mm256_maskload_pd(p, _mm256_loadu_si256(reinterpret_cast<__m256i const*>(sliding_wide + 4 - n)));
#else
  if constexpr (std::is_integral_v<N>) {
    alignas(simd<T>) T buffer[width<T>]{};
    for (N i = 0; i < n; ++i) buffer[i] = p[i];
    return simd<T>::load_aligned(buffer);
  } else {
    return [&]<int... I>(std::integer_sequence<int, I...>) {
      return simd<T>(typename simd<T>::register_type{(I < N::value ? p[I < N::value ? I : 0] : T(0))...});
    }
    (std::make_integer_sequence<int, width<T>>{});
  }
#endif
}

template <class T, class N>
[[gnu::always_inline]] inline void store_part(T* p, simd<T> v, N n) {
#if defined(__AVX512F__)
  auto const mask = (1u << n) - 1u;
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask), v);
  else
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask), v);
#elif defined(__AVX__)
  // In pieces of a half, a quarter and an eighth: masked stores take a dozen cycles on Zen.
  int const count = static_cast<int>(n);
  if constexpr (sizeof(T) == 4) {
    __m256 const all = v;
    __m128 part = _mm256_castps256_ps128(all);
    if (count & 4) {
      _mm_storeu_ps(p, part);
      part = _mm256_extractf128_ps(all, 1);
    }
    if (count & 2) {
      _mm_storel_pi(reinterpret_cast<__m64*>(p + (count & 4)), part);
      part = _mm_movehl_ps(part, part);
    }
    if (count & 1) _mm_store_ss(p + (count & 6), part);
  } else {
    __m256d const all = v;
    __m128d part = _mm256_castpd256_pd128(all);
    if (count & 2) {
      _mm_storeu_pd(p, part);
      part = _mm256_extractf128_pd(all, 1);
    }
    if (count & 1) _mm_store_sd(p + (count & 2), part);
  }
#else
  auto const elements = static_cast<typename simd<T>::register_type>(v);
#pragma GCC unroll 4
  for (int i = 0; i < width<T>; ++i)
    if (i < static_cast<int>(n)) p[i] = elements[i];
#endif
}

}  // namespace detail

/// The first `N` elements from `p`, the rest zero; nothing beyond them is read.
template <int N, class T>
[[gnu::always_inline]] inline simd<T> load_first(T const* p) {
  static_assert(0 < N && N <= width<T>);
  if constexpr (N == width<T>)
    return load(p);
  else
    return detail::load_part(p, std::integral_constant<int, N>{});
}

/// Writes the first `N` elements of `v` and nothing beyond them.
template <int N, class T>
[[gnu::always_inline]] inline void store_first(T* p, simd<T> v) {
  static_assert(0 < N && N <= width<T>);
  if constexpr (N == width<T>)
    store(p, v);
  else
    detail::store_part(p, v, std::integral_constant<int, N>{});
}

/// The first `n` < width elements from `p`, the rest zero, for an `n` known at run time only.
template <class T>
[[gnu::always_inline]] inline simd<T> load_first(T const* p, std::size_t n) {
  return detail::load_part(p, static_cast<int>(n));
}

/// Writes the first `n` < width elements of `v`.
template <class T>
[[gnu::always_inline]] inline void store_first(T* p, simd<T> v, std::size_t n) {
  detail::store_part(p, v, static_cast<int>(n));
}

namespace detail {
// Elements of the low (Half = 0) or high halves of a and b, taken in turn.
template <int Half, class T, std::size_t... I>
[[gnu::always_inline]] inline simd<T> zip(simd<T> a, simd<T> b, std::index_sequence<I...>) {
  using reg = typename simd<T>::register_type;
  constexpr int w = width<T>;
  return static_cast<reg>(__builtin_shufflevector(static_cast<reg>(a), static_cast<reg>(b),
                                                  (static_cast<int>(I) / 2 + Half * w / 2 + (I % 2 ? w : 0))...));
}
template <class T>
[[gnu::always_inline]] inline simd<T> zip_low(simd<T> a, simd<T> b) {
  return zip<0, T>(a, b, std::make_index_sequence<width<T>>{});
}
template <class T>
[[gnu::always_inline]] inline simd<T> zip_high(simd<T> a, simd<T> b) {
  return zip<1, T>(a, b, std::make_index_sequence<width<T>>{});
}
}  // namespace detail

namespace detail {
// Units of `Unit` elements of a and b taken in turn, from the first (Half = 0) or second half of each 16 bytes.
template <int Unit, int Half, class T, int... I>
[[gnu::always_inline]] inline simd<T> zip_in_lanes(simd<T> a, simd<T> b, std::integer_sequence<int, I...>) {
  using reg = typename simd<T>::register_type;
  constexpr int w = width<T>, lane = 16 / static_cast<int>(sizeof(T));
  return static_cast<reg>(__builtin_shufflevector(
      static_cast<reg>(a), static_cast<reg>(b),
      (I / lane * lane + Half * lane / 2 + I % lane / (2 * Unit) * Unit + I % Unit + (I / Unit % 2 ? w : 0))...));
}
// The first (Half = 0) or second 16 bytes of a and of b.
template <int Half, class T, int... I>
[[gnu::always_inline]] inline simd<T> join_lanes(simd<T> a, simd<T> b, std::integer_sequence<int, I...>) {
  using reg = typename simd<T>::register_type;
  constexpr int w = width<T>;
  return static_cast<reg>(__builtin_shufflevector(static_cast<reg>(a), static_cast<reg>(b),
                                                  (I % (w / 2) + Half * w / 2 + (I < w / 2 ? 0 : w))...));
}
}  // namespace detail

/// Transposes a square of width x width elements held in vectors, in log2(width) stages of width shuffles.
template <class T>
[[gnu::always_inline]] inline void transpose(simd<T> (&x)[width<T>]) {
  constexpr int w = width<T>;
  if constexpr (sizeof(simd<T>) == 32) {  // AVX: only the last stage crosses from one half of a vector to the other
    constexpr auto all = std::make_integer_sequence<int, w>{};
    simd<T> y[w];
    auto const stage = [&]<int Unit>(std::integral_constant<int, Unit>) __attribute__((always_inline)) {
#pragma GCC unroll 16
      for (int i = 0; i < w; i += 2 * Unit)
#pragma GCC unroll 16
        for (int j = i; j < i + Unit; ++j) {
          y[i + 2 * (j - i)] = detail::zip_in_lanes<Unit, 0, T>(x[j], x[j + Unit], all);
          y[i + 2 * (j - i) + 1] = detail::zip_in_lanes<Unit, 1, T>(x[j], x[j + Unit], all);
        }
#pragma GCC unroll 16
      for (int i = 0; i < w; ++i) x[i] = y[i];
    };
    stage(std::integral_constant<int, 1>{});
    if constexpr (w == 8) stage(std::integral_constant<int, 2>{});
#pragma GCC unroll 16
    for (int i = 0; i < w / 2; ++i) {
      y[i] = detail::join_lanes<0, T>(x[i], x[i + w / 2], all);
      y[i + w / 2] = detail::join_lanes<1, T>(x[i], x[i + w / 2], all);
    }
#pragma GCC unroll 16
    for (int i = 0; i < w; ++i) x[i] = y[i];
    return;
  }
#pragma GCC unroll 8
  for (int stage = 1; stage < w; stage *= 2) {
    simd<T> y[w];
#pragma GCC unroll 16
    for (int i = 0; i < w / 2; ++i) {
      y[2 * i] = detail::zip_low<T>(x[i], x[i + w / 2]);
      y[2 * i + 1] = detail::zip_high<T>(x[i], x[i + w / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < w; ++i) x[i] = y[i];
  }
}

namespace detail {
// Adds the upper half of a register to the lower until 16 bytes are left. (xsimd's hadd makes g++ 12 warn about the
// compiler's own AVX-512 header.)
template <class V, std::size_t... I>
[[gnu::always_inline]] inline auto fold(V v, std::index_sequence<I...>) {
  return __builtin_shufflevector(v, v, static_cast<int>(I)...) +
         __builtin_shufflevector(v, v, static_cast<int>(I + sizeof...(I))...);
}
template <class T, class V>
[[gnu::always_inline]] inline T sum_elements(V v) {
  if constexpr (sizeof(V) > 16) {
    return sum_elements<T>(fold(v, std::make_index_sequence<sizeof(V) / sizeof(T) / 2>{}));
  } else if constexpr (sizeof(V) / sizeof(T) == 4) {
    return (v[0] + v[2]) + (v[1] + v[3]);
  } else {
    return v[0] + v[1];
  }
}
}  // namespace detail

/// The sum of a vector's elements.
template <class T>
[[gnu::always_inline]] inline T sum(simd<T> v) {
  return detail::sum_elements<T>(static_cast<typename simd<T>::register_type>(v));
}

namespace detail {
// Where element e of a stage of `sums` comes from: units of `Unit` elements (an element, then 16 bytes) in groups of
// `Group`, taken in turn from a and b in blocks of `Block`, from the first or second half of the group.
template <int Unit, int Group, int Block, int Width>
constexpr int source(int e, bool second) {
  int const unit = e / Unit, group = unit / Group, at = unit % Group;
  int const taken = at / (2 * Block) * Block + at % Block + (second ? Group / 2 : 0);
  return (group * Group + taken) * Unit + e % Unit + (at % (2 * Block) < Block ? 0 : Width);
}
template <int Unit, int Group, int Block, class T, int... E>
[[gnu::always_inline]] inline simd<T> add_halves(simd<T> a, simd<T> b, std::integer_sequence<int, E...>) {
  using reg = typename simd<T>::register_type;
  constexpr int w = width<T>;
  return static_cast<reg>(
      __builtin_shufflevector(static_cast<reg>(a), static_cast<reg>(b), (source<Unit, Group, Block, w>(E, false))...) +
      __builtin_shufflevector(static_cast<reg>(a), static_cast<reg>(b), (source<Unit, Group, Block, w>(E, true))...));
}
template <int Stage, int Count, class T>
[[gnu::always_inline]] inline simd<T> sums_from(simd<T> const* x) {
  constexpr int w = width<T>, lane = 16 / static_cast<int>(sizeof(T));
  if constexpr ((1 << Stage) == w) {
    return x[0];
  } else {
    constexpr int left = ceil_div(Count, 2);
    simd<T> y[left];
#pragma GCC unroll 16
    for (int i = 0; i < left; ++i) {
      simd<T> const a = x[2 * i], b = 2 * i + 1 < Count ? x[2 * i + 1] : a;
      if constexpr ((1 << Stage) < lane)
        y[i] = add_halves<1, lane, 1 << Stage, T>(a, b, std::make_integer_sequence<int, w>{});
      else
        y[i] = add_halves<lane, w / lane, (1 << Stage) / lane, T>(a, b, std::make_integer_sequence<int, w>{});
    }
    return sums_from<Stage + 1, left, T>(y);
  }
}
}  // namespace detail

/// The sums of the elements of each of `Count` <= width vectors, one vector of them: about two shuffles and an addition
/// a sum. Elements from `Count` on are not specified.
template <int Count, class T>
[[gnu::always_inline]] inline simd<T> sums(simd<T> const (&x)[Count]) {
  static_assert(0 < Count && Count <= width<T>);
  return detail::sums_from<0, Count, T>(x);
}

/// Σ x_i y_i over contiguous arrays.
template <class T>
inline T dot(T const* x, T const* y, std::size_t n) {
  constexpr std::size_t w = static_cast<std::size_t>(width<T>);
  simd<T> a0(T(0)), a1(T(0)), a2(T(0)), a3(T(0));
  std::size_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    a0 = multiply_add<T>(load(x + i), load(y + i), a0);
    a1 = multiply_add<T>(load(x + i + w), load(y + i + w), a1);
    a2 = multiply_add<T>(load(x + i + 2 * w), load(y + i + 2 * w), a2);
    a3 = multiply_add<T>(load(x + i + 3 * w), load(y + i + 3 * w), a3);
  }
  for (; i + w <= n; i += w) a0 = multiply_add<T>(load(x + i), load(y + i), a0);
  if (i < n) a1 = multiply_add<T>(load_first(x + i, n - i), load_first(y + i, n - i), a1);
  return sum<T>((a0 + a1) + (a2 + a3));
}

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
