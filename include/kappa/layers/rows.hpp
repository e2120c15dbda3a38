#pragma once
/// \file
/// Sums of rows, what small products inside a layer are made of.

#include <cstddef>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// y += Σ_k a_k x_k for `Columns` columns, which stay in registers; two sums at a time hide the latency of one.
template <int Columns, class T>
void add_rows_of(std::size_t count, T const* __restrict a, std::size_t step, T const* __restrict x, std::size_t stride,
                 T* __restrict y) {
  T even[Columns]{}, odd[Columns]{};
  std::size_t k = 0;
  for (; k + 1 < count; k += 2) {
    T const a_even = a[k * step], a_odd = a[(k + 1) * step];
    T const* const x_even = x + k * stride;
    T const* const x_odd = x_even + stride;
    for (int c = 0; c < Columns; ++c) even[c] += a_even * x_even[c];
    for (int c = 0; c < Columns; ++c) odd[c] += a_odd * x_odd[c];
  }
  if (k < count)
    for (int c = 0; c < Columns; ++c) even[c] += a[k * step] * x[k * stride + static_cast<std::size_t>(c)];
  for (int c = 0; c < Columns; ++c) y[c] += even[c] + odd[c];
}

/// y += Σ_k a_k x_k over `count` rows of `size` elements; a_k stands at a[k · step], x_k at x[k · stride].
template <class T>
void add_rows(std::size_t size, std::size_t count, T const* a, std::size_t step, T const* x, std::size_t stride, T* y) {
  constexpr int wide = static_cast<int>(64 / sizeof(T)), narrow = wide / 4;
  std::size_t c = 0;
  for (; c + wide <= size; c += wide) add_rows_of<wide>(count, a, step, x + c, stride, y + c);
  for (; c + narrow <= size; c += narrow) add_rows_of<narrow>(count, a, step, x + c, stride, y + c);
  for (; c < size; ++c) add_rows_of<1>(count, a, step, x + c, stride, y + c);
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
