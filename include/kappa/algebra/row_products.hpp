#pragma once
/// \file
/// Products with a few long rows, as block methods make them: a general product would spend its time on copying the
/// other operand into panels.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

// Code for processors without fused multiply-add leaves these products to BLAS, which finds it at run time.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)

/// A vector of 32 bytes, of the compilers' own kind.
template <real T>
struct lane {
  typedef T type __attribute__((vector_size(32)));
  static constexpr std::size_t width = 32 / sizeof(T);
  static type load(T const* p) {
    type v;
    std::memcpy(&v, p, sizeof v);
#if defined(__AVX__)
    asm("" : "+x"(v));  // in a register: GCC would read it anew for each use, and loads are what limits these loops
#endif
    return v;
  }
  /// The sums of the elements of four vectors.
  static void sums(type const (&s)[4], T* to) {
    if constexpr (width == 8) {
      type const a = __builtin_shufflevector(s[0], s[1], 0, 8, 1, 9, 4, 12, 5, 13) +
                     __builtin_shufflevector(s[0], s[1], 2, 10, 3, 11, 6, 14, 7, 15);
      type const b = __builtin_shufflevector(s[2], s[3], 0, 8, 1, 9, 4, 12, 5, 13) +
                     __builtin_shufflevector(s[2], s[3], 2, 10, 3, 11, 6, 14, 7, 15);
      type const c = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13) +
                     __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
      for (int j = 0; j < 4; ++j) to[j] = c[j] + c[j + 4];
    } else {
      type const a = __builtin_shufflevector(s[0], s[1], 0, 4, 2, 6) + __builtin_shufflevector(s[0], s[1], 1, 5, 3, 7);
      type const b = __builtin_shufflevector(s[2], s[3], 0, 4, 2, 6) + __builtin_shufflevector(s[2], s[3], 1, 5, 3, 7);
      for (int j = 0; j < 2; ++j) {
        to[j] = a[j] + a[j + 2];
        to[j + 2] = b[j] + b[j + 2];
      }
    }
  }
  static void store(T* p, type const& v) { std::memcpy(p, &v, sizeof v); }
};

/// Rows of X and Y that are taken at a time.
inline constexpr std::size_t rows_together = 4;

/// c[d ld + i] = <x_d, b_i> for four rows of X and `m` rows of B, all of n elements and `stride` apart. With `Add`, for
/// a B that comes from afar, they are added.
template <bool Add, real T>
void dots_of_rows(std::size_t n, std::size_t stride, T const* x, std::size_t m, T const* b, T* c, std::size_t ld) {
  using v = lane<T>;
  for (std::size_t i = 0; i < m; i += 2) {
    std::size_t const j = std::min(i + 1, m - 1);
    T const *const b0 = b + i * stride, *const b1 = b + j * stride;
    typename v::type s0[rows_together] = {}, s1[rows_together] = {};
    std::size_t k = 0;
    for (; k + 2 * v::width <= n; k += 2 * v::width) {  // both halves of a cache line, which lie in different banks
      if constexpr (Add) {  // the next two rows come meanwhile: they begin in other pages, which nobody foresees
        __builtin_prefetch(b0 + 2 * stride + k);
        __builtin_prefetch(b1 + 2 * stride + k);
      }
      auto const u = v::load(b0 + k), u_next = v::load(b0 + k + v::width);
      auto const w = v::load(b1 + k), w_next = v::load(b1 + k + v::width);
#pragma GCC unroll 4
      for (std::size_t d = 0; d < rows_together; ++d) {
        auto const f = v::load(x + d * stride + k), f_next = v::load(x + d * stride + k + v::width);
        s0[d] += u * f;
        s1[d] += w * f;
        s0[d] += u_next * f_next;
        s1[d] += w_next * f_next;
      }
    }
    T even[rows_together], odd[rows_together];
    v::sums(s0, even);
    v::sums(s1, odd);
    for (; k < n; ++k)
      for (std::size_t d = 0; d < rows_together; ++d) {
        even[d] += b0[k] * x[d * stride + k];
        odd[d] += b1[k] * x[d * stride + k];
      }
    for (std::size_t d = 0; d < rows_together; ++d) {
      T* const to = c + d * ld;
      if (j > i) to[j] = Add ? to[j] + odd[d] : odd[d];
      to[i] = Add ? to[i] + even[d] : even[d];
    }
  }
}

/// Four rows y_d += factor Σ_i c[d ld + i] b_i over `m` rows of B, for columns [first, last).
template <real T>
void add_combinations(std::size_t first, std::size_t last, std::size_t stride, T* y, std::size_t m, T const* c,
                      std::size_t ld, T factor, T const* b) {
  using v = lane<T>;
  constexpr std::size_t wide = 2 * v::width;
  std::size_t k = first;
  for (; k + wide <= last; k += wide) {
    typename v::type even[rows_together] = {}, odd[rows_together] = {};
    for (std::size_t i = 0; i < m; ++i) {
      auto const low = v::load(b + i * stride + k), high = v::load(b + i * stride + k + v::width);
#pragma GCC unroll 4
      for (std::size_t d = 0; d < rows_together; ++d) {
        T const f = c[d * ld + i];
        even[d] += f * low;
        odd[d] += f * high;
      }
    }
#pragma GCC unroll 4
    for (std::size_t d = 0; d < rows_together; ++d) {
      T* const to = y + d * stride + k;
      v::store(to, v::load(to) + factor * even[d]);
      v::store(to + v::width, v::load(to + v::width) + factor * odd[d]);
    }
  }
  for (; k < last; ++k)
    for (std::size_t d = 0; d < rows_together; ++d) {
      T total = 0;
      for (std::size_t i = 0; i < m; ++i) total += c[d * ld + i] * b[i * stride + k];
      y[d * stride + k] += factor * total;
    }
}

#endif

/// Y = X A for a symmetric A [n, n] and a few rows X [count, n]. Only what lies on and below A's diagonal blocks is
/// read, once for every four rows of X, and acts as it lies and as its transpose while it is in a near cache. Blocks of
/// rows are shared out to threads, each with a Y of its own.
template <real T>
void symmetric_times_rows(std::size_t n, T const* a, std::size_t count, T const* x, T* y) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  if (count > 32) {  // no longer a few
    lapack::gemm(false, false, count, n, n, T(1), x, a, T(0), y);
    return;
  }
  constexpr std::size_t together = rows_together, block = 16;
  std::size_t const rounds = (count + together - 1) / together, blocks = (n + block - 1) / block,
                    whole = rounds * together * n;
  auto const parts =
      std::min({static_cast<std::size_t>(threads()), blocks, 1 + count * n * n / (std::size_t{1} << 19)});
  std::vector<T> padded, sums(parts * whole);
  if (count % together != 0) {  // whole groups; what is missing of the last one are zeros
    padded.assign(whole, T(0));
    std::copy_n(x, count * n, padded.data());
    x = padded.data();
  }
  parallel_ranges(parts, 1, 1, [&](std::size_t first, std::size_t last) {
    for (std::size_t part = first; part < last; ++part)
      for (std::size_t at = part; at < blocks; at += parts)
        for (std::size_t round = 0; round < rounds; ++round) {
          std::size_t const i = at * block, height = std::min(n - i, block);
          T const *const rows = a + i * n, *const from = x + round * together * n;
          T* const to = sums.data() + part * whole + round * together * n;
          dots_of_rows<true>(i, n, from, height, rows, to + i, n);
          add_combinations(std::size_t{0}, i + height, n, to, height, from + i, n, T(1), rows);
        }
  });
  std::copy_n(sums.data(), count * n, y);
  for (std::size_t part = 1; part < parts; ++part)
    for (std::size_t k = 0; k < count * n; ++k) y[k] += sums[part * whole + k];
#else
  lapack::gemm(false, false, count, n, n, T(1), x, a, T(0), y);
#endif
}

/// C = X Bᵀ, [count, m], for a few long rows X [count, n] and B [m, n].
template <real T>
void rows_times_rows(std::size_t n, std::size_t count, T const* x, std::size_t m, T const* b, T* c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  if (count % rows_together == 0) {
    for (std::size_t r = 0; r < count; r += rows_together) dots_of_rows<false>(n, n, x + r * n, m, b, c + r * m, m);
    return;
  }
#endif
  lapack::gemm(false, true, count, m, n, T(1), x, b, T(0), c);
}

/// X -= C B for a few long rows X [count, n], C [count, m] and B [m, n].
template <real T>
void subtract_rows(std::size_t n, std::size_t count, T* x, std::size_t m, T const* c, T const* b) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  if (count % rows_together == 0) {
    for (std::size_t r = 0; r < count; r += rows_together)
      add_combinations(std::size_t{0}, n, n, x + r * n, m, c + r * m, m, T(-1), b);
    return;
  }
#endif
  lapack::gemm(false, false, count, n, m, T(-1), c, b, T(1), x);
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
