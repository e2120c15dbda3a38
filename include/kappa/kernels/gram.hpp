#pragma once
/// \file
/// Symmetric products: second moments Xᵀ X, Gram matrices X Xᵀ, and the Gram matrix of weight-space columns
/// T_{nk} = Σ_r s_{nkr} a_{nr}ᵀ without forming any of them.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

#include <kappa/kernels/blas.hpp>
#include <kappa/kernels/chosen.hpp>
#include <kappa/kernels/tiles.hpp>
#include <kappa/plan/choose.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

namespace detail {

// f(thread, first_row, last_row) on blocks of rows, the long ones of a lower triangle first: a thread that is free
// takes the next, so that none waits for long at the end.
template <class F>
void deal_rows(std::size_t n, std::size_t block, std::size_t work, int most_threads, F&& f) {
  std::size_t const blocks = (n + block - 1) / block;
  std::size_t const wanted = std::min({static_cast<std::size_t>(most_threads), static_cast<std::size_t>(threads()),
                                       blocks, 1 + work / (std::size_t{1} << 20)});
  std::atomic<std::size_t> dealt{0};
  parallel_ranges(wanted, 1, 1, [&](std::size_t first, std::size_t) {
    for (std::size_t taken; (taken = dealt.fetch_add(1, std::memory_order_relaxed)) < blocks;) {
      std::size_t const b = blocks - 1 - taken;
      f(first, b * block, std::min(n, (b + 1) * block));
    }
  });
}

// to = fromᵀ for squares of a vector's width, in registers.
template <class T>
[[gnu::always_inline]] inline void transpose_square(T const* from, T* to, std::size_t ld) {
  constexpr std::size_t w = static_cast<std::size_t>(width<T>);
  simd<T> x[w];
#pragma GCC unroll 16
  for (std::size_t q = 0; q < w; ++q) x[q] = load(from + q * ld);
  transpose<T>(x);
#pragma GCC unroll 16
  for (std::size_t q = 0; q < w; ++q) store<T>(to + q * ld, x[q]);
}

}  // namespace detail

/// Copies the triangle below the diagonal of G [n, n] (leading dimension ld) to the one above.
template <class T>
void mirror(T* g, std::size_t n, std::size_t ld) {
  constexpr std::size_t w = static_cast<std::size_t>(width<T>);
  // Squares of a vector's width are transposed in registers, block by block, so that few pages are in use at a time and
  // cache lines are read and written whole.
  constexpr std::size_t block = 128 / sizeof(T);
  std::size_t const whole = n / w * w;
  detail::deal_rows(whole, block, n * n, threads(), [&](std::size_t, std::size_t begin, std::size_t end) {
    for (std::size_t to = begin; to < whole; to += block)
      for (std::size_t i = begin; i < end; i += w)
        for (std::size_t j = std::max(to, i + w); j < std::min(to + block, whole); j += w)
          detail::transpose_square(g + j * ld + i, g + i * ld + j, ld);
  });
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < std::min(n, i / w * w + w); ++j) g[i * ld + j] = g[j * ld + i];
    for (std::size_t j = std::max(i + 1, whole); j < n; ++j) g[i * ld + j] = g[j * ld + i];
  }
}
template <class T>
void mirror(T* g, std::size_t n) {
  mirror(g, n, n);
}

namespace detail {

// Copies what lies below the diagonal in rows [first, last) of G [n, n] to those columns, above it: while these rows
// are in a near cache.
template <class T>
void mirror_rows(T* g, std::size_t n, std::size_t first, std::size_t last) {
  constexpr std::size_t w = static_cast<std::size_t>(width<T>), block = 128 / sizeof(T);
  auto const one_by_one = [=](std::size_t i, std::size_t from) {
    for (std::size_t j = from; j < i; ++j) g[j * n + i] = g[i * n + j];
  };
  if (last - first < w) {
    for (std::size_t i = first; i < last; ++i) one_by_one(i, 0);
    return;
  }
  // Squares of rows; the last may meet the one before.
  auto const squares = [=](auto&& f) {
    for (std::size_t i = first; i + w < last; i += w) f(i);
    f(last - w);
  };
  for (std::size_t from = 0; from < last; from += block)
    squares([=](std::size_t i) {
      for (std::size_t j = from; j + w <= std::min(from + block, i); j += w)
        transpose_square(g + i * n + j, g + j * n + i, n);
    });
  squares([=](std::size_t i) {
    for (std::size_t q = i; q < i + w; ++q) one_by_one(q, i / w * w);
  });
}

}  // namespace detail

namespace detail {

// The last row of a second moment in homogeneous coordinates.
template <class T, int D>
void append_one(std::size_t rows, T const* x, T scale, T* m, bool add) {
  T* const row = m + D * std::size_t{D + 1};
  if (!add) std::fill(row, row + D + 1, T(0));
  add_column_sums<T, D>(rows, x, row, scale);
  row[D] += scale * static_cast<T>(rows);
}

// One of the parts of a symmetric product's lower triangle: strips of rows, with as much work as the others. What is
// finished below the diagonal goes above it while it is near.
template <class T, class Tiles>
struct mirrored_panels {
  static constexpr bool changes = false;
  T* m;
  std::size_t ld;
  int part, parts;
  bool mirrors;

  std::pair<int, int> strips(int count) const { return {begin(part, count), begin(part + 1, count)}; }
  void finish(int first, int last, int column, int columns) const {
    if (!mirrors) return;
    constexpr int w = width<T>;
    auto const at = [this](int i, int j) { return m + static_cast<std::size_t>(i) * ld + j; };
    int i = std::max(first, column + columns);  // the square on the diagonal is whole
    for (; i + w <= last; i += w) {
      int j = column;
      for (; j + w <= column + columns; j += w) transpose_square(at(i, j), at(j, i), ld);
      for (; j < column + columns; ++j)
        for (int q = i; q < i + w; ++q) *at(j, q) = *at(q, j);
    }
    for (; i < last; ++i)
      for (int j = column; j < column + columns; ++j) *at(j, i) = *at(i, j);
  }

 private:
  // The strip before which lie `before` parts of the work. Copying a strip and its tile on the diagonal take the time
  // of about one and a half tiles.
  int begin(int before, int count) const {
    auto const work = [](int strip) {
      return 2 * ceil_div(Tiles::first_row(strip + 1), Tiles::columns::panel_width) + 3;
    };
    int all = 0, done = 0, strip = 0;
    for (int t = 0; t < count; ++t) all += work(t);
    for (; strip < count && (2 * done + work(strip)) * parts <= 2 * before * all; ++strip) done += work(strip);
    return strip;
  }
};

}  // namespace detail

/// M += scale Σ x xᵀ over the rows of x [rows, D]; `homogeneous` appends a one to every x, so that M is
/// [D + 1, D + 1] and its last row holds the scaled column sums. M must be symmetric on entry and is on return; without
/// `add`, M = scale Σ x xᵀ whatever it held. In a sum of several calls only the last need mirror: what a call without
/// `mirrors` leaves above the diagonal is unspecified, and may be added to.
/// Accumulates in T, in blocks of some hundred rows.
template <class T, int D, route Route = choose_route(D, D, sizeof(T), simd_bytes)>
void second_moment(std::size_t rows, T const* x, T scale, T* m, bool homogeneous, bool add = true,
                   bool mirrors = true) {
  std::size_t const order = static_cast<std::size_t>(D) + (homogeneous ? 1 : 0);
  if (rows == 0) {
    if (!add) std::fill(m, m + order * order, T(0));
    if (mirrors) mirror(m, order);
    return;
  }
  if constexpr (Route == route::blas) {
    syrk<T>(taken::transposed, D, rows, scale, x, D, T(add ? 1 : 0), m, order);
    if (homogeneous) detail::append_one<T, D>(rows, x, scale, m, add);
    if (mirrors) mirror(m, order);
  } else {
    using tiles = transposed_tiles<T, D, D>;
    std::size_t const work = rows * static_cast<std::size_t>(D) * static_cast<std::size_t>(D) / 2;
    std::size_t const parts =
        std::min({static_cast<std::size_t>(threads()), 1 + (work >> 20), static_cast<std::size_t>(tiles::count)});
    parallel_ranges(parts, 1, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t part = begin; part < end; ++part)
        multiply_transposed<T, D, D, true>(
            rows, x, x, m, order, scale, 0, tiles::columns::count, add,
            detail::mirrored_panels<T, tiles>{m, order, static_cast<int>(part), static_cast<int>(parts), mirrors});
    });
    if (homogeneous) {
      detail::append_one<T, D>(rows, x, scale, m, add);
      for (std::size_t i = 0; mirrors && i < D; ++i) m[i * order + D] = m[D * order + i];
    }
  }
}

namespace detail {

// Panels for Gram matrices: the columns are known at run time only, so every panel is padded to full width.
template <class T>
using gram_panels = panels<T, (simd_registers == 32 ? 3 : 2) * width<T>>;

template <class T>
constexpr std::size_t padded(std::size_t n) {
  constexpr std::size_t w = gram_panels<T>::panel_width;
  return (n + w - 1) / w * w;
}

// Packs Xᵀ, X [n, depth], into panels; `to` has depth * padded(n) elements.
template <class T>
void pack_gram(std::size_t n, std::size_t depth, T const* x, T* to) {
  constexpr std::size_t w = width<T>, vectors = gram_panels<T>::per_panel;
  parallel_ranges(padded<T>(n) / w, 1 + (1 << 16) / (depth * w), 1, [&](std::size_t first, std::size_t last) {
    for (std::size_t v = first; v < last; ++v) {
      T* const out = to + (v / vectors) * (vectors * w * depth) + (v % vectors) * w;
      auto const square = [&](std::size_t k, std::size_t steps, auto&& read) {
        simd<T> rows[w];
#pragma GCC unroll 16
        for (std::size_t i = 0; i < w; ++i) rows[i] = v * w + i < n ? read(x + (v * w + i) * depth + k) : simd<T>(T(0));
        transpose<T>(rows);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < w; ++i)
          if (i < steps) store<T>(out + (k + i) * (vectors * w), rows[i]);
      };
      std::size_t k = 0;
      for (; k + w <= depth; k += w) square(k, w, [](T const* from) { return load(from); });
      if (k < depth) square(k, depth - k, [=](T const* from) { return load_first(from, depth - k); });
    }
  });
}

// The tiles of X Xᵀ for rows [begin, end) of X [n, depth] and the columns before before(row) for a tile that ends with
// that row, rounded up to panels. `starting(constant rows, row)` is called for each tile of rows and gives what is
// called with (acc, column) for each tile of it, and has `expect(column)` called before the tile's sums are. A tile of
// rows stays in the first-level cache, a block of panels in the second.
template <class T, class Before, class Starting>
void gram_tiles(std::size_t begin, std::size_t end, std::size_t depth, T const* x, T const* packed, Before&& before,
                Starting&& starting) {
  using p = gram_panels<T>;
  constexpr std::size_t panel = p::panel_width;
  std::size_t const block = std::max<std::size_t>(1, 192 * 1024 / (panel * depth * sizeof(T))) * panel;
  std::size_t const columns = before(end);
  for (std::size_t first = 0; first < columns; first += block)
    in_row_tiles<p::rows>(end - begin, [&]<int Rows>(constant<Rows> tile_rows, std::size_t r) {
      std::size_t const row = begin + r, last = std::min(first + block, before(row + Rows));
      if (first >= last) return;
      auto finish = starting(tile_rows, row);
      for (std::size_t column = first; column < last; column += panel) {
        if constexpr (requires { finish.expect(column); }) finish.expect(column);
        simd<T> acc[Rows][p::per_panel];
        begin_tile<width<T>, T>(acc, start::zero, nullptr, 0);
        multiply_tile<width<T>, T>(acc, depth, x + row * depth, depth, 1, packed + column * depth, panel);
        finish(acc, column);
      }
    });
}

// row[column...] = update(acc, what was there, column) for the part of a tile's row that lies in a row of n columns;
// what was there is zero unless `add`.
template <bool Add, class T, int Vectors, class Update>
[[gnu::always_inline]] inline void update_row(simd<T> const (&acc)[Vectors], T* row, std::size_t column, std::size_t n,
                                              Update&& update) {
  constexpr std::size_t w = width<T>;
  simd<T> const zero(T(0));
#pragma GCC unroll 8
  for (int j = 0; j < Vectors; ++j, column += w) {
    if (column + w <= n) {
      store<T>(row + column, update(acc[j], Add ? load(row + column) : zero, column));
    } else if (column < n) {
      simd<T> const old = Add ? load_first(row + column, n - column) : zero;
      store_first<T>(row + column, update(acc[j], old, column), n - column);
    }
  }
}

// What ends a tile of a Gram matrix, rows from `out` on.
template <class T, int Rows>
struct gram_tile {
  T* out;
  std::size_t n;
  bool add;

  // The tile comes from afar while its sums are made.
  void expect(std::size_t column) const {
    if (!add) return;
    for (std::size_t i = 0; i < Rows; ++i) {
      T const* const begin = out + i * n + column;
      __builtin_prefetch(begin, 1);
      __builtin_prefetch(begin + gram_panels<T>::panel_width - 1, 1);
    }
  }
  template <int V>
  [[gnu::always_inline]] void operator()(simd<T> (&acc)[Rows][V], std::size_t column) const {
    auto const sum = [](simd<T> a, simd<T> old, std::size_t) { return old + a; };
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Rows; ++i) {
      if (add)
        update_row<true, T>(acc[i], out + i * n, column, n, sum);
      else
        update_row<false, T>(acc[i], out + i * n, column, n, sum);
    }
  }
};

// Lower triangle of G += X Xᵀ, or of G = X Xᵀ unless `add`, X [n, depth]; `packed` has depth * padded(n) elements.
template <class T>
void add_lower_gram(std::size_t n, std::size_t depth, T const* x, T* g, T* packed, int most_threads, bool add) {
  pack_gram<T>(n, depth, x, packed);
  auto const before = [=](std::size_t row) { return std::min(row, n); };
  deal_rows(n, 96, n * n / 2 * depth, most_threads, [&](std::size_t, std::size_t begin, std::size_t end) {
    gram_tiles<T>(begin, end, depth, x, packed, before, [=]<int Rows>(constant<Rows>, std::size_t row) {
      return gram_tile<T, Rows>{g + row * n, n, add};
    });
  });
}

}  // namespace detail

/// The Gram matrix of weight-space columns T_{nk} = Σ_r s_{nkr} a_{nr}ᵀ (with a bias, of [T_{nk}, Σ_r s_{nkr}]) for
/// inputs of `in` and columns of `out` elements. Its sums are long, so sizes known when compiling gain nothing: all
/// layers share these kernels.
template <class T>
struct column_gram {
  std::size_t in, out;

  /// Whether inner products are summed over pairs of positions, Σ_{rr'} (a_r·a_r' + bias)(s_r·s_r'), or the columns
  /// are formed some outputs at a time: the cheaper one by multiplications. Pairs, if at all, for the smaller batches.
  constexpr bool by_pairs(std::size_t n, std::size_t k, std::size_t r) const {
    if (r == 1) return true;
    auto const i = static_cast<double>(in), o = static_cast<double>(out);
    double const nk = static_cast<double>(n * k), p = static_cast<double>(r), a_rows = static_cast<double>(n) * p;
    double const pairs = nk * p * nk * p / 2 * (o + 2) + a_rows * a_rows / 2 * i;
    return pairs <= nk * p * i * o + nk * nk / 2 * i * o;
  }

  /// Elements of scratch `add` needs for n samples or fewer: the packed operands, and for each thread a block of
  /// samples' rows; by the way that a smaller batch takes when it needs more.
  constexpr std::size_t scratch_elements(std::size_t n, std::size_t k, std::size_t r, int threads) const {
    using detail::padded;
    std::size_t const nk = n * k;
    std::size_t few = 0, many = n + 1;  // pairs for `few` samples, not for `many`
    if (by_pairs(n, k, r)) few = n;
    while (few < n && many - few > 1) {
      std::size_t const middle = few + (many - few) / 2;
      (by_pairs(middle, k, r) ? few : many) = middle;
    }
    std::size_t const pairs = few == 0 ? 0
                                       : padded<T>(few * r) * in + padded<T>(few * k * r) * out +
                                             static_cast<std::size_t>(threads) * per_thread(few, k, r).total();
    if (few == n) return pairs;
    return std::max({pairs, (together() * nk + padded<T>(nk)) * chunk_depth(), nk * out + padded<T>(nk) * out});
  }

  /// G += <T_i, T_j>, or G = <T_i, T_j> unless `add`, for the entries on and below the diagonal of G [N K, N K], rows
  /// and columns indexed (sample, column); those above are unspecified until `mirror`. a is [N, R, in], s is [N, K, R,
  /// out]. With R = 1 this is (A Aᵀ + bias) ∘ (S Sᵀ), the Hadamard product taken while a tile of S Sᵀ is in registers
  /// and A Aᵀ made for some samples at a time: N²K² out + N² in flops. `threads` is the number scratch was sized for.
  /// With `mirrors`, the last of several calls copies them, block by block as these are done.
  /// With `of_pool`, its vectors are those elements of s that are not zero, and columns are formed from them; `lists`
  /// has chosen<T>::scratch_elements for each thread.
  void add(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, bool bias, T* g, T* scratch,
           int threads, bool add = true, bool mirrors = false, chosen_vectors<T> const& of_pool = {},
           T* lists = nullptr) const {
    if (n * k * r == 0) {
      if (!add) std::fill(g, g + n * k * n * k, T(0));
      if (mirrors) mirror(g, n * k);
      return;
    }
    if (by_pairs(n, k, r)) {
      add_by_pairs(n, k, r, a, s, bias, g, scratch, threads, add, mirrors);
    } else {
      add_by_columns(n, k, r, a, s, bias, g, scratch, threads, add, of_pool, lists);
      if (mirrors) mirror(g, n * k);
    }
  }

 private:
  // What a thread needs for a block of samples: their rows of A Aᵀ, those spread over the columns k' (K > 1), and their
  // part of the result before it is summed over positions (R > 1).
  struct block {
    std::size_t samples, wide_a, products, spread, sums;
    constexpr std::size_t total() const { return products + spread + sums; }
  };
  static constexpr block per_thread(std::size_t n, std::size_t k, std::size_t r) {
    std::size_t const wide = detail::padded<T>(n * k * r), wide_a = detail::padded<T>(n * r);
    std::size_t const samples = std::min(n, (96 + k * r - 1) / (k * r));
    return {samples, wide_a, samples * r * wide_a, k > 1 ? samples * r * (wide + width<T>) : 0,
            r > 1 ? samples * k * wide : 0};
  }
  // Outputs whose columns are formed together, so that a chunk is long enough for a product.
  constexpr std::size_t chunk() const { return std::clamp<std::size_t>(256 / in, 1, out); }
  constexpr std::size_t chunk_depth() const { return chunk() * in; }
  // Chunks that are formed in one pass over all inputs and columns, which come from memory.
  constexpr std::size_t together() const { return std::min<std::size_t>(4, (out + chunk() - 1) / chunk()); }

  // to [n', k, r] = from [n', r], each sample's elements repeated k times; a vector may be written beyond the end.
  static void spread_columns(std::size_t samples, std::size_t k, std::size_t r, T const* from, T* to) {
    if (r == 1) {
      for (std::size_t j = 0; j < samples; ++j, to += k)
        for (std::size_t c = 0; c < k; c += width<T>) store<T>(to + c, simd<T>(from[j]));
    } else {
      for (std::size_t j = 0; j < samples; ++j, from += r)
        for (std::size_t c = 0; c < k; ++c, to += r) std::copy(from, from + r, to);
    }
  }

  // What ends a tile of S Sᵀ: weights, and where the rows of the result lie.
  template <int Rows>
  struct weighted_tile {
    T const* weights[Rows];
    T* out[Rows];
    std::size_t columns;
    bool add;

    template <int V>
    [[gnu::always_inline]] void operator()(simd<T> (&acc)[Rows][V], std::size_t column) const {
      if (add)
        update<true>(acc, column);
      else
        update<false>(acc, column);
    }

   private:
    template <bool Add, int V>
    [[gnu::always_inline]] void update(simd<T> (&acc)[Rows][V], std::size_t column) const {
      constexpr std::size_t w = width<T>;
      if (column + V * w <= columns) {
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
          for (int j = 0; j < V; ++j) {
            std::size_t const at = column + static_cast<std::size_t>(j) * w;
            simd<T> const factor = load(weights[i] + at);
            store<T>(out[i] + at, Add ? multiply_add<T>(acc[i][j], factor, load(out[i] + at)) : acc[i][j] * factor);
          }
        }
      } else {
        for (int i = 0; i < Rows; ++i)
          detail::update_row<Add, T>(acc[i], out[i], column, columns, [&](simd<T> x, simd<T> old, std::size_t at) {
            T const* const from = weights[i] + at;
            return multiply_add<T>(x, at + w <= columns ? load(from) : load_first(from, columns - at), old);
          });
      }
    }
  };

  void add_by_pairs(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, bool bias, T* g, T* scratch,
                    int threads, bool add, bool mirrors) const {
    using namespace detail;
    constexpr std::size_t panel = gram_panels<T>::panel_width;
    std::size_t const an = n * r, kr = k * r, rows = n * kr, wide = padded<T>(rows), nk = n * k;
    block const size = per_thread(n, k, r);
    T* const packed_a = scratch;
    T* const packed_s = packed_a + padded<T>(an) * in;
    T* const own = packed_s + wide * out;
    pack_gram<T>(an, in, a, packed_a);
    pack_gram<T>(rows, out, s, packed_s);

    // Row (n, k, r) of S Sᵀ is weighted by row (n, r) of A Aᵀ, spread over k', and lands in row (n, k) of the
    // result: in G itself, or in `sums`, still to be summed over r'.
    auto const work = rows * rows / 2 * out + an * an / 2 * in;
    deal_rows(n, size.samples, work, threads, [&](std::size_t thread, std::size_t begin, std::size_t end) {
      T* const products = own + thread * size.total();
      T* const spread = products + size.products;
      T* const sums = spread + size.spread;
      std::size_t const row_end = end * kr;
      // S Sᵀ has tiles that meet the lower triangle of squares of R rows; what of A Aᵀ these ask for.
      auto const past = [=](std::size_t row) { return std::min((row + r - 1) / r * r, rows); };
      std::size_t const samples = std::min(n, (past(row_end) + panel) / kr + 1);
      simd<T> const one(T(bias ? 1 : 0));
      gram_tiles<T>(
          begin * r, end * r, in, a, packed_a, [&](std::size_t) { return samples * r; },
          [=]<int Rows>(constant<Rows>, std::size_t row) {
            T* const to = products + (row - begin * r) * size.wide_a;
            return [=]<int V>(simd<T>(&acc)[Rows][V], std::size_t column) {
#pragma GCC unroll 16
              for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
                for (int j = 0; j < V; ++j)
                  store<T>(to + static_cast<std::size_t>(i) * size.wide_a + column + j * width<T>, acc[i][j] + one);
              }
            };
          });
      T const* weights = products;
      std::size_t weights_row = size.wide_a;
      if (k > 1) {
        weights = spread;
        weights_row = wide + width<T>;
        for (std::size_t i = 0; i < (end - begin) * r; ++i)
          spread_columns(samples, k, r, products + i * size.wide_a, spread + i * weights_row);
      }
      if (r > 1) std::fill(sums, sums + (end - begin) * k * wide, T(0));

      gram_tiles<T>(begin * kr, row_end, out, s, packed_s, past, [=]<int Rows>(constant<Rows>, std::size_t row) {
        weighted_tile<Rows> tile;
        for (std::size_t i = 0; i < Rows; ++i) {
          std::size_t const at = row + i - begin * kr;  // (sample, k, r) in the block
          tile.weights[i] = weights + (at / kr * r + at % r) * weights_row;
          tile.out[i] = r > 1 ? sums + at / r * wide : g + (row + i) * nk;
        }
        tile.columns = mirrors ? row_end : rows;  // what lies beyond is written with other rows, by other threads
        tile.add = add || r > 1;
        return tile;
      });
      if (r > 1)
        for (std::size_t i = begin * k; i < end * k; ++i)
          for (std::size_t j = 0; j <= i; ++j) {
            T const* const from = sums + (i - begin * k) * wide + j * r;
            T total = add ? g[i * nk + j] : T(0);
            for (std::size_t q = 0; q < r; ++q) total += from[q];
            g[i * nk + j] = total;
          }
      if (mirrors) mirror_rows(g, nk, begin * k, end * k);
    });
  }

  // A sample's columns Σ_r s_{kr} a_r for outputs [first, first + count), count a multiple of `chunk`: a [R, in], s [K,
  // R, out], chunks `apart`, in each the rows of columns k `chunk_depth` apart. Outputs there are none of are zero.
  void form_columns(std::size_t k, std::size_t r, T const* a, T const* s, std::size_t first, std::size_t count, T* to,
                    std::size_t apart) const {
    using p = detail::gram_panels<T>;
    constexpr std::size_t w = width<T>, panel = p::panel_width;
    constexpr std::size_t most = panel_depth<T, p::per_panel>;  // positions, and rows, taken at a time
    constexpr std::size_t most_rows = 48;
    alignas(64) T inputs[most * panel];
    alignas(64) T strips[most * most_rows];
    T* rows[most_rows];
    auto const place = [&](std::size_t c, std::size_t e) {
      return to + e / chunk() * apart + c * chunk_depth() + e % chunk() * in;
    };
    // A row of the product is an output of a column.
    std::size_t const outputs = std::min(count, out - first), all = k * outputs;
    for (std::size_t c = 0; c < k; ++c)
      for (std::size_t e = outputs; e < count; ++e) std::fill_n(place(c, e), in, T(0));
    for (std::size_t begin = 0; begin < r; begin += most) {
      std::size_t const steps = std::min(most, r - begin);
      for (std::size_t row = 0; row < all; row += most_rows) {
        std::size_t const some = std::min(most_rows, all - row);
        auto const tiles = [&](auto&& f) { in_row_tiles<p::rows>(some, f); };
        tiles([&]<int Rows>(constant<Rows>, std::size_t i) {
          // Side by side: apart, they take a cache line for every element.
          for (std::size_t j = 0; j < Rows; ++j) {
            std::size_t const c = (row + i + j) / outputs, e = (row + i + j) % outputs;
            rows[i + j] = place(c, e);
            T const* const from = s + (c * r + begin) * out + first + e;
            for (std::size_t q = 0; q < steps; ++q) strips[i * steps + q * Rows + j] = from[q * out];
          }
        });
        for (std::size_t at = 0; at < in; at += panel) {
          std::size_t const columns = std::min(panel, in - at);
          T const* const from = a + begin * in + at;
          if (columns == panel)
            copy_panel<w, p::per_panel>(steps, from, in, inputs);
          else
            for (std::size_t q = 0; q < steps; ++q)
              for (std::size_t c = 0; c < panel; c += w) {
                T const* const x = from + q * in + c;
                store<T>(inputs + q * panel + c, c + w <= columns ? load(x)
                                                 : c < columns    ? load_first(x, columns - c)
                                                                  : simd<T>(T(0)));
              }
          if (at + panel < in)  // the next panel comes meanwhile
            for (std::size_t q = 0; q < steps; ++q) __builtin_prefetch(from + q * in + panel);
          tiles([&]<int Rows>(constant<Rows>, std::size_t i) {
            simd<T> acc[Rows][p::per_panel];
            begin_tile<w, T>(acc, start::zero, nullptr, 0);
            multiply_tile<w, T>(acc, steps, strips + i * steps, 1, Rows, inputs, panel);
            auto const sum = [](simd<T> x, simd<T> old, std::size_t) { return old + x; };
#pragma GCC unroll 16
            for (std::size_t j = 0; j < Rows; ++j) {
              if (begin == 0)
                detail::update_row<false, T>(acc[j], rows[i + j] + at, 0, columns, sum);
              else
                detail::update_row<true, T>(acc[j], rows[i + j] + at, 0, columns, sum);
            }
          });
        }
      }
    }
  }

  void add_by_columns(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, bool bias, T* g, T* scratch,
                      int threads, bool add, chosen_vectors<T> const& of_pool, T* lists) const {
    std::size_t const list = chosen<T>::scratch_elements(k, of_pool.windows, out, r),
                      chosen_size = of_pool.windows * out;
    std::size_t const nk = n * k, size = nk * chunk_depth();
    T* const columns = scratch;  // [together, N K, chunk, in]
    T* const packed = scratch + together() * size;
    for (std::size_t first = 0; first < out; first += together() * chunk()) {
      std::size_t const chunks = std::min(together(), (out - first + chunk() - 1) / chunk());
      std::size_t const work = chunks * k * r * chunk_depth();
      parallel_ranges(n, 1 + (std::size_t{1} << 20) / work, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          T* const to = columns + i * k * chunk_depth();
          if (of_pool.windows == 0) {
            form_columns(k, r, a + i * r * in, s + i * k * r * out, first, chunks * chunk(), to, size);
            continue;
          }
          auto const row_of = [&](std::size_t c, std::size_t o) {
            std::size_t const e = o - first;
            return to + e / chunk() * size + c * chunk_depth() + e % chunk() * in;
          };
          std::size_t const last = std::min(out, first + chunks * chunk());
          chosen<T>(k, of_pool.windows, out, of_pool.places + i * chosen_size, of_pool.vectors + i * k * chosen_size)
              .form(in, a + i * r * in, first, last, row_of, lists + thread_index() * list);
          for (std::size_t o = last; o < first + chunks * chunk(); ++o)
            for (std::size_t c = 0; c < k; ++c) std::fill_n(row_of(c, o), in, T(0));
        }
      });
      for (std::size_t q = 0; q < chunks; ++q)
        detail::add_lower_gram<T>(nk, chunk_depth(), columns + q * size, g, packed, threads, add || first + q > 0);
    }
    if (bias) {
      T* const sums = scratch;  // [N K, out]
      if (of_pool.windows > 0)
        sum_rows(nk, of_pool.windows, of_pool.vectors, sums);
      else
        sum_rows(nk, r, s, sums);
      detail::add_lower_gram<T>(nk, out, sums, g, sums + nk * out, threads, true);
    }
  }

  // to [count, out] = Σ_r s [count, R, out]; add_column_sums knows its columns when compiling
  void sum_rows(std::size_t count, std::size_t r, T const* s, T* to) const {
    constexpr std::size_t w = width<T>;
    for (std::size_t i = 0; i < count; ++i, s += r * out, to += out) {
      auto const some = [&](std::size_t o, auto&& read) {
        simd<T> sum(T(0));
        for (std::size_t q = 0; q < r; ++q) sum += read(s + q * out + o);
        return sum;
      };
      std::size_t o = 0;
      for (; o + w <= out; o += w) store<T>(to + o, some(o, [](T const* from) { return load(from); }));
      if (o < out) store_first<T>(to + o, some(o, [&](T const* from) { return load_first(from, out - o); }), out - o);
    }
  }
};

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
