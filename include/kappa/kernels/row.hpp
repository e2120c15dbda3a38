#pragma once
/// \file
/// A linear layer on one sample, y = W x + b and its two adjoints, to be inlined where it is called: results stay in
/// registers for what comes next, `finish(vector, offset, constant elements)`, which also stores them.

#include <algorithm>
#include <cstddef>

#include <kappa/kernels/tiles.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

namespace detail {

/// Whether several rows of W [.., In] lie in one vector and can be summed there.
template <class T, int In>
inline constexpr bool short_rows = In < width<T> && 16 % (In * static_cast<int>(sizeof(T))) == 0;

// x [In] as often as a vector holds it.
template <int In, class T, int... E>
[[gnu::always_inline]] inline simd<T> repeated(T const* x, std::integer_sequence<int, E...>) {
  using reg = typename simd<T>::register_type;
  auto const v = static_cast<reg>(load_first<In>(x));
  return static_cast<reg>(__builtin_shufflevector(v, v, (E % In)...));
}
// Elements (First + e) / In of x.
template <int In, int First, class T, int... E>
[[gnu::always_inline]] inline simd<T> stretched(simd<T> x, std::integer_sequence<int, E...>) {
  using reg = typename simd<T>::register_type;
  return static_cast<reg>(
      __builtin_shufflevector(static_cast<reg>(x), static_cast<reg>(x), ((First + E) / In % width<T>)...));
}
// The sums over groups of In elements of `In` vectors, in their order in memory.
template <int In, int Block, class T>
[[gnu::always_inline]] inline simd<T> group_sums(simd<T> const* x) {
  constexpr int w = width<T>;
  constexpr auto all = std::make_integer_sequence<int, w>{};
  if constexpr (Block == In) {
    auto const in_order = []<int... E>(simd<T> v, std::integer_sequence<int, E...>) {
      using reg = typename simd<T>::register_type;
      constexpr int groups = w / In;
      return simd<T>(static_cast<reg>(
          __builtin_shufflevector(static_cast<reg>(v), static_cast<reg>(v), (E % groups * In + E / groups)...)));
    };
    return in_order(x[0], all);
  } else {
    constexpr int left = In / Block / 2;
    simd<T> y[left];
#pragma GCC unroll 4
    for (int i = 0; i < left; ++i) y[i] = add_halves<1, In, Block, T>(x[2 * i], x[2 * i + 1], all);
    return group_sums<In, 2 * Block, T>(y);
  }
}

}  // namespace detail

/// W x + bias for W [Out, In]; `bias` may be null.
template <class T, int In, int Out, class F>
[[gnu::always_inline]] inline void forward_row(T const* x, T const* w, T const* bias, F&& finish) {
  constexpr int n = width<T>, vectors = ceil_div(In, n), last = In - (vectors - 1) * n;
  auto const with_bias = [&]<int Outs>(simd<T> y, int o, constant<Outs> outs) __attribute__((always_inline)) {
    finish(bias ? y + load_first<Outs>(bias + o) : y, o, outs);
  };
  int o = 0;
  if constexpr (detail::short_rows<T, In>) {
    simd<T> const xs = detail::repeated<In>(x, std::make_integer_sequence<int, n>{});
    for (; o + n <= Out; o += n) {
      simd<T> products[In];
#pragma GCC unroll 4
      for (int j = 0; j < In; ++j) products[j] = xs * load(w + o * In + j * n);
      with_bias(detail::group_sums<In, 1, T>(products), o, constant<n>{});
    }
  }
  auto const some = [&]<int Outs>(constant<Outs> outs) __attribute__((always_inline)) {
    simd<T> acc[Outs];
    T const* const v = w + static_cast<std::ptrdiff_t>(o) * In;
    auto const step = [&]<int Count>(constant<Count>, int k) __attribute__((always_inline)) {
      simd<T> const xs = load_first<Count>(x + k);
#pragma GCC unroll 16
      for (int j = 0; j < Outs; ++j) {
        simd<T> const ws = load_first<Count>(v + j * In + k);
        acc[j] = k == 0 ? xs * ws : multiply_add<T>(xs, ws, acc[j]);
      }
    };
    if constexpr (vectors == 1) {
      step(constant<last>{}, 0);
    } else {
      step(constant<n>{}, 0);
#pragma GCC unroll 4
      for (int k = n; k < (vectors - 1) * n; k += n) step(constant<n>{}, k);
      step(constant<last>{}, (vectors - 1) * n);
    }
    with_bias(sums<Outs, T>(acc), o, outs);
  };
  for (; o + n <= Out; o += n) some(constant<n>{});
  if constexpr (Out % n != 0) some(constant<Out % n>{});
}

/// Wᵀ dy for W [Out, In]. Several sums over parts of Out, so that no addition waits for the one before.
template <class T, int In, int Out, class F>
[[gnu::always_inline]] inline void pull_row(T const* dy, T const* w, F&& finish) {
  using p = panels<T, In, 8>;
  in_panels<p, T>(
      0, p::count,
      [&]<int Vectors, int Tail>(constant<Vectors>, constant<Tail>, int panel) __attribute__((always_inline)) {
        constexpr int n = width<T>, chains = std::clamp(8 / Vectors, 1, Out);
        int const column = panel * p::panel_width;
        simd<T> acc[chains][Vectors];
        auto const step = [&](int chain, int o, bool first) __attribute__((always_inline)) {
          simd<T> const g(dy[o]);
          T const* const row = w + static_cast<std::ptrdiff_t>(o) * In + column;
#pragma GCC unroll 8
          for (int j = 0; j < Vectors; ++j) {
            simd<T> const ws = j + 1 < Vectors ? load(row + j * n) : load_first<Tail>(row + j * n);
            acc[chain][j] = first ? g * ws : multiply_add<T>(g, ws, acc[chain][j]);
          }
        };
#pragma GCC unroll 8
        for (int i = 0; i < chains; ++i) step(i, i, true);
        for (int o = chains; o < Out / chains * chains; o += chains) {
#pragma GCC unroll 8
          for (int i = 0; i < chains; ++i) step(i, o + i, false);
        }
#pragma GCC unroll 8
        for (int o = Out / chains * chains; o < Out; ++o) step(o % chains, o, false);
#pragma GCC unroll 8
        for (int j = 0; j < Vectors; ++j) {
#pragma GCC unroll 4
          for (int half = chains; half > 1; half = ceil_div(half, 2)) {
#pragma GCC unroll 4
            for (int i = ceil_div(half, 2); i < half; ++i) acc[i - ceil_div(half, 2)][j] += acc[i][j];
          }
          if (j + 1 < Vectors)
            finish(acc[0][j], column + j * n, constant<n>{});
          else
            finish(acc[0][j], column + j * n, constant<Tail>{});
        }
      });
}

/// dw = dy xᵀ for dw [Out, In], or dw += when `add`.
template <class T, int In, int Out>
[[gnu::always_inline]] inline void outer_row(T const* dy, T const* x, T* dw, bool add) {
  constexpr int n = width<T>;
  int o = 0;
  if constexpr (detail::short_rows<T, In>) {
    simd<T> const xs = detail::repeated<In>(x, std::make_integer_sequence<int, n>{});
    auto const put = [&]<int J>(constant<J>, simd<T> g) __attribute__((always_inline)) {
      T* const to = dw + o * In + J * n;
      simd<T> const v = xs * detail::stretched<In, J * n>(g, std::make_integer_sequence<int, n>{});
      store<T>(to, add ? load(to) + v : v);
    };
    for (; o + n <= Out; o += n) {
      simd<T> const g = load(dy + o);
      put(constant<0>{}, g);
      if constexpr (In > 1) put(constant<1>{}, g);
      if constexpr (In > 2) put(constant<2>{}, g);
      if constexpr (In > 2) put(constant<3>{}, g);
    }
  }
  using p = panels<T, In, 8>;
  int const first = o;
  in_panels<p, T>(
      0, p::count,
      [&]<int Vectors, int Tail>(constant<Vectors>, constant<Tail>, int panel) __attribute__((always_inline)) {
        simd<T> xs[1][Vectors];
        begin_tile<Tail, T>(xs, start::present, x + panel * p::panel_width, 0);
        T* to = dw + static_cast<std::ptrdiff_t>(first) * In + panel * p::panel_width;
        for (int i = first; i < Out; ++i, to += In) {
          simd<T> row[1][Vectors];
          if (add) begin_tile<Tail, T>(row, start::present, to, 0);
          simd<T> const g(dy[i]);
#pragma GCC unroll 8
          for (int j = 0; j < Vectors; ++j) row[0][j] = add ? multiply_add<T>(g, xs[0][j], row[0][j]) : g * xs[0][j];
          end_tile<Tail, T>(row, to, 0);
        }
      });
}

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
