#pragma once
/// \file
/// The products of a linear layer, y = x Wᵀ + b, and its two adjoints, with every feature size a constant.
/// W is [Out, In], x and dx [rows, In], y and dy [rows, Out], all row-major and contiguous. Rows are split over
/// threads in `forward` and `pull`, columns of W in `weight_gradient`. On the tiles results do not depend on
/// the thread count; BLAS sees other slabs with other thread counts, and rounds differently in the last bits. Nothing
/// allocates and nothing throws, unless an epilogue does.

#include <algorithm>
#include <cstddef>
#include <numeric>

#include <kappa/kernels/blas.hpp>
#include <kappa/kernels/row.hpp>
#include <kappa/kernels/tiles.hpp>
#include <kappa/plan/choose.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

/// The epilogue that does nothing.
struct no_epilogue {
  void operator()(std::size_t, std::size_t) const {}
};

/// Rows that give a thread two million multiply-adds' worth of work: below that, starting it costs more.
constexpr std::size_t rows_per_thread(int in, int out) {
  return 1 + (std::size_t{1} << 20) / (static_cast<std::size_t>(in) * static_cast<std::size_t>(out));
}

/// \tparam Route the loops to use; see choose_route.
///
/// An epilogue is called as epilogue(first_row, last_row) on disjoint blocks that cover all rows, right after their
/// results were written and while these are in the first or second level cache; with several threads, on several
/// blocks at once.
template <class T, int In, int Out, route Route>
struct product {
  static_assert(In > 0 && Out > 0);

  /// Elements of scratch that any member needs, whatever the rows and the thread count.
  static constexpr std::size_t scratch_elements(int /*threads*/) {
    if (Route == route::blas) return 0;
    return std::max({packs_whole ? static_cast<std::size_t>(In) * panels<T, std::max(1, whole_out)>::padded : 0,
                     static_cast<std::size_t>(Out) * static_cast<std::size_t>(In - whole_in),
                     static_cast<std::size_t>(Out) * static_cast<std::size_t>(In - gathered_in), packed_in});
  }

  /// y = x Wᵀ + bias, then the epilogue. `bias` [Out] may be null. `scratch` holds scratch_elements and should be
  /// aligned to a cache line.
  template <class Epilogue = no_epilogue>
  static void forward(std::size_t rows, T const* x, T const* w, T const* bias, T* y, T* scratch,
                      Epilogue&& epilogue = {}) {
    if constexpr (Route == route::blas) {
      in_blocks<blas_block(Out), 1>(rows, [&](std::size_t r, std::size_t end) {
        if (bias)
          for (std::size_t i = r; i < end; ++i) std::copy(bias, bias + Out, y + i * Out);
        gemm<T>(taken::as_is, taken::transposed, end - r, Out, In, T(1), x + r * In, In, w, In, T(bias ? 1 : 0),
                y + r * Out, Out);
        epilogue(r, end);
      });
    } else {
      start const from = bias ? start::row : start::zero;
      if (rows <= few_rows || whole_out == 0) {
        in_blocks<tile_block(Out), tile_rows<Out>>(rows, [&](std::size_t r, std::size_t end) {
          multiply_by_dots<T, In, Out>(end - r, x + r * In, w, from, bias, y + r * Out);
          epilogue(r, end);
        });
        return;
      }
      if constexpr (whole_out > 0) {
        using turned = turned_product<T, In, whole_out, Out>;
        if constexpr (packs_whole) pack_transposed<T, In, whole_out>(w, scratch, 0, panels<T, whole_out>::vectors);
        constexpr std::size_t tile = std::lcm(tile_rows<whole_out>, turned::fits ? turned::in_panel : 1);
        in_blocks<forward_block, tile>(rows, [&](std::size_t r, std::size_t end) {
          T const* const xs = x + r * In;
          T* const ys = y + r * Out;
          if constexpr (packs_whole)
            multiply<T, In, whole_out, Out>(end - r, xs, scratch, from, bias, ys);
          else if (!turned::wins(end - r))
            multiply_by_rows<T, In, whole_out, Out>(end - r, xs, w, from, bias, ys);
          else if constexpr (turned::fits)
            turned::multiply(end - r, xs, w, bias, ys);
          if constexpr (whole_out < Out)
            multiply_by_dots<T, In, Out - whole_out, Out>(end - r, xs, w + static_cast<std::size_t>(In) * whole_out,
                                                          from, bias ? bias + whole_out : nullptr, ys + whole_out);
          epilogue(r, end);
        });
      }
    }
  }

  /// dx = dy W, or dx += dy W when `accumulate`, then the epilogue. `scratch` as in `forward`.
  template <class Epilogue = no_epilogue>
  static void pull(std::size_t rows, T const* dy, T const* w, T* dx, bool accumulate, T* scratch,
                   Epilogue&& epilogue = {}) {
    if constexpr (Route == route::blas) {
      in_blocks<blas_block(In), 1>(rows, [&](std::size_t r, std::size_t end) {
        gemm<T>(taken::as_is, taken::as_is, end - r, In, Out, T(1), dy + r * Out, Out, w, In, T(accumulate ? 1 : 0),
                dx + r * In, In);
        epilogue(r, end);
      });
    } else {
      start const from = accumulate ? start::present : start::zero;
      if (rows == 1 && in_second_level<T>(In, Out)) {
        pull_row<T, In, Out>(dy, w, [&]<int N>(simd<T> g, int i, constant<N>) {
          store_first<N, T>(dx + i, accumulate ? g + load_first<N>(dx + i) : g);
        });
        epilogue(std::size_t{0}, rows);
        return;
      }
      if constexpr (whole_in < In)  // the last columns of W as rows
        for (int i = whole_in; i < In; ++i)
          for (int o = 0; o < Out; ++o)
            scratch[static_cast<std::ptrdiff_t>(i - whole_in) * Out + o] = w[static_cast<std::ptrdiff_t>(o) * In + i];
      in_blocks<pull_block, tile_rows<whole_in>>(rows, [&](std::size_t r, std::size_t end) {
        if constexpr (whole_in > 0)
          multiply_as_it_lies<T, Out, whole_in, In>(end - r, dy + r * Out, w, accumulate, dx + r * In);
        if constexpr (whole_in < In)
          multiply_by_dots<T, Out, In - whole_in, In>(end - r, dy + r * Out, scratch, from, nullptr,
                                                      dx + r * In + whole_in);
        epilogue(r, end);
      });
    }
  }

  /// dw += dyᵀ x and db += the column sums of dy, as a shared weight wants it, or without `add` dw = and db =; `db` may
  /// be null. `scratch` as in `forward`.
  static void weight_gradient(std::size_t rows, T const* dy, T const* x, T* dw, T* db, T* scratch, bool add = true) {
    if constexpr (Route == route::tiles)
      if (rows == 1) {
        outer_row<T, In, Out>(dy, x, dw, add);
        if (db) add_row<T, Out>(dy, db, add);
        return;
      }
    if (!add && db) std::fill(db, db + Out, T(0));
    if (rows == 0) {
      if (!add) std::fill(dw, dw + static_cast<std::size_t>(In) * Out, T(0));
      return;
    }
    if constexpr (Route == route::blas) {
      parallel_ranges(Out, 1 + rows_per_thread(In, 1) / rows, 1, [&](std::size_t o, std::size_t end) {
        gemm<T>(taken::transposed, taken::as_is, end - o, In, rows, T(1), dy + o, Out, x, In, T(add ? 1 : 0),
                dw + o * In, In);
      });
    } else {
      if constexpr (gathered_in > 0) {
        using columns = typename transposed_tiles<T, Out, gathered_in>::columns;
        parallel_ranges(columns::count, 1 + rows_per_thread(columns::panel_width, Out) / rows, 1,
                        [&](std::size_t first, std::size_t last) {
                          multiply_transposed<T, Out, gathered_in, false, Out, In>(
                              rows, dy, x, dw, In, T(1), static_cast<int>(first), static_cast<int>(last), add, {},
                              packed_in > 0 ? scratch : nullptr);
                        });
      }
      if constexpr (gathered_in < In) {  // the last columns of dW as rows
        constexpr int rest = In - gathered_in;
        multiply_transposed<T, rest, Out, false, In, Out>(rows, x + gathered_in, dy, scratch, Out, T(1), 0,
                                                          transposed_tiles<T, rest, Out>::columns::count, false);
        for (int o = 0; o < Out; ++o)
          for (int i = 0; i < rest; ++i) {
            T& to = dw[static_cast<std::ptrdiff_t>(o) * In + gathered_in + i];
            T const v = scratch[static_cast<std::ptrdiff_t>(i) * Out + o];
            to = add ? to + v : v;
          }
      }
    }
    if (db) add_column_sums<T, Out>(rows, dy, db);
  }

 private:
  // Columns that go through vectors; the rest, too few to fill one, are cheaper as dot products of `depth` elements,
  // whose sums cost about three operations each, or, in a weight gradient, as rows of the transposed product. What is
  // left of a last vector that is not cut off so is padding.
  static constexpr int whole_columns(int columns, int depth) {
    int const w = width<T>, tail = columns % w;
    return tail * (ceil_div(depth, w) + 3) < depth ? columns - tail : ceil_div(columns, w) * w;
  }
  static constexpr int whole_out = whole_columns(Out, In) > Out ? Out : whole_columns(Out, In);
  static constexpr int whole_in = whole_columns(In, Out) > In ? In : whole_columns(In, Out);
  static constexpr int gathered_in = 2 * (In % width<T>)*ceil_div(Out, width<T>) < Out ? In - In % width<T> : In;

  // What the weight gradient copies of x.
  static constexpr std::size_t packed_in = transposed_tiles<T, Out, std::max(1, gathered_in)>::packed;

  // Whether the forward product packs W as a whole, before all rows, or panel by panel.
  static constexpr bool packs_whole = in_first_level<T>(In, std::max(1, whole_out));

  // Up to so many rows the forward product reads W as it lies: packing costs as much as the dot products' horizontal
  // sums and unaligned loads. Measured: about In / 64 rows on Zen 5; on Zen 3 with W packed panel by panel 6 to 9 from
  // 128 to 784 inputs.
  static constexpr std::size_t few_rows = simd_registers == 16 && !packs_whole ? 8 : 2 + In / 64;

  // Rows of a block: their results fill a third of a first-level cache; about a hundred when W has to be streamed for
  // each block, a second-level cache's worth when panels of W are copied for each. Slabs of a few hundred rows for
  // BLAS, which packs W once a call.
  static constexpr std::size_t tile_block(int columns) {
    return std::max<std::size_t>(in_second_level<T>(In, Out) ? 1 : 96,
                                 16 * 1024 / (sizeof(T) * static_cast<std::size_t>(columns)));
  }
  static constexpr std::size_t copied_block(int columns) {
    return std::max<std::size_t>(96, 256 * 1024 / (sizeof(T) * static_cast<std::size_t>(columns)));
  }
  static constexpr std::size_t blas_block(int columns) {
    return std::clamp<std::size_t>(256 * 1024 / (sizeof(T) * static_cast<std::size_t>(columns)), 64, 1024);
  }
  static constexpr std::size_t forward_block = packs_whole ? tile_block(Out) : copied_block(Out);
  static constexpr std::size_t pull_block = in_first_level<T>(In, Out) ? tile_block(In) : copied_block(In);

  // Rows of the tiles that blocks are cut into.
  template <int Columns>
  static constexpr std::size_t tile_rows = static_cast<std::size_t>(panels<T, std::max(1, Columns)>::rows);

  // Blocks of about `Block` rows and all about as long, since the last pays for its copy of W like the others; whole
  // tiles but for the last.
  template <std::size_t Block, std::size_t Tile, class F>
  static void in_blocks(std::size_t rows, F&& f) {
    parallel_ranges(rows, rows_per_thread(In, Out), 16, [&](std::size_t begin, std::size_t end) {
      std::size_t const n = end - begin, tiles = (n + Tile - 1) / Tile;
      std::size_t const count = std::clamp<std::size_t>((n + Block / 2) / Block, 1, tiles);
      for (std::size_t i = 0; i < count; ++i)
        f(begin + tiles * i / count * Tile, std::min(end, begin + tiles * (i + 1) / count * Tile));
    });
  }
};

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
