#pragma once
/// \file
/// The products of a linear layer, y = x Wᵀ + b, and its two adjoints, with every feature size a constant.
/// W is [Out, In], x and dx [rows, In], y and dy [rows, Out], all row-major and contiguous. Rows are split over
/// threads in `forward` and `pull`, columns of W in `weight_gradient`. On the tiles results do not depend on
/// the thread count; BLAS sees other slabs with other thread counts, and rounds differently in the last bits. Nothing
/// allocates and nothing throws, unless an epilogue does.

#include <algorithm>
#include <cstddef>

#include <kappa/kernels/blas.hpp>
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
    return Route == route::tiles ? static_cast<std::size_t>(In) * panels<T, Out>::padded : 0;
  }

  /// y = x Wᵀ + bias, then the epilogue. `bias` [Out] may be null. `scratch` holds scratch_elements and should be
  /// aligned to a cache line.
  template <class Epilogue = no_epilogue>
  static void forward(std::size_t rows, T const* x, T const* w, T const* bias, T* y, T* scratch,
                      Epilogue&& epilogue = {}) {
    if constexpr (Route == route::blas) {
      in_blocks<blas_block(Out)>(rows, [&](std::size_t r, std::size_t end) {
        if (bias)
          for (std::size_t i = r; i < end; ++i) std::copy(bias, bias + Out, y + i * Out);
        gemm<T>(taken::as_is, taken::transposed, end - r, Out, In, T(1), x + r * In, In, w, In, T(bias ? 1 : 0),
                y + r * Out, Out);
        epilogue(r, end);
      });
    } else {
      bool const dots = rows <= few_rows;
      if (!dots && rows > 0)
        parallel_ranges(panels<T, Out>::vectors, 1 + (1 << 18) / (In * width<T>), 1,
                        [&](std::size_t v, std::size_t end) {
                          pack_transposed<T, In, Out>(w, scratch, static_cast<int>(v), static_cast<int>(end));
                        });
      in_blocks<tile_block(Out, panels<T, Out>::rows)>(rows, [&](std::size_t r, std::size_t end) {
        auto const* const xs = x + r * In;
        auto* const ys = y + r * Out;
        if (dots)
          multiply_by_dots<T, In, Out>(end - r, xs, w, bias, ys);
        else
          multiply<T, In, Out>(end - r, xs, scratch, bias ? start::row : start::zero, bias, ys);
        epilogue(r, end);
      });
    }
  }

  /// dx = dy W, or dx += dy W when `accumulate`, then the epilogue.
  template <class Epilogue = no_epilogue>
  static void pull(std::size_t rows, T const* dy, T const* w, T* dx, bool accumulate, T* /*scratch*/,
                   Epilogue&& epilogue = {}) {
    in_blocks<Route == route::blas ? blas_block(In) : copied_block(In, panels<T, In>::rows)>(
        rows, [&](std::size_t r, std::size_t end) {
          if constexpr (Route == route::blas)
            gemm<T>(taken::as_is, taken::as_is, end - r, In, Out, T(1), dy + r * Out, Out, w, In, T(accumulate ? 1 : 0),
                    dx + r * In, In);
          else
            multiply_as_it_lies<T, Out, In>(end - r, dy + r * Out, w, accumulate, dx + r * In);
          epilogue(r, end);
        });
  }

  /// dw += dyᵀ x and db += the column sums of dy, as a shared weight wants it, or without `add` dw = and db =; `db` may
  /// be null.
  static void weight_gradient(std::size_t rows, T const* dy, T const* x, T* dw, T* db, T* /*scratch*/,
                              bool add = true) {
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
      using columns = typename transposed_tiles<T, Out, In>::columns;
      parallel_ranges(columns::count, 1 + rows_per_thread(columns::panel_width, Out) / rows, 1,
                      [&](std::size_t first, std::size_t last) {
                        multiply_transposed<T, Out, In>(rows, dy, x, dw, In, T(1), static_cast<int>(first),
                                                        static_cast<int>(last), add);
                      });
    }
    if (db) add_column_sums<T, Out>(rows, dy, db);
  }

 private:
  // Up to so many rows the forward product reads W as it lies: packing costs as much as the dot products' horizontal
  // sums and unaligned loads at about In / 64 rows (measured on Zen 5).
  static constexpr std::size_t few_rows = 2 + In / 64;

  // Blocks of whole tiles whose results fill a third of a first-level cache; of about a hundred rows when W has to be
  // streamed for each of them. Slabs of a few hundred rows for BLAS, which packs W once a call.
  static constexpr std::size_t tile_block(int columns, int tile_rows) {
    auto const tile = static_cast<std::size_t>(tile_rows), row = sizeof(T) * static_cast<std::size_t>(columns);
    std::size_t const rows = in_second_level<T>(In, Out) ? 16 * 1024 / row : std::max<std::size_t>(96, 16 * 1024 / row);
    return tile * std::max<std::size_t>(1, rows / tile);
  }
  static constexpr std::size_t copied_block(int columns, int tile_rows) {
    auto const tile = static_cast<std::size_t>(tile_rows), row = sizeof(T) * static_cast<std::size_t>(columns);
    return tile * std::max<std::size_t>(16, 256 * 1024 / row / tile);
  }
  static constexpr std::size_t blas_block(int columns) {
    return std::clamp<std::size_t>(256 * 1024 / (sizeof(T) * static_cast<std::size_t>(columns)), 64, 1024);
  }

  template <std::size_t Block, class F>
  static void in_blocks(std::size_t rows, F&& f) {
    parallel_ranges(rows, rows_per_thread(In, Out), 24, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; r += Block) f(r, std::min(end, r + Block));
    });
  }
};

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
