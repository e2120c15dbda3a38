#pragma once
/// \file
/// Symmetric products: second moments Xᵀ X, Gram matrices X Xᵀ, and the Gram matrix of weight-space columns
/// T_{nk} = Σ_r s_{nkr} a_{nr}ᵀ without forming any of them.

#include <algorithm>
#include <cstddef>

#include <kappa/kernels/blas.hpp>
#include <kappa/kernels/tiles.hpp>
#include <kappa/plan/choose.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

/// Copies the triangle below the diagonal of G [n, n] (leading dimension ld) to the one above.
template <class T>
void mirror(T* g, std::size_t n, std::size_t ld) {
  constexpr std::size_t w = static_cast<std::size_t>(width<T>);
  std::size_t const whole = n / w * w;  // squares of a vector's width are transposed in registers
  parallel_ranges(whole / w, 64, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin * w; i < end * w; i += w)
      for (std::size_t j = i + w; j < whole; j += w) {
        simd<T> x[w];
#pragma GCC unroll 16
        for (std::size_t q = 0; q < w; ++q) x[q] = load(g + (j + q) * ld + i);
        transpose<T>(x);
#pragma GCC unroll 16
        for (std::size_t q = 0; q < w; ++q) store<T>(g + (i + q) * ld + j, x[q]);
      }
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

/// M += scale Σ x xᵀ over the rows of x [rows, D]; `homogeneous` appends a one to every x, so that M is
/// [D + 1, D + 1] and its last row holds the scaled column sums. M must be symmetric on entry and is on return; without
/// `add`, M = scale Σ x xᵀ whatever it held.
/// Accumulates in T, in blocks of about a hundred rows.
template <class T, int D, route Route = choose_route(D, D, sizeof(T), simd_bytes)>
void second_moment(std::size_t rows, T const* x, T scale, T* m, bool homogeneous, bool add = true) {
  std::size_t const order = static_cast<std::size_t>(D) + (homogeneous ? 1 : 0);
  if (rows == 0) {
    if (!add) std::fill(m, m + order * order, T(0));
    return;
  }
  if constexpr (Route == route::blas) {
    syrk<T>(taken::transposed, D, rows, scale, x, D, T(add ? 1 : 0), m, order);
  } else {
    using columns = typename transposed_tiles<T, D, D>::columns;
    std::size_t const work = rows * static_cast<std::size_t>(D) * static_cast<std::size_t>(D) / 2;
    std::size_t const parts =
        std::min({static_cast<std::size_t>(threads()), 1 + (work >> 20), static_cast<std::size_t>(columns::count)});
    parallel_ranges(parts, 1, 1, [&](std::size_t begin, std::size_t end) {
      // panels are dealt back and forth, so that threads share long and short ones evenly
      auto const dealt = [&](int panel) {
        std::size_t const at = static_cast<std::size_t>(panel) % (2 * parts);
        std::size_t const to = at < parts ? at : 2 * parts - 1 - at;
        return begin <= to && to < end;
      };
      multiply_transposed<T, D, D, true>(rows, x, x, m, order, scale, 0, columns::count, add, dealt);
    });
  }
  if (homogeneous) {
    if (!add) std::fill(m + D * order, m + order * order, T(0));
    add_column_sums<T, D>(rows, x, m + D * order, scale);
    m[D * order + D] += scale * static_cast<T>(rows);
  }
  mirror(m, order, order);
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

// Packs Xᵀ, X [n, Depth], into panels; `to` has Depth * padded(n) elements.
template <class T, int Depth>
void pack_gram(std::size_t n, T const* x, T* to) {
  constexpr int w = width<T>, vectors = gram_panels<T>::per_panel;
  parallel_ranges(padded<T>(n) / w, 1 + (1 << 18) / (Depth * w), 1, [&](std::size_t first, std::size_t last) {
    for (std::size_t v = first; v < last; ++v) {
      T* out = to + (v / vectors) * (vectors * w * Depth) + (v % vectors) * w;
      auto const square = [&]<int Steps>(constant<Steps>, int k) {
        simd<T> rows[w];
#pragma GCC unroll 16
        for (int i = 0; i < w; ++i) {
          std::size_t const row = v * w + static_cast<std::size_t>(i);
          rows[i] = row < n ? load_first<Steps>(x + row * Depth + k) : simd<T>(T(0));
        }
        transpose<T>(rows);
#pragma GCC unroll 16
        for (int i = 0; i < Steps; ++i) store<T>(out + (k + i) * (vectors * w), rows[i]);
      };
      in_vectors<T, Depth>(square);
    }
  });
}

// finish(acc, row, column) for the tiles of X Xᵀ that meet the lower triangle, its diagonal made of squares of
// `group` rows; rows [begin, end), which should fit the first-level cache: each panel is read once for all of them.
template <class T, int Depth, class Finish>
void lower_tiles(std::size_t begin, std::size_t end, std::size_t group, T const* x, T const* packed, Finish&& finish) {
  using p = gram_panels<T>;
  auto const past = [=](std::size_t row) { return (row + group - 1) / group * group; };
  for (std::size_t column = 0; column < past(end); column += p::panel_width)
    in_row_tiles<p::rows>(end - begin, [&]<int Rows>(constant<Rows>, std::size_t r) {
      std::size_t const row = begin + r;
      if (column >= past(row + Rows)) return;
      simd<T> acc[Rows][p::per_panel];
      begin_tile<width<T>, T>(acc, start::zero, nullptr, 0);
      multiply_tile<width<T>, T>(acc, std::integral_constant<std::size_t, Depth>{}, x + row * Depth, Depth, 1,
                                 packed + column * Depth, p::panel_width);
      finish(acc, row, column);
    });
}

// f(thread, first_row, last_row) on blocks of rows, dealt round so that the long rows of a triangle are shared.
template <class F>
void deal_rows(std::size_t n, std::size_t block, std::size_t work, int most_threads, F&& f) {
  std::size_t const blocks = (n + block - 1) / block;
  std::size_t const wanted = std::min({static_cast<std::size_t>(most_threads), static_cast<std::size_t>(threads()),
                                       blocks, 1 + work / (std::size_t{1} << 20)});
  parallel_ranges(wanted, 1, 1, [&](std::size_t first, std::size_t last) {
    for (std::size_t t = first; t < last; ++t)
      for (std::size_t b = t; b < blocks; b += wanted) f(t, b * block, std::min(n, (b + 1) * block));
  });
}

// out[j] = update(acc, out[j]) for the part of a tile's row that lies in a row of n columns.
template <class T, int Vectors, class Update>
[[gnu::always_inline]] inline void update_row(simd<T> const (&acc)[Vectors], T* row, std::size_t column, std::size_t n,
                                              Update&& update) {
  constexpr std::size_t w = width<T>;
#pragma GCC unroll 8
  for (int j = 0; j < Vectors; ++j, column += w) {
    if (column + w <= n)
      store<T>(row + column, update(acc[j], load(row + column), column));
    else if (column < n)
      store_first<T>(row + column, update(acc[j], load_first(row + column, n - column), column), n - column);
  }
}

// Lower triangle of G += X Xᵀ, X [n, Depth]; `packed` has Depth * padded(n) elements.
template <class T, int Depth>
void add_lower_gram(std::size_t n, T const* x, T* g, T* packed, int most_threads) {
  pack_gram<T, Depth>(n, x, packed);
  deal_rows(n, 48, n * n / 2 * Depth, most_threads, [&](std::size_t, std::size_t begin, std::size_t end) {
    lower_tiles<T, Depth>(begin, end, 1, x, packed,
                          [&]<int Rows, int V>(simd<T>(&acc)[Rows][V], std::size_t row, std::size_t column) {
                            for (std::size_t i = 0; i < Rows; ++i)
                              update_row<T>(acc[i], g + (row + i) * n, column, n,
                                            [](simd<T> a, simd<T> old, std::size_t) { return old + a; });
                          });
  });
}

}  // namespace detail

/// The Gram matrix of weight-space columns T_{nk} = Σ_r s_{nkr} a_{nr}ᵀ (with `bias`, of [T_{nk}, Σ_r s_{nkr}]).
template <class T, int In, int Out>
struct column_gram {
  /// Whether inner products are summed over pairs of positions, Σ_{rr'} (a_r·a_r' + bias)(s_r·s_r'), or the columns
  /// are formed some outputs at a time: the cheaper one by multiplications.
  static constexpr bool by_pairs(std::size_t n, std::size_t k, std::size_t r) {
    if (r == 1) return true;
    double const in = In, out = Out, nk = static_cast<double>(n * k), p = static_cast<double>(r);
    double const a_rows = static_cast<double>(n) * p;
    double const pairs = nk * p * nk * p / 2 * (out + 2) + a_rows * a_rows / 2 * in;
    return pairs <= nk * p * in * out + nk * nk / 2 * in * out;
  }

  /// Elements of scratch `add` needs.
  static constexpr std::size_t scratch_elements(std::size_t n, std::size_t k, std::size_t r, int threads) {
    using detail::padded;
    std::size_t const nk = n * k, an = n * r, wide = padded<T>(nk * r);
    if (by_pairs(n, k, r))
      return padded<T>(an) * In + an * an + wide * Out + static_cast<std::size_t>(threads) * per_thread(k, r) * wide;
    return std::max(nk * chunk_depth + padded<T>(nk) * chunk_depth, nk * Out + padded<T>(nk) * Out);
  }

  /// G += <T_i, T_j> for the entries on and below the diagonal of G [N K, N K], rows and columns indexed (sample,
  /// column); those above are unspecified until `mirror`. a is [N, R, In], s is [N, K, R, Out]. With R = 1 this is
  /// (A Aᵀ + bias) ∘ (S Sᵀ), the Hadamard product taken while a tile of S Sᵀ is in registers: N²K² Out + N² In flops.
  /// `threads` is the number scratch was sized for.
  static void add(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, bool bias, T* g, T* scratch,
                  int threads) {
    if (n * k * r == 0) return;
    if (by_pairs(n, k, r))
      add_by_pairs(n, k, r, a, s, bias, g, scratch, threads);
    else
      add_by_columns(n, k, r, a, s, bias, g, scratch, threads);
  }

 private:
  // Samples whose rows of S Sᵀ make a block, and the rows of scratch a thread needs for it.
  static constexpr std::size_t samples(std::size_t k, std::size_t r) { return (48 + k * r - 1) / (k * r); }
  static constexpr std::size_t per_thread(std::size_t k, std::size_t r) {
    return samples(k, r) * ((k > 1 ? r : 0) + (r > 1 ? k : 0));
  }
  // Outputs whose columns are formed together, so that a chunk is long enough for a product.
  static constexpr std::size_t chunk = std::clamp(256 / In, 1, Out);
  static constexpr std::size_t chunk_depth = chunk * In;

  static void add_by_pairs(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, bool bias, T* g,
                           T* scratch, int threads) {
    using namespace detail;
    std::size_t const an = n * r, rows = n * k * r, wide = padded<T>(rows), nk = n * k;
    T* const packed_a = scratch;
    T* const aa = packed_a + padded<T>(an) * In;
    T* const packed_s = aa + an * an;
    T* const own = packed_s + wide * Out;

    pack_gram<T, In>(an, a, packed_a);
    deal_rows(an, 48, an * an / 2 * In, threads, [&](std::size_t, std::size_t begin, std::size_t end) {
      simd<T> const one(T(bias ? 1 : 0));
      lower_tiles<T, In>(begin, end, 1, a, packed_a,
                         [&]<int Rows, int V>(simd<T>(&acc)[Rows][V], std::size_t row, std::size_t column) {
                           for (std::size_t i = 0; i < Rows; ++i)
                             update_row<T>(acc[i], aa + (row + i) * an, column, an,
                                           [&](simd<T> x, simd<T>, std::size_t) { return x + one; });
                         });
    });
    mirror(aa, an);
    pack_gram<T, Out>(rows, s, packed_s);

    // Row (n, k, r) of S Sᵀ is weighted by row (n, r) of A Aᵀ, spread over k', and lands in row (n, k) of the
    // result: in G itself, or in `sums`, still to be summed over r'.
    std::size_t const block = samples(k, r);
    deal_rows(n, block, rows * rows / 2 * Out, threads, [&](std::size_t thread, std::size_t begin, std::size_t end) {
      T* const spread = own + thread * per_thread(k, r) * wide;
      T* const sums = spread + (k > 1 ? block * r * wide : 0);
      std::size_t const row_end = end * k * r;
      if (k > 1) {
        std::size_t const limit = std::min(n, (row_end + gram_panels<T>::panel_width) / (k * r) + 1);
        for (std::size_t i = 0; i < (end - begin) * r; ++i) {
          T const* from = aa + (begin * r + i) * an;
          T* to = spread + i * wide;
          for (std::size_t j = 0; j < limit; ++j, from += r)
            for (std::size_t c = 0; c < k; ++c, to += r) std::copy(from, from + r, to);
        }
      }
      if (r > 1) std::fill(sums, sums + (end - begin) * k * wide, T(0));
      lower_tiles<T, Out>(begin * k * r, row_end, r, s, packed_s,
                          [&]<int Rows, int V>(simd<T>(&acc)[Rows][V], std::size_t row, std::size_t column) {
                            for (std::size_t i = 0; i < Rows; ++i) {
                              std::size_t const at = row + i, a_row = at / (k * r) * r + at % r;
                              T const* const weights = k > 1 ? spread + (a_row - begin * r) * wide : aa + a_row * an;
                              T* const out = r > 1 ? sums + (at / r - begin * k) * wide : g + at * nk;
                              update_row<T>(acc[i], out, column, rows, [&](simd<T> x, simd<T> old, std::size_t j) {
                                return multiply_add<T>(
                                    x, j + width<T> <= rows ? load(weights + j) : load_first(weights + j, rows - j),
                                    old);
                              });
                            }
                          });
      if (r > 1)
        for (std::size_t i = begin * k; i < end * k; ++i)
          for (std::size_t j = 0; j <= i; ++j) {
            T const* const from = sums + (i - begin * k) * wide + j * r;
            T total = 0;
            for (std::size_t q = 0; q < r; ++q) total += from[q];
            g[i * nk + j] += total;
          }
    });
  }

  static void add_by_columns(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, bool bias, T* g,
                             T* scratch, int threads) {
    using p = panels<T, In>;
    std::size_t const nk = n * k;
    T* const columns = scratch;  // [N K, chunk, In]
    T* const packed = scratch + nk * chunk_depth;
    for (std::size_t first = 0; first < Out; first += chunk) {
      std::size_t const outs = std::min(chunk, Out - first);
      parallel_ranges(
          n, 1 + (std::size_t{1} << 20) / (k * r * chunk_depth), 1, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i)
              for (std::size_t o = 0; o < chunk; ++o)
                in_row_tiles<p::rows>(k, [&]<int Rows>(constant<Rows>, std::size_t c) {
                  in_panels<p, T>(0, p::count, [&]<int V, int Tail>(constant<V>, constant<Tail>, int panel) {
                    simd<T> acc[Rows][V];
                    begin_tile<Tail, T>(acc, start::zero, nullptr, 0);
                    std::size_t const at = static_cast<std::size_t>(panel) * p::panel_width;
                    if (o < outs)  // else zeros, which pad the last chunk
                      multiply_tile<Tail, T>(acc, r, s + (i * k + c) * r * Out + first + o, r * Out, Out,
                                             a + i * r * In + at, In);
                    end_tile<Tail, T>(acc, columns + (i * k + c) * chunk_depth + o * In + at, chunk_depth);
                  });
                });
          });
      detail::add_lower_gram<T, static_cast<int>(chunk_depth)>(nk, columns, g, packed, threads);
    }
    if (bias) {
      T* const sums = scratch;  // [N K, Out]
      std::fill(sums, sums + nk * Out, T(0));
      for (std::size_t i = 0; i < nk; ++i) add_column_sums<T, Out>(r, s + i * r * Out, sums + i * Out);
      detail::add_lower_gram<T, Out>(nk, sums, g, sums + nk * Out, threads);
    }
  }
};

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
