#pragma once
/// \file
/// What a linear layer's derivatives need when a pool reads its outputs. The vectors that arrive at the outputs of a
/// layer [Out, In] at R positions are zero but where the pool chose an element: P windows give P Out elements of R Out,
/// and fewer where a rectifier behind the pool set some to zero. One sample has
///
///     inputs a [R, In],   vectors g [K, P, Out],   place [P, Out], the position of what the pool chose,
///
/// and T_k = Σ_p g_kp a at its places, [Out, In]. No element is chosen twice. Numbers of positions are elements of T,
/// which are exact below 2^24. Sizes are known at run time only, so that all layers share this code.

#include <algorithm>
#include <cstddef>

#include <kappa/declare/patch_geometry.hpp>
#include <kappa/kernels/tiles.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

/// The vectors of N samples at the places that a pool chose, [N, K, P, Out] and [N, P, Out].
template <class T>
struct chosen_vectors {
  std::size_t windows = 0;
  T const* places = nullptr;
  T const* vectors = nullptr;
};

/// The vectors of one sample, and what is made of them.
template <class T>
class chosen {
 public:
  chosen(std::size_t k, std::size_t windows, std::size_t outputs, T const* places, T const* vectors)
      : count(k), p(windows), out(outputs), place(places), g(vectors) {}

  /// Elements of scratch that everything here needs but `add_turned_squares`, for a layer that sees `positions`.
  static constexpr std::size_t scratch_elements(std::size_t k, std::size_t windows, std::size_t outputs,
                                                std::size_t positions) {
    return windows * outputs * (2 + padded(k)) + std::max(positions, outputs) + 1;
  }
  /// Elements that `add_turned_squares` needs.
  static constexpr std::size_t turning_scratch(std::size_t k, std::size_t windows, std::size_t outputs) {
    return scratch_elements(k, windows, outputs, 0) + 2 * lanes * padded(k) * outputs;
  }

  /// out_w [Out, In] += T in the rows [first, last). \pre K = 1.
  void add_to(std::size_t in, T const* a, std::size_t first, std::size_t last, T* out_w, T* scratch) const {
    over_weights(in, a, first, last, scratch, [=](auto const& acc, auto const& at, std::size_t o, std::size_t) {
      update(acc[0], at, out_w + o * in, [](simd<T> was, simd<T> now) { return was + now; });
    });
  }

  /// Writes the rows [first, last) of all T_k: row o of T_k to where row_of(k, o) says.
  template <class Place>
  void form(std::size_t in, T const* a, std::size_t first, std::size_t last, Place&& row_of, T* scratch) const {
    over_weights(in, a, first, last, scratch,
                 [&, vectors = count]<int Rows, int V>(simd<T> const(&acc)[Rows][V], auto const& at, std::size_t o,
                                                       std::size_t k) {
                   for (std::size_t i = 0; i < Rows && k + i < vectors; ++i)
                     update(acc[i], at, row_of(k + i, o), [](simd<T>, simd<T> now) { return now; });
                 });
  }

  /// out_w [Out, In] += Σ_k T_k ∘ T_k in the rows [first, last).
  void add_squares(std::size_t in, T const* a, std::size_t first, std::size_t last, T* out_w, T* scratch) const {
    over_weights(in, a, first, last, scratch,
                 [=]<int Rows, int V>(simd<T> const(&acc)[Rows][V], auto const& at, std::size_t o, std::size_t) {
                   simd<T> squares[V];
#pragma GCC unroll 8
                   for (int j = 0; j < V; ++j) squares[j] = sum_of_squares(acc, j);
                   update(squares, at, out_w + o * in, [](simd<T> was, simd<T> now) { return was + now; });
                 });
  }

  /// out_w [Out, In] += Σ_k (U T_k) ∘ (U T_k) in the columns [first, last), for U [Out, Out]. A few columns of all T_k
  /// are formed in the first-level cache and turned there.
  void add_turned_squares(std::size_t in, T const* a, T const* u, std::size_t first, std::size_t last, T* out_w,
                          T* scratch) const {
    std::size_t const stride = padded(count);
    entries_by_output const all = by_output(0, out, scratch);
    T* const formed = scratch + scratch_elements(count, p, out, 0);  // [K, Out, columns]
    in_pieces<2>(last - first, [&]<int V, bool Whole>(constant<V>, piece<Whole> const& at) {
      piece<Whole> const columns{first + at.first, at.in_last};
      constexpr std::size_t row = V * lanes;
      auto const keep = [&]<int Rows>(simd<T> const(&acc)[Rows][V], piece<Whole> const&, std::size_t o, std::size_t k) {
#pragma GCC unroll 8
        for (int i = 0; i < Rows; ++i)
          update(acc[i], piece<true>{0, lanes}, formed + ((k + static_cast<std::size_t>(i)) * out + o) * row,
                 [](simd<T>, simd<T> now) { return now; });
      };
      if (count == 1)
        tiles<1, V>(all, in, a, 0, out, columns, 0, keep);
      else
        for (std::size_t k = 0; k < stride; k += most) tiles<most, V>(all, in, a, 0, out, columns, k, keep);
      auto const turn = [&]<int Rows>(constant<Rows>, std::size_t o) {
        simd<T> total[Rows][V];
        clear(total);
        for (std::size_t k = 0; k < count; ++k) {
          simd<T> acc[Rows][V], b[V];
          clear(acc);
          T const* from = formed + k * out * row;
          for (std::size_t d = 0; d < out; ++d, from += row) {
            read(from, piece<true>{0, lanes}, b);
            add_outer(u + o * out + d, b, acc, out);
          }
#pragma GCC unroll 8
          for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 2
            for (int j = 0; j < V; ++j) total[i][j] = multiply_add<T>(acc[i][j], acc[i][j], total[i][j]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < Rows; ++i)
          update(total[i], columns, out_w + (o + static_cast<std::size_t>(i)) * in,
                 [](simd<T> was, simd<T> now) { return was + now; });
      };
      std::size_t o = 0;
      for (; o + 6 <= out; o += 6) turn(constant<6>{}, o);
      for (; o + 2 <= out; o += 2) turn(constant<2>{}, o);
      if (o < out) turn(constant<1>{}, o);
    });
  }

  /// Σ_k ‖T_k‖².
  T squared_norm(std::size_t in, T const* a, T* scratch) const {
    simd<T> total(T(0));
    over_weights(in, a, 0, out, scratch,
                 [&]<int Rows, int V>(simd<T> const(&acc)[Rows][V], auto const&, std::size_t, std::size_t) {
#pragma GCC unroll 8
                   for (int j = 0; j < V; ++j) total += sum_of_squares(acc, j);  // zero beyond the last element
                 });
    return sum<T>(total);
  }

  /// out_b [Out] += Σ_k b_k ∘ b_k with b_k = Σ_p g_kp.
  void add_bias_squares(T* out_b) const {
    over_biases([=](auto const& b, auto const& at) {
      update(b, at, out_b, [](simd<T> was, simd<T> now) { return multiply_add<T>(now, now, was); });
    });
  }

  /// Σ_k ‖b_k‖².
  T squared_bias_norm() const {
    simd<T> total(T(0));
    over_biases([&](simd<T> const(&b)[1], auto const&) { total = multiply_add<T>(b[0], b[0], total); });
    return sum<T>(total);
  }

  /// m [Out, Out] += scale Σ_k s_k s_kᵀ on and below the diagonal in row blocks [first, last) of `row_blocks`, with s_k
  /// [R, Out] the vectors of which g_k are the chosen elements: of two outputs those windows count that chose one
  /// position for both. What is above the diagonal is unspecified.
  void add_second_moment(T scale, std::size_t first, std::size_t last, T* m) const {
    for (std::size_t i = 0; i < p; ++i)
      for (std::size_t block = first; block < last; ++block) {
        std::size_t const o = block * block_rows;
        if (o + block_rows <= out)
          add_products<block_rows>(i, o, scale, m);
        else
          for (std::size_t row = o; row < out; ++row) add_products<1>(i, row, scale, m);
      }
  }
  static constexpr std::size_t row_blocks(std::size_t outputs) { return (outputs + block_rows - 1) / block_rows; }

  /// The vectors at the image under the patches, [K, rows, columns, channels] (=, or += with `add`): an element gathers
  /// the weights of all chosen elements whose position saw it. w [Out, In] with In = height width channels; R = down
  /// across.
  void pull(patch_geometry const& geometry, T const* w, T* image, bool add, T* scratch) const {
    entries_by_position const all = by_position(geometry, scratch);
    if (count == 1)
      gather<1>(geometry, all, w, 0, image, add);
    else
      for (std::size_t k = 0; k < count; k += most) gather<most>(geometry, all, w, k, image, add);
  }

 private:
  static constexpr std::size_t lanes = static_cast<std::size_t>(width<T>);
  // Vectors taken together: ten sums with two registers of weights, where there are sixteen registers.
  static constexpr int most = 5;
  static constexpr int block_rows = 4;
  static constexpr std::size_t padded(std::size_t k) { return k == 1 ? 1 : (k + most - 1) / most * most; }

  std::size_t count, p, out;
  T const* place;
  T const* g;

  template <int Rows, int V>
  [[gnu::always_inline]] static simd<T> sum_of_squares(simd<T> const (&acc)[Rows][V], int j) {
    simd<T> total = acc[0][j] * acc[0][j];
#pragma GCC unroll 8
    for (int i = 1; i < Rows; ++i) total = multiply_add<T>(acc[i][j], acc[i][j], total);
    return total;
  }

  // Some vectors of a row from an element on; the last one may have fewer elements than fit.
  template <bool Whole>
  struct piece {
    std::size_t first, in_last;
  };
  // f(constant vectors, piece) over a row of n elements, `Most` vectors at a time, then half as many, then one.
  template <int Most, class F>
  [[gnu::always_inline]] static void in_pieces(std::size_t n, F&& f) {
    std::size_t first = 0;
    auto const some = [&]<int V>(constant<V> vectors) {
      for (; first + V * lanes <= n; first += V * lanes) f(vectors, piece<true>{first, lanes});
      if (first + (V - 1) * lanes < n && first + V * lanes > n) {
        f(vectors, piece<false>{first, n - first - (V - 1) * lanes});
        first = n;
      }
    };
    some(constant<Most>{});
    if constexpr (Most > 2) some(constant<Most / 2>{});
    if constexpr (Most > 1) some(constant<1>{});
  }
  template <int V, bool Whole>
  [[gnu::always_inline]] static void read(T const* from, piece<Whole> const& at, simd<T> (&b)[V]) {
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j) {
      T const* const x = from + at.first + j * width<T>;
      b[j] = Whole || j + 1 < V ? load(x) : load_first(x, at.in_last);
    }
  }
  // to = f(to, what).
  template <int V, bool Whole, class F>
  [[gnu::always_inline]] static void update(simd<T> const (&what)[V], piece<Whole> const& at, T* to, F&& f) {
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j) {
      T* const x = to + at.first + j * width<T>;
      if (Whole || j + 1 < V)
        store<T>(x, f(load(x), what[j]));
      else
        store_first(x, f(load_first(x, at.in_last), what[j]), at.in_last);
    }
  }
  template <int Rows, int V>
  [[gnu::always_inline]] static void clear(simd<T> (&acc)[Rows][V]) {
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) acc[i][j] = simd<T>(T(0));
  }
  // acc += v bᵀ for elements of v that are `apart`.
  template <int Rows, int V>
  [[gnu::always_inline]] static void add_outer(T const* v, simd<T> const (&b)[V], simd<T> (&acc)[Rows][V],
                                               std::size_t apart = 1) {
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      simd<T> const one(v[static_cast<std::size_t>(i) * apart]);
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) acc[i][j] = multiply_add<T>(one, b[j], acc[i][j]);
    }
  }

  template <class F>
  void over_biases(F&& f) const {
    for (std::size_t k = 0; k < count; ++k)
      in_pieces<1>(out, [&](constant<1>, auto const& at) {
        simd<T> b[1] = {simd<T>(T(0))}, next[1];
        for (std::size_t i = 0; i < p; ++i) {
          read(g + (k * p + i) * out, at, next);
          b[0] += next[0];
        }
        f(b, at);
      });
  }

  // Chosen elements that are not zero, output by output, with room for P of each.
  struct entries_by_output {
    T const* counts;     // [outputs]
    T const* positions;  // [outputs, P]
    T const* values;     // [outputs, P, padded K], beyond K zero
  };
  entries_by_output by_output(std::size_t first, std::size_t last, T* scratch) const {
    std::size_t const stride = padded(count), outputs = last - first;
    T* const counts = scratch;
    T* const positions = counts + outputs;
    T* const values = positions + p * outputs;
    std::fill_n(counts, outputs, T(0));
    for (std::size_t i = 0; i < p; ++i)  // window by window, as they lie
      for (std::size_t o = 0; o < outputs; ++o) {
        std::size_t const entry = o * p + static_cast<std::size_t>(counts[o]);
        T const* from = g + i * out + first + o;
        T* const to = values + entry * stride;
        bool any = false;
        for (std::size_t k = 0; k < count; ++k, from += p * out) {
          to[k] = *from;
          any = any || *from != T(0);
        }
        for (std::size_t k = count; k < stride; ++k) to[k] = T(0);
        positions[entry] = place[i * out + first + o];
        counts[o] += any ? T(1) : T(0);  // without a branch: which elements are zero cannot be foreseen
      }
    return {counts, positions, values};
  }

  // Calls f(acc, piece, row, k) for one piece of the rows [first, last) of T, of the vectors [k, k + Rows).
  template <int Rows, int V, bool Whole, class F>
  [[gnu::always_inline]] void tiles(entries_by_output const& all, std::size_t in, T const* a, std::size_t first,
                                    std::size_t last, piece<Whole> const& at, std::size_t k, F&& f) const {
    std::size_t const stride = padded(count);
    for (std::size_t o = first; o < last; ++o) {
      std::size_t const begin = (o - first) * p, end = begin + static_cast<std::size_t>(all.counts[o - first]);
      simd<T> acc[Rows][V];
      clear(acc);
      for (std::size_t e = begin; e < end; ++e) {
        simd<T> b[V];
        read(a + static_cast<std::size_t>(all.positions[e]) * in, at, b);
        add_outer(all.values + e * stride + k, b, acc);
      }
      f(acc, at, o, k);
    }
  }

  // The same for all pieces. A few columns of all inputs stay in the first-level cache while the rows pass.
  template <class F>
  void over_weights(std::size_t in, T const* a, std::size_t first, std::size_t last, T* scratch, F&& f) const {
    entries_by_output const all = by_output(first, last, scratch);
    if (count == 1)
      in_pieces<8>(in, [&]<int V>(constant<V>, auto const& at) { tiles<1, V>(all, in, a, first, last, at, 0, f); });
    else
      in_pieces<2>(in, [&]<int V>(constant<V>, auto const& at) {
        for (std::size_t k = 0; k < padded(count); k += most) tiles<most, V>(all, in, a, first, last, at, k, f);
      });
  }

  // Rows [o, o + Rows) of the second moment, from window i.
  template <int Rows>
  void add_products(std::size_t i, std::size_t o, T scale, T* m) const {
    T const* const at_places = place + i * out;
    in_pieces<2>(o + Rows, [&]<int V, bool Whole>(constant<V>, piece<Whole> const& at) {
      simd<T> acc[Rows][V], b[V];
      clear(acc);
      for (std::size_t k = 0; k < count; ++k) {
        T const* const row = g + (k * p + i) * out;
        read(row, at, b);
        add_outer(row + o, b, acc);
      }
      read(at_places, at, b);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        simd<T> const here(at_places[o + static_cast<std::size_t>(r)]);
#pragma GCC unroll 8
        for (int j = 0; j < V; ++j) acc[r][j] = xsimd::select(here == b[j], acc[r][j] * simd<T>(scale), simd<T>(T(0)));
        update(acc[r], at, m + (o + static_cast<std::size_t>(r)) * out,
               [](simd<T> was, simd<T> now) { return was + now; });
      }
    });
  }

  // Chosen elements that are not zero, position by position.
  struct entries_by_position {
    T const* begin;   // [R + 1]: where a position's entries begin
    T const* base;    // where the weights of an entry lie, less what depends on the element of the image
    T const* values;  // [entries, padded K]
  };
  entries_by_position by_position(patch_geometry const& s, T* scratch) const {
    std::size_t const positions = static_cast<std::size_t>(s.down) * static_cast<std::size_t>(s.across), all = p * out;
    auto const in = static_cast<std::size_t>(s.elements());
    std::size_t const stride = padded(count);
    T* const begin = scratch;
    T* const base = begin + positions + 1;
    T* const any = base + all;
    T* const values = any + all;
    for (std::size_t e = 0; e < all; ++e) any[e] = g[e] != T(0) ? T(1) : T(0);
    for (std::size_t k = 1; k < count; ++k)
      for (std::size_t e = 0; e < all; ++e) any[e] = g[k * all + e] != T(0) ? T(1) : any[e];
    // Counts of position r at r + 2, then where it begins at r + 1, which moves on as it is filled.
    std::fill_n(begin, positions + 1, T(0));
    for (std::size_t e = 0; e < all; ++e) {
      auto const r = static_cast<std::size_t>(place[e]);
      if (r + 2 <= positions) begin[r + 2] += any[e];
    }
    for (std::size_t r = 2; r <= positions; ++r) begin[r] += begin[r - 1];
    for (std::size_t i = 0; i < p; ++i)
      for (std::size_t o = 0; o < out; ++o) {
        std::size_t const e = i * out + o;
        if (any[e] == T(0)) continue;
        auto const r = static_cast<std::size_t>(place[e]);
        auto const to = static_cast<std::size_t>(begin[r + 1]);
        begin[r + 1] += T(1);
        auto const column = static_cast<std::ptrdiff_t>(r % static_cast<std::size_t>(s.across));
        base[to] = static_cast<T>(static_cast<std::ptrdiff_t>(o * in) - column * s.stride_width * s.channels);
        for (std::size_t k = 0; k < stride; ++k) values[to * stride + k] = k < count ? g[k * all + e] : T(0);
      }
    return {begin, base, values};
  }

  // The windows of one axis that see element x: [first, last].
  struct range {
    int first, last;
  };
  static range seen_from(int x, int before, int taps, int stride, int windows) {
    int const last = x + before, first = last - taps + 1;
    if (stride == 1) return {std::max(0, first), std::min(windows - 1, last)};
    return {first <= 0 ? 0 : (first + stride - 1) / stride, std::min(windows - 1, last / stride)};
  }

  // Vectors [k, k + Rows), one row of taps after the other, whose weights then stay in the first-level cache. A single
  // vector has several sums, of entries in turn, so that none waits for another.
  template <int Rows>
  void gather(patch_geometry const& s, entries_by_position const& all, T const* weights, std::size_t k, T* image,
              bool add) const {
    std::size_t const size = static_cast<std::size_t>(s.rows * s.columns) * static_cast<std::size_t>(s.channels);
    std::size_t const vectors = std::min(count - k, static_cast<std::size_t>(Rows));
    image += k * size;
    if (!add) std::fill_n(image, vectors * size, T(0));
    for (int tap = 0; tap < s.height; ++tap, weights += s.width * s.channels)
      for (int down = 0; down < s.down; ++down) {
        int const y = down * s.stride_height - s.top + tap;
        if (y < 0 || y >= s.rows) continue;
        T const* const begin = all.begin + down * s.across;
        for (int x = 0; x < s.columns; ++x) {
          range const j = seen_from(x, s.left, s.width, s.stride_width, s.across);
          if (j.first > j.last) continue;
          auto const first = static_cast<std::size_t>(begin[j.first]),
                     end = static_cast<std::size_t>(begin[j.last + 1]);
          if (first == end) continue;
          add_taps<Rows>(all, first, end, weights + (x + s.left) * s.channels, static_cast<std::size_t>(s.channels), k,
                         image + (y * s.columns + x) * s.channels, size, vectors);
        }
      }
  }
  // to [vectors, channels], `size` elements apart, += the weights of entries [first, end).
  template <int Rows>
  [[gnu::always_inline]] void add_taps(entries_by_position const& all, std::size_t first, std::size_t end,
                                       T const* weights, std::size_t channels, std::size_t k, T* to, std::size_t size,
                                       std::size_t vectors) const {
    constexpr int chains = Rows == 1 ? 4 : 1;
    std::size_t const stride = padded(count);
    in_pieces<2>(channels, [&]<int V, bool Whole>(constant<V>, piece<Whole> const& at) {
      simd<T> acc[chains][Rows][V];
#pragma GCC unroll 4
      for (int c = 0; c < chains; ++c) clear(acc[c]);
      auto const take = [&](std::size_t e, simd<T>(&sum)[Rows][V]) {
        simd<T> b[V];
        read(weights + static_cast<std::ptrdiff_t>(all.base[e]), at, b);
        add_outer(all.values + e * stride + k, b, sum);
      };
      std::size_t e = first;
      for (; e + chains <= end; e += chains)
#pragma GCC unroll 4
        for (std::size_t c = 0; c < chains; ++c) take(e + c, acc[c]);
      for (; e < end; ++e) take(e, acc[0]);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        if (static_cast<std::size_t>(r) >= vectors) break;
#pragma GCC unroll 4
        for (int c = 1; c < chains; ++c)
#pragma GCC unroll 2
          for (int v = 0; v < V; ++v) acc[0][r][v] += acc[c][r][v];
        update(acc[0][r], at, to + static_cast<std::size_t>(r) * size,
               [](simd<T> was, simd<T> now) { return was + now; });
      }
    });
  }
};

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
