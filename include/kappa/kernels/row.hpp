#pragma once
/// \file
/// A linear layer on one sample, y = W x + b and its two adjoints, to be inlined where it is called: results stay in
/// registers for what comes next, `finish(vector, offset, constant elements)`, which also stores them.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include <kappa/kernels/elementary.hpp>
#include <kappa/kernels/tiles.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

namespace detail {

/// Whether several rows of W [.., In] lie in one vector and can be summed there.
template <class T, int In>
inline constexpr bool short_rows = In < width<T> && sizeof(simd<T>) <= 32 &&
                                   16 % (In * static_cast<int>(sizeof(T))) == 0;

// x [In] as often as a vector holds it.
template <int In, class T>
[[gnu::always_inline]] inline simd<T> repeated(T const* x) {
  if constexpr (In == 1) {
    return simd<T>(x[0]);
  } else if constexpr (In * sizeof(T) == 8) {  // one broadcast
    typedef std::int64_t pairs __attribute__((vector_size(sizeof(simd<T>))));
    std::int64_t pair;
    std::memcpy(&pair, x, sizeof pair);
    return std::bit_cast<reg<T>>(pairs{} + pair);
  } else {
    return [&]<int... E>(std::integer_sequence<int, E...>) __attribute__((always_inline)) {
      auto const v = static_cast<reg<T>>(load_first<In>(x));
      return simd<T>(static_cast<reg<T>>(__builtin_shufflevector(v, v, (E % In)...)));
    }
    (std::make_integer_sequence<int, width<T>>{});
  }
}
// Elements (First + e) / In of x.
template <int In, int First, class T, int... E>
[[gnu::always_inline]] inline simd<T> stretched(simd<T> x, std::integer_sequence<int, E...>) {
  using reg = typename simd<T>::register_type;
  return static_cast<reg>(
      __builtin_shufflevector(static_cast<reg>(x), static_cast<reg>(x), ((First + E) / In % width<T>)...));
}
// Evens plus odds of 16 bytes of a and then of b, for every 16 bytes.
template <class T, int... E>
[[gnu::always_inline]] inline simd<T> add_pairs(simd<T> a, simd<T> b, std::integer_sequence<int, E...>) {
  constexpr int lane = 16 / static_cast<int>(sizeof(T));
  auto const from = [](int e, int odd) constexpr {
    int const at = e % lane;
    return e / lane * lane + 2 * (at % (lane / 2)) + odd + (at < lane / 2 ? 0 : width<T>);
  };
  return static_cast<reg<T>>(__builtin_shufflevector(static_cast<reg<T>>(a), static_cast<reg<T>>(b), (from(E, 0))...) +
                             __builtin_shufflevector(static_cast<reg<T>>(a), static_cast<reg<T>>(b), (from(E, 1))...));
}
// Part `Part` of 16 bytes of every vector of 32 or 64, gathered from the In vectors of x so that sums within 16 bytes
// come out in order.
template <int In, int Part, class T, int... E>
[[gnu::always_inline]] inline simd<T> lanes_of(simd<T> const* x, std::integer_sequence<int, E...>) {
  constexpr int lane = 16 / static_cast<int>(sizeof(T)), lanes = width<T> / lane;
  static_assert(lanes <= 2);
  if constexpr (lanes == 1) {
    return x[Part];
  } else {  // in memory's order lane l of the result is lane Part + l In
    constexpr int first = Part, second = Part + In;
    return static_cast<reg<T>>(
        __builtin_shufflevector(static_cast<reg<T>>(x[first / 2]), static_cast<reg<T>>(x[second / 2]),
                                (E < lane ? first % 2 * lane + E : width<T> + second % 2 * lane + E - lane)...));
  }
}
// The sums over groups of In elements of `In` vectors, in their order in memory.
template <int In, class T>
[[gnu::always_inline]] inline simd<T> group_sums(simd<T> const (&x)[In]) {
  constexpr auto all = std::make_integer_sequence<int, width<T>>{};
  if constexpr (In == 1) {
    return x[0];
  } else if constexpr (In == 2) {
    return add_pairs<T>(lanes_of<In, 0, T>(x, all), lanes_of<In, 1, T>(x, all), all);
  } else {
    static_assert(In == 4);
    return add_pairs<T>(add_pairs<T>(lanes_of<In, 0, T>(x, all), lanes_of<In, 1, T>(x, all), all),
                        add_pairs<T>(lanes_of<In, 2, T>(x, all), lanes_of<In, 3, T>(x, all), all), all);
  }
}

// acc[0][j] += acc[1][j] + ... up to `Chains`, in a tree. (A loop over its levels would not be unrolled, and would keep
// the accumulators in memory.)
template <int Chains, class V, int Rows, int Vectors>
[[gnu::always_inline]] inline void add_chains(V (&acc)[Rows][Vectors], int j) {
  if constexpr (Chains > 1) {
    constexpr int half = ceil_div(Chains, 2);
#pragma GCC unroll 4
    for (int i = half; i < Chains; ++i) acc[i - half][j] += acc[i][j];
    add_chains<half>(acc, j);
  }
}

}  // namespace detail

/// Watches vectors for NaN and infinities at one operation each: v 0 is NaN for those, and so is every sum with it. The
/// zero is hidden from compilers that were told that there is no NaN.
template <class T>
class finite_watch {
 public:
  [[gnu::always_inline]] void see(simd<T> v, int chain) {
    total[chain % 2] = multiply_add<T>(v, zero, total[chain % 2]);
  }
  [[gnu::always_inline]] bool finite() const {
    T const all = sum<T>(total[0] + total[1]);
    using bits = typename detail::integers<T>::element;
    constexpr auto exponent = std::bit_cast<bits>(std::numeric_limits<T>::infinity());
    return (std::bit_cast<bits>(all) & exponent) != exponent;
  }

 private:
  T const volatile hidden = 0;
  simd<T> const zero = simd<T>(static_cast<T>(hidden));
  simd<T> total[2] = {zero, zero};
};

/// W x + bias for W [Out, In]; `bias` may be null. `watch` sees the result, in which every NaN and infinity of W, x and
/// the bias shows.
template <class T, int In, int Out, class F>
[[gnu::always_inline]] inline void forward_row(T const* x, T const* w, T const* bias, finite_watch<T>& watch,
                                               F&& finish) {
  constexpr int n = width<T>, vectors = ceil_div(In, n), last = In - (vectors - 1) * n;
  auto const with_bias = [&]<int Outs>(simd<T> y, int o, constant<Outs> outs) __attribute__((always_inline)) {
    if (bias) y += load_first<Outs>(bias + o);
    watch.see(y, o / n);
    finish(y, o, outs);
  };
  int o = 0;
  if constexpr (detail::short_rows<T, In>) {
    simd<T> const xs = detail::repeated<In>(x);
    for (; o + n <= Out; o += n) {
      simd<T> products[In];
#pragma GCC unroll 4
      for (int j = 0; j < In; ++j) products[j] = xs * load(w + o * In + j * n);
      with_bias(detail::group_sums<In, T>(products), o, constant<n>{});
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
          detail::add_chains<chains>(acc, j);
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
    simd<T> const xs = detail::repeated<In>(x);
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

/// to = from [Size], or to += from when `add`.
template <class T, int Size>
[[gnu::always_inline]] inline void add_row(T const* from, T* to, bool add) {
  in_vectors<T, Size>([&]<int N>(constant<N>, int i) __attribute__((always_inline)) {
    simd<T> const v = load_first<N>(from + i);
    store_first<N, T>(to + i, add ? load_first<N>(to + i) + v : v);
  });
}

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
