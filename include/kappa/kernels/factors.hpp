#pragma once
/// \file
/// What a linear layer's curvature needs, from its inputs and the columns propagated back to its outputs. For a
/// layer [Out, In] that sees N samples at R positions,
///
///     inputs a [N, R, In],   columns s [N, K, R, Out],   T_{nk} = Σ_r s_{nkr} a_{nr}ᵀ  [Out, In],   b_{nk} = Σ_r
///     s_{nkr}.
///
/// T and b are the weight and bias parts of a gradient, or of a column of a curvature root; none is formed unless
/// asked for. All arrays are row-major and contiguous, all results are added to what is there unless said otherwise.

#include <algorithm>
#include <cstddef>

#include <kappa/kernels/gram.hpp>
#include <kappa/kernels/product.hpp>
#include <kappa/kernels/tiles.hpp>
#include <kappa/plan/choose.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

/// out [N, D] = Σ_r x [N, R, D], overwriting.
template <class T, int D>
void sum_positions(std::size_t n, std::size_t r, T const* x, T* out) {
  std::fill(out, out + n * D, T(0));
  for (std::size_t i = 0; i < n; ++i) add_column_sums<T, D>(r, x + i * r * D, out + i * D);
}

/// out [N, D] = (1 / R) Σ_r x [N, R, D], overwriting.
template <class T, int D>
void mean_positions(std::size_t n, std::size_t r, T const* x, T* out) {
  std::fill(out, out + n * D, T(0));
  for (std::size_t i = 0; i < n; ++i) add_column_sums<T, D>(r, x + i * r * D, out + i * D, T(1) / static_cast<T>(r));
}

template <class T, int In, int Out>
struct factors {
  using linear = product<T, In, Out, choose_route(In, Out, sizeof(T), simd_bytes)>;

  /// out_w [Out, In] += Σ_{nk} T_{nk} ∘ T_{nk}, and out_b [Out] += Σ_{nk} b_{nk} ∘ b_{nk} if not null. For R = 1 this
  /// is (Σ_k s²)ᵀ (a²), N Out (K + In) multiplications; else N K R Out In.
  static void sum_of_squares(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, T* out_w, T* out_b) {
    if (r == 1)
      product_of_squares(n, k, a, s, out_w);
    else
      squares<false>(n, k, r, a, s, nullptr, T(1), out_w);
    if (out_b) bias_squares<false>(n * k, r, s, nullptr, T(1), out_b);
  }

  /// out_w += Σ_n (factor T_n − mean_w)², elementwise, and the same for the bias if out_b is not null (K = 1). Each
  /// difference is formed before it is squared, so nothing cancels.
  static void centred_sum_of_squares(std::size_t n, std::size_t r, T const* a, T const* s, T const* mean_w,
                                     T const* mean_b, T factor, T* out_w, T* out_b) {
    squares<true>(n, 1, r, a, s, mean_w, factor, out_w);
    if (out_b) bias_squares<true>(n, r, s, mean_b, factor, out_b);
  }

  /// T_n is written to out_w + n row_length, and b_n to out_b + n row_length if out_b is not null (K = 1); with `add`,
  /// added.
  static void outer(std::size_t n, std::size_t r, T const* a, T const* s, T* out_w, T* out_b, std::size_t row_length,
                    bool add = false) {
    using columns = typename transposed_tiles<T, Out, In>::columns;
    parallel_ranges(n, 1 + (std::size_t{1} << 18) / (r * In * Out), 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        multiply_transposed<T, Out, In>(r, s + i * r * Out, a + i * r * In, out_w + i * row_length, In, T(1), 0,
                                        columns::count, add);
        if (!out_b) continue;
        if (!add) std::fill(out_b + i * row_length, out_b + i * row_length + Out, T(0));
        add_column_sums<T, Out>(r, s + i * r * Out, out_b + i * row_length);
      }
    });
  }

  /// Whether squared norms take less time over pairs of positions than over the entries of T, in multiplications of the
  /// latter: a dot product of D elements takes 48 + 1.5 D of them, its sum being most of it, and more once columns
  /// outgrow the first-level cache (measured, `bench/run/growth`).
  static constexpr bool norms_by_pairs_pay(std::size_t k, std::size_t r) {
    double const columns = static_cast<double>(k), positions = static_cast<double>(r);
    double const element = columns * positions * Out * sizeof(T) <= 32 * 1024 ? 1.5 : 3.5;
    auto const dots = [=](int elements) { return 48 + element * elements; };
    return r == 1 || (positions + 1) / 2 * (dots(In) + columns * dots(Out)) < columns * In * Out;
  }

  /// norms[n K + k] += ‖T_{nk}‖² (+ ‖b_{nk}‖² with `bias`): ‖s‖² (‖a‖² + bias) for R = 1; for more positions over
  /// their pairs, or over the entries of T_{nk} held in registers, whichever takes less time.
  template <class Norm>
  static void squared_norms(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, bool bias,
                            Norm* norms) {
    bool const by_pairs = norms_by_pairs_pay(k, r);
    std::size_t const work = k * r * (by_pairs ? (r + 1) / 2 * (In / k + Out) : std::size_t(In) * Out);
    parallel_ranges(n, 1 + (std::size_t{1} << 19) / work, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i)
        if (by_pairs)
          norms_by_pairs(k, r, a + i * r * In, s + i * k * r * Out, bias, norms + i * k);
        else
          norms_by_entries(k, r, a + i * r * In, s + i * k * r * Out, bias, norms + i * k);
    });
  }

  /// Elements of scratch `gram` needs; of order N R In + N K R Out, and some rows of N K R for each thread.
  static constexpr std::size_t gram_scratch(std::size_t n, std::size_t k, std::size_t r, int threads) {
    return column_gram<T>{In, Out}.scratch_elements(n, k, r, threads);
  }

  /// g [N K, N K] += <T_i, T_j> (+ <b_i, b_j> with `bias`), or = unless `add`, on and below the diagonal; what is above
  /// is unspecified until a call that `mirrors`, the last, or `mirror(g, N K)`. See column_gram::add.
  static void gram(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, bool bias, T* g, T* scratch,
                   int threads = kappa::threads(), bool add = true, bool mirrors = false,
                   chosen_vectors<T> const& of_pool = {}, T* lists = nullptr) {
    column_gram<T>{In, Out}.add(n, k, r, a, s, bias, g, scratch, threads, add, mirrors, of_pool, lists);
  }

  /// Elements of scratch that `combine` needs for so many vectors, `project` for one.
  static constexpr std::size_t apply_scratch(std::size_t n, std::size_t r, int threads, std::size_t vectors = 1) {
    return vectors * n * r * Out + linear::scratch_elements(threads);
  }

  /// y_w [Out, In] = Σ_{nk} c_{nk} T_{nk} and y_b [Out] = Σ_{nk} c_{nk} b_{nk} if not null, for c [N, K]: V c without
  /// V. For `count` such c one after the other, whose y_w and y_b lie `rows` elements apart: every s_n is read once.
  static void combine(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, std::size_t count,
                      T const* c, T* y_w, T* y_b, std::size_t rows, T* scratch) {
    std::size_t const row = r * Out;
    T* const u = scratch + linear::scratch_elements(1);  // Σ_k c_{nk} s_{nk}, [count, N, R, Out]
    parallel_ranges(n, 1 + (std::size_t{1} << 18) / (count * k * row), 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i)
        for (std::size_t q = 0; q < row; q += Out)
          for (std::size_t v = 0; v < count; ++v)
            weighted_sum(k, c + (v * n + i) * k, s + i * k * row + q, row, u + (v * n + i) * row + q);
    });
    for (std::size_t v = 0; v < count; ++v)
      linear::weight_gradient(n * r, u + v * n * row, a, y_w + v * rows, y_b ? y_b + v * rows : nullptr, scratch,
                              false);
  }

  /// c [N, K] += <T_{nk}, x_w> + <b_{nk}, x_b>, x_b null for a layer without bias: Vᵀ x without V.
  static void project(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s, T const* x_w, T const* x_b,
                      T* c, T* scratch) {
    std::size_t const row = r * Out;
    T* const z = scratch + linear::scratch_elements(1);  // x_w a + x_b, [N, R, Out]
    linear::forward(n * r, a, x_w, x_b, z, scratch);
    parallel_ranges(n, 1 + (std::size_t{1} << 18) / (k * row), 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i)
        for (std::size_t j = 0; j < k; ++j) c[i * k + j] += dot(s + (i * k + j) * row, z + i * row, row);
    });
  }

 private:
  // u [Out] = Σ_j c_j s_j for k vectors s_j that lie `stride` apart.
  static void weighted_sum(std::size_t k, T const* c, T const* s, std::size_t stride, T* u) {
    using p = panels<T, Out, 8>;
    in_panels<p, T>(0, p::count, [&]<int V, int Tail>(constant<V>, constant<Tail>, int panel) {
      simd<T> acc[1][V];
      begin_tile<Tail, T>(acc, start::zero, nullptr, 0);
      multiply_tile<Tail, T>(acc, k, c, 0, 1, s + panel * p::panel_width, stride);
      end_tile<Tail, T>(acc, u + panel * p::panel_width, 0);
    });
  }

  // Tiles of T whose running sums of squares are added to once in R steps: over several positions these sums may leave
  // the registers to the tile, at one position (`Both`) they share them.
  using columns_of_squares = panels<T, In>;
  template <bool Both>
  struct square_tiles {
    static constexpr int most =
        std::max(1, columns_of_squares::accumulators / (Both ? 2 : 1) / columns_of_squares::per_panel);
    static constexpr int count = ceil_div(Out, most);
    static constexpr int rows = ceil_div(Out, count);
    static constexpr int last_rows = Out - (count - 1) * rows;

    // f(constant rows, first row) over the tiles of Out.
    template <class F>
    [[gnu::always_inline]] static void in_strips(int first, int last, F&& f) {
      for (int t = first; t < std::min(last, count - 1); ++t) f(constant<rows>{}, t * rows);
      if (last == count) f(constant<last_rows>{}, (count - 1) * rows);
    }
  };

  // Takes (Σ_k s²)ᵀ (a²) for a product of s and a.
  struct squared : plain_panels {
    static constexpr bool changes = true;
    std::size_t k;
    T const* s;

    squared(std::size_t columns, T const* vectors) : k(columns), s(vectors) {}
    static simd<T> change(simd<T> x) { return x * x; }
    template <class Tiles>
    void copy_strips(std::size_t begin, std::size_t samples, int first, int last, T* to) const {
      constexpr int w = width<T>;
      alignas(64) T sums[ceil_div(Out, w) * w];
      int const from = Tiles::first_row(first), end = Tiles::first_row(last);
      for (std::size_t i = 0; i < samples; ++i) {
        T const* const x = s + (begin + i) * k * Out;
        auto const some = [&](int o, auto&& read) {
          simd<T> sum(T(0));
          for (std::size_t j = 0; j < k; ++j) {
            simd<T> const v = read(x + j * Out + o);
            sum = multiply_add<T>(v, v, sum);
          }
          store<T>(sums + (o - from), sum);
        };
        int o = from;
        for (; o + w <= end; o += w) some(o, [](T const* at) { return load(at); });
        if (o < end) some(o, [&](T const* at) { return load_first(at, static_cast<std::size_t>(end - o)); });
        T* strip = to;
        Tiles::in_strips(first, last, [&]<int R>(constant<R>, int row) {
          std::copy_n(sums + (row - from), R, strip + i * R);
          strip += static_cast<std::size_t>(Tiles::rows) * samples;
        });
      }
    }
  };

  // out += (Σ_k s²)ᵀ (a²)
  static void product_of_squares(std::size_t n, std::size_t k, T const* a, T const* s, T* out) {
    using columns = typename transposed_tiles<T, Out, In>::columns;
    squared const both(k, s);
    auto const work = 1 + n * (k + columns::panel_width) * Out;
    parallel_ranges(columns::count, 1 + (std::size_t{1} << 20) / work, 1, [&](std::size_t first, std::size_t last) {
      multiply_transposed<T, Out, In>(n, s, a, out, In, T(1), static_cast<int>(first), static_cast<int>(last), true,
                                      both);
    });
  }

  template <int Tail, int Rows, int V>
  [[gnu::always_inline]] static void add_tile(simd<T> (&acc)[Rows][V], T* to) {
    simd<T> before[Rows][V];
    begin_tile<Tail, T>(before, start::present, to, In);
#pragma GCC unroll 16
    for (int o = 0; o < Rows; ++o) {
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) acc[o][j] = acc[o][j] + before[o][j];
    }
    end_tile<Tail, T>(acc, to, In);
  }

  // out += Σ_{nk} (factor T_{nk} − mean)²; without mean and factor unless Centred.
  template <bool Centred>
  static void squares(std::size_t n, std::size_t k, std::size_t r, T const* a, T const* s,
                      [[maybe_unused]] T const* mean, [[maybe_unused]] T factor, T* out) {
    // Samples whose inputs and columns fit a first-level cache together.
    std::size_t const block = std::max<std::size_t>(1, 32 * 1024 / (sizeof(T) * r * (In + k * Out)));
    using tiles = square_tiles<Centred>;
    using columns = columns_of_squares;
    auto const work = n * k * r * In * static_cast<std::size_t>(tiles::rows);
    parallel_ranges(tiles::count, 1 + (std::size_t{1} << 20) / (work + 1), 1, [&](std::size_t first, std::size_t last) {
      for (std::size_t begin = 0; begin < n; begin += block) {
        std::size_t const end = std::min(n, begin + block);
        in_panels<columns, T>(0, columns::count, [&]<int V, int Tail>(constant<V>, constant<Tail>, int panel) {
          std::size_t const column = static_cast<std::size_t>(panel) * columns::panel_width;
          tiles::in_strips(static_cast<int>(first), static_cast<int>(last), [&]<int Rows>(constant<Rows>, int row) {
            std::size_t const at = static_cast<std::size_t>(row) * In + column;
            simd<T> total[Rows][V];
            begin_tile<Tail, T>(total, start::zero, nullptr, 0);
            for (std::size_t nk = begin * k; nk < end * k; ++nk) {
              simd<T> acc[Rows][V];
              begin_tile<Tail, T>(acc, start::zero, nullptr, 0);
              multiply_tile<Tail, T>(acc, r, s + nk * r * Out + row, 1, Out, a + nk / k * r * In + column, In);
#pragma GCC unroll 16
              for (int o = 0; o < Rows; ++o) {
#pragma GCC unroll 8
                for (int j = 0; j < V; ++j) {
                  if constexpr (Centred) {
                    T const* const m = mean + at + o * In + j * width<T>;
                    acc[o][j] = simd<T>(factor) * acc[o][j] - (j + 1 < V ? load(m) : load_first<Tail>(m));
                  }
                  total[o][j] = multiply_add<T>(acc[o][j], acc[o][j], total[o][j]);
                }
              }
            }
            add_tile<Tail>(total, out + at);
          });
        });
      }
    });
  }

  template <bool Centred>
  static void bias_squares(std::size_t columns, std::size_t r, T const* s, [[maybe_unused]] T const* mean,
                           [[maybe_unused]] T factor, T* out) {
    in_vectors<T, Out>([&]<int Count>(constant<Count>, int o) {
      simd<T> total = load_first<Count>(out + o);
      for (std::size_t i = 0; i < columns; ++i) {
        simd<T> b(T(0));
        for (std::size_t q = 0; q < r; ++q) b += load_first<Count>(s + (i * r + q) * Out + o);
        if constexpr (Centred) b = simd<T>(factor) * b - load_first<Count>(mean + o);
        total = multiply_add<T>(b, b, total);
      }
      store_first<Count, T>(out + o, total);
    });
  }

  // One sample: a [R, In], s [K, R, Out].
  template <class Norm>
  static void norms_by_pairs(std::size_t k, std::size_t r, T const* a, T const* s, bool bias, Norm* norms) {
    for (std::size_t p = 0; p < r; ++p)
      for (std::size_t q = 0; q <= p; ++q) {
        T const twice = T(p == q ? 1 : 2) * (dot<T>(a + p * In, a + q * In, In) + T(bias ? 1 : 0));
        for (std::size_t j = 0; j < k; ++j)
          norms[j] += static_cast<Norm>(twice * dot<T>(s + (j * r + p) * Out, s + (j * r + q) * Out, Out));
      }
  }

  template <class Norm>
  static void norms_by_entries(std::size_t k, std::size_t r, T const* a, T const* s, bool bias, Norm* norms) {
    using tiles = transposed_tiles<T, Out, In>;
    using p = typename tiles::columns;
    for (std::size_t j = 0; j < k; ++j, s += r * Out) {
      simd<T> total[p::per_panel];
      for (auto& t : total) t = simd<T>(T(0));
      auto const one = [&]<int Rows>(constant<Rows>, int row) {
        in_panels<p, T>(0, p::count, [&]<int V, int Tail>(constant<V>, constant<Tail>, int panel) {
          simd<T> acc[Rows][V];
          begin_tile<Tail, T>(acc, start::zero, nullptr, 0);
          multiply_tile<Tail, T>(acc, r, s + row, 1, Out, a + panel * p::panel_width, In);
#pragma GCC unroll 16
          for (int o = 0; o < Rows; ++o) {
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) total[v] = multiply_add<T>(acc[o][v], acc[o][v], total[v]);
          }
        });
      };
      tiles::in_strips(0, tiles::count, one);
      if (bias)
        in_vectors<T, Out>([&]<int Count>(constant<Count>, int o) {
          simd<T> b(T(0));
          for (std::size_t q = 0; q < r; ++q) b += load_first<Count>(s + q * Out + o);
          total[0] = multiply_add<T>(b, b, total[0]);
        });
      for (auto const& t : total) norms[j] += static_cast<Norm>(sum<T>(t));
    }
  }
};

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
