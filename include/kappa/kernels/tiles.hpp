#pragma once
/// \file
/// Register tiles: the shapes of the blocks of a product that stay in vector registers, the packing of an operand
/// into panels that such a block reads contiguously, and the two loops over tiles that everything else uses,
/// C = A B (rows of A and C known at run time) and C += Aᵀ B (the contraction runs over the rows).

#include <algorithm>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

#include <kappa/kernels/simd.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

/// A number carried by a type, so that a lambda's parameter can be a loop bound the compiler knows.
template <int Value>
using constant = std::integral_constant<int, Value>;

/// How `Columns` columns of T are cut into panels of a few vectors, and how many rows go with them so that the
/// accumulators fill the register file: 24 of 32 registers, 12 of 16.
template <class T, int Columns, int Widest = simd_registers == 32 ? 3 : 2>
struct panels {
  static constexpr int accumulators = simd_registers == 32 ? 24 : 12;
  static constexpr int vectors = ceil_div(Columns, width<T>);
  static constexpr int count = ceil_div(vectors, Widest);
  /// Vectors in every panel but the last, and in the last.
  static constexpr int per_panel = ceil_div(vectors, count);
  static constexpr int in_last = vectors - (count - 1) * per_panel;
  /// Columns in the last vector.
  static constexpr int tail = Columns - (vectors - 1) * width<T>;
  static constexpr int rows = per_panel == 1 ? (simd_registers == 32 ? 16 : 8) : accumulators / per_panel;
  /// Columns of a panel, and of all panels with the last padded to whole vectors.
  static constexpr int panel_width = per_panel * width<T>;
  static constexpr int padded = vectors * width<T>;
};

/// acc += a bᵀ for a column a of A, whose elements are a_row apart, and a row b of B, whose last vector holds `Tail`
/// elements. With `Keep`, B's vectors are also written to `copy`, the last padded with zeros.
template <int Tail, class T, int Rows, int Vectors, bool Keep>
[[gnu::always_inline]] inline void multiply_step(simd<T> (&acc)[Rows][Vectors], T const* a, std::size_t a_row,
                                                 T const* b, std::bool_constant<Keep>, [[maybe_unused]] T* copy) {
  simd<T> v[Vectors];
#pragma GCC unroll 8
  for (int j = 0; j + 1 < Vectors; ++j) v[j] = load(b + j * width<T>);
  v[Vectors - 1] = load_first<Tail>(b + (Vectors - 1) * width<T>);
  if constexpr (Keep) {
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) store<T>(copy + j * width<T>, v[j]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    simd<T> const x(a[static_cast<std::size_t>(i) * a_row]);
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) acc[i][j] = multiply_add<T>(x, v[j], acc[i][j]);
  }
}

/// acc += A B for one tile: A's element (i, k) at a[i a_row + k a_step], B's vectors at b + k b_step, as in
/// multiply_step. `depth` is a std::integral_constant or a run-time number. With `Keep`, copies follow each other.
template <int Tail, class T, int Rows, int Vectors, class Depth, bool Keep = false>
[[gnu::always_inline]] inline void multiply_tile(simd<T> (&acc)[Rows][Vectors], Depth depth, T const* a,
                                                 std::size_t a_row, std::size_t a_step, T const* b, std::size_t b_step,
                                                 std::bool_constant<Keep> keep = {},
                                                 [[maybe_unused]] T* copy = nullptr) {
  auto const step = [&]() __attribute__((always_inline)) {
    multiply_step<Tail, T>(acc, a, a_row, b, keep, copy);
    a += a_step;
    b += b_step;
    if constexpr (Keep) copy += Vectors * width<T>;
  };
  if constexpr (std::is_integral_v<Depth>) {
    // Unrolled for what the loop itself costs: the processor decodes hardly more than the products need.
#pragma GCC unroll 2
    for (std::size_t k = 0; k < depth; ++k) step();
  } else {
    for (std::size_t k = 0; k < Depth::value; ++k) step();
  }
}

/// Cuts `n` rows into tiles: f(constant rows, first_row). With 16 registers a tile of Rows has hardly more accumulators
/// than two multiply-add units keep busy, so what does not divide by Rows is taken off many tiles, a row or two each;
/// with 32, and when rows are few, the rest goes into tiles of 8, 4, 2 and 1.
template <int Rows, class F>
[[gnu::always_inline]] inline void in_row_tiles(std::size_t n, F&& f) {
  std::size_t r = 0;
  auto const tile = [&]<int R>(constant<R>) {
    f(constant<R>{}, r);
    r += static_cast<std::size_t>(R);
  };
  if constexpr (simd_registers == 16 && Rows == 6) {
    std::size_t const count = (n + Rows - 1) / Rows, missing = count * Rows - n;
    if (missing <= 2 * count) {
      std::size_t const shorter = missing > count ? missing - count : 0;  // by two rows
      for (std::size_t t = shorter + (missing - 2 * shorter); t < count; ++t) tile(constant<Rows>{});
      for (std::size_t t = 0; t < missing - 2 * shorter; ++t) tile(constant<Rows - 1>{});
      for (std::size_t t = 0; t < shorter; ++t) tile(constant<Rows - 2>{});
      return;
    }
  }
  while (r + Rows <= n) tile(constant<Rows>{});
  auto const rest = [&]<int R>(constant<R>) {
    if constexpr (R < Rows)
      if (r + R <= n) tile(constant<R>{});
  };
  rest(constant<8>{});
  rest(constant<4>{});
  rest(constant<2>{});
  rest(constant<1>{});
}

/// Cuts columns into panels [first, last): f(constant vectors, constant elements of the last vector, panel).
template <class P, class T, class F>
[[gnu::always_inline]] inline void in_panels(int first, int last, F&& f) {
  if constexpr (P::in_last == P::per_panel && P::tail == width<T>) {
    for (int p = first; p < last; ++p) f(constant<P::per_panel>{}, constant<width<T>>{}, p);
  } else {
    for (int p = first; p < std::min(last, P::count - 1); ++p) f(constant<P::per_panel>{}, constant<width<T>>{}, p);
    if (last == P::count) f(constant<P::in_last>{}, constant<P::tail>{}, P::count - 1);
  }
}

/// Packs B = Wᵀ, W [Columns, Depth] row-major, into panels: panel p holds Depth rows of its columns, contiguous,
/// the last vector padded with zeros. Only vectors [first, last) of the panels::vectors are packed; `to` has room
/// for Depth * panels::padded elements.
template <class T, int Depth, int Columns>
void pack_transposed(T const* w, T* to, int first, int last) {
  using p = panels<T, Columns>;
  constexpr int n = width<T>;
  auto const squares = [&]<int Rows>(constant<Rows>, int v) {  // Rows rows of W -> a vector
    int const panel = v / p::per_panel;
    int const step = (panel == p::count - 1 ? p::in_last : p::per_panel) * n;
    T* out = to + static_cast<std::ptrdiff_t>(panel) * p::panel_width * Depth + (v % p::per_panel) * n;
    T const* from = w + static_cast<std::ptrdiff_t>(v) * n * Depth;
    auto const square = [&]<int Steps>(constant<Steps>) __attribute__((always_inline)) {
      simd<T> x[n];
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i) x[i] = i < Rows ? load_first<Steps>(from + i * Depth) : simd<T>(T(0));
      transpose<T>(x);
#pragma GCC unroll 16
      for (int k = 0; k < Steps; ++k) store<T>(out + k * step, x[k]);
    };
    for (int k = 0; k < Depth / n; ++k, from += n, out += n * step) square(constant<n>{});
    if constexpr (Depth % n != 0) square(constant<Depth % n>{});
  };
  for (int v = first; v < std::min(last, Columns / n); ++v) squares(constant<n>{}, v);
  if constexpr (Columns % n != 0)
    if (last == p::vectors) squares(constant<Columns % n>{}, p::vectors - 1);
}

/// What a tile of C starts from.
enum class start { zero, row, present };

/// Begins a tile of C; the last vector of each row holds `Tail` elements. `from` is the row of start::row or the
/// tile in memory of start::present.
template <int Tail, class T, int Rows, int Vectors>
[[gnu::always_inline]] inline void begin_tile(simd<T> (&acc)[Rows][Vectors], start what, T const* from,
                                              std::size_t ld) {
  auto const fill = [&](auto&& element) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) acc[i][j] = element(i, j);
    }
  };
  auto const read = [&](T const* p, int j) __attribute__((always_inline)) {
    return j + 1 < Vectors ? load(p + j * width<T>) : load_first<Tail>(p + j * width<T>);
  };
  if (what == start::row)
    fill([&](int, int j) __attribute__((always_inline)) { return read(from, j); });
  else if (what == start::present)
    fill([&](int i, int j) __attribute__((always_inline)) { return read(from + static_cast<std::size_t>(i) * ld, j); });
  else
    fill([](int, int) __attribute__((always_inline)) { return simd<T>(T(0)); });
}

/// Writes a tile of C.
template <int Tail, class T, int Rows, int Vectors>
[[gnu::always_inline]] inline void end_tile(simd<T> const (&acc)[Rows][Vectors], T* to, std::size_t ld) {
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i, to += ld) {
#pragma GCC unroll 8
    for (int j = 0; j + 1 < Vectors; ++j) store<T>(to + j * width<T>, acc[i][j]);
    store_first<Tail, T>(to + (Vectors - 1) * width<T>, acc[i][Vectors - 1]);
  }
}

/// Whether a matrix of so many elements stays in the first-level cache between tiles of rows.
template <class T>
constexpr bool in_first_level(int rows, int columns) {
  return sizeof(T) * static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns) <= 16 * 1024;
}

/// Whether a matrix of so many elements stays in the second-level cache between tiles of rows.
template <class T>
constexpr bool in_second_level(int rows, int columns) {
  return sizeof(T) * static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns) <= 1024 * 1024;
}

/// Rows of a panel of B that lie in the first-level cache together with what passes by it.
template <class T, int Vectors>
inline constexpr std::size_t panel_depth = (simd_registers == 32 ? 24 : 16) * 1024 / (Vectors * sizeof(simd<T>));

/// Copies a panel of B, whose rows are ld apart, to where its rows follow each other; the last vector is padded with
/// zeros. B's own rows would meet in few sets of the cache when ld is a multiple of a large power of two.
template <int Tail, int Vectors, class T, class Change = std::identity>
[[gnu::always_inline]] inline void copy_panel(std::size_t depth, T const* b, std::size_t ld, T* to,
                                              Change&& change = {}) {
  for (std::size_t k = 0; k < depth; ++k, b += ld, to += Vectors * width<T>) {
#pragma GCC unroll 8
    for (int j = 0; j + 1 < Vectors; ++j) store<T>(to + j * width<T>, change(load(b + j * width<T>)));
    constexpr int last = (Vectors - 1) * width<T>;
    store<T>(to + last, change(load_first<Tail>(b + last)));
  }
}

/// C = A B + start for A [rows, Depth] contiguous, C [rows, Columns] with rows `Stride` apart, and B packed in panels.
/// `bias` [Columns] is read with start::row only.
template <class T, int Depth, int Columns, int Stride = Columns>
void multiply(std::size_t rows, T const* a, T const* b, start what, T const* bias, T* c) {
  using p = panels<T, Columns>;
  constexpr std::integral_constant<std::size_t, Depth> depth{};
  in_row_tiles<p::rows>(rows, [&]<int Rows>(constant<Rows>, std::size_t r) {
    in_panels<p, T>(0, p::count, [&]<int Vectors, int Tail>(constant<Vectors>, constant<Tail>, int panel) {
      std::size_t const column = static_cast<std::size_t>(panel) * p::panel_width;
      T* const out = c + r * Stride + column;
      simd<T> acc[Rows][Vectors];
      begin_tile<Tail, T>(acc, what, what == start::row ? bias + column : out, Stride);
      multiply_tile<width<T>, T>(acc, depth, a + r * Depth, Depth, 1, b + column * Depth, Vectors * width<T>);
      end_tile<Tail, T>(acc, out, Stride);
    });
  });
}

/// Packs a panel of B = Wᵀ: `Steps` elements of W's `columns` rows, which are ld apart, become rows of the panel,
/// padded with zeros to whole vectors. `columns` is a number or a std::integral_constant.
template <int Vectors, int Steps, class T, class Count>
[[gnu::always_inline]] inline void transpose_panel(T const* w, std::size_t ld, Count columns, T* to) {
  constexpr int n = width<T>;
  auto const square = [&]<int Width>(constant<Width>, int k) __attribute__((always_inline)) {
    for (int v = 0; v < Vectors; ++v) {
      T const* const from = w + static_cast<std::size_t>(v * n) * ld + k;
      simd<T> x[n];
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i)
        x[i] = v * n + i < columns ? load_first<Width>(from + static_cast<std::size_t>(i) * ld) : simd<T>(T(0));
      transpose<T>(x);
#pragma GCC unroll 16
      for (int i = 0; i < Width; ++i) store<T>(to + ((k + i) * Vectors + v) * n, x[i]);
    }
  };
  for (int k = 0; k < Steps / n * n; k += n) square(constant<n>{}, k);
  if constexpr (Steps % n != 0) square(constant<Steps % n>{}, Steps / n * n);
}

/// C = A Wᵀ + start for A [rows, Depth] and W [Columns, Depth] contiguous, C [rows, Columns] with rows `Stride` apart.
/// `bias` [Columns] is read with start::row only. A panel of Wᵀ is packed, and every tile of rows goes through it from
/// the second-level cache, which costs less than cutting sums of some hundred terms.
template <class T, int Depth, int Columns, int Stride = Columns>
void multiply_by_rows(std::size_t rows, T const* a, T const* w, start what, T const* bias, T* c) {
  using p = panels<T, Columns>;
  constexpr int n = width<T>, most = 4 * static_cast<int>(panel_depth<T, p::per_panel>);
  constexpr int chunks = ceil_div(Depth, most);
  constexpr int chunk = ceil_div(ceil_div(Depth, chunks), n) * n, last_chunk = Depth - (chunks - 1) * chunk;
  alignas(64) T panel_of_w[static_cast<std::size_t>(chunk) * p::panel_width];
  auto const some = [&]<int Steps>(constant<Steps>, int k) {
    in_panels<p, T>(0, p::count, [&]<int Vectors, int Tail>(constant<Vectors>, constant<Tail>, int panel) {
      std::size_t const column = static_cast<std::size_t>(panel) * p::panel_width;
      transpose_panel<Vectors, Steps>(w + column * Depth + k, Depth, constant<(Vectors - 1) * n + Tail>{}, panel_of_w);
      in_row_tiles<p::rows>(rows, [&]<int Rows>(constant<Rows>, std::size_t r) {
        T* const out = c + r * Stride + column;
        start const from = k > 0 ? start::present : what;
        simd<T> acc[Rows][Vectors];
        begin_tile<Tail, T>(acc, from, from == start::row ? bias + column : out, Stride);
        multiply_tile<n, T>(acc, std::integral_constant<std::size_t, Steps>{}, a + r * Depth + k, Depth, 1, panel_of_w,
                            Vectors * n);
        end_tile<Tail, T>(acc, out, Stride);
      });
    });
  };
  for (int i = 0; i < chunks - 1; ++i) some(constant<chunk>{}, i * chunk);
  some(constant<last_chunk>{}, (chunks - 1) * chunk);
}

/// C = A B, or C += A B when `add`, for A [rows, Depth] contiguous, B [Depth, Columns] and C [rows, Columns] with rows
/// `Stride` apart.
/// Unless B fits the first-level cache, the first tile of rows leaves a copy of each panel there for the others,
/// because the rows of a panel would meet in few sets of the cache when Columns is a multiple of a large power of two.
template <class T, int Depth, int Columns, int Stride = Columns>
void multiply_as_it_lies(std::size_t rows, T const* a, T const* b, bool add, T* c) {
  using p = panels<T, Columns>;
  auto const tile = [&]<int Rows, int Vectors, int Tail, int Steps>(constant<Rows>, std::size_t r, constant<Vectors>,
                                                                    constant<Tail>, int panel, constant<Steps>, int k,
                                                                    auto&& multiply) {
    std::size_t const column = static_cast<std::size_t>(panel) * p::panel_width;
    T* const out = c + r * Stride + column;
    simd<T> acc[Rows][Vectors];
    begin_tile<Tail, T>(acc, add || k > 0 ? start::present : start::zero, out, Stride);
    multiply(acc, std::integral_constant<std::size_t, Steps>{}, a + r * Depth + k,
             b + static_cast<std::size_t>(k) * Stride + column);
    end_tile<Tail, T>(acc, out, Stride);
  };
  if constexpr (in_first_level<T>(Depth, Columns)) {
    in_row_tiles<p::rows>(rows, [&](auto tile_rows, std::size_t r) {
      in_panels<p, T>(0, p::count,
                      [&]<int Vectors, int Tail>(constant<Vectors> vectors, constant<Tail> tail, int panel) {
                        tile(tile_rows, r, vectors, tail, panel, constant<Depth>{}, 0,
                             [](auto& acc, auto depth, T const* from_a, T const* from_b) {
                               multiply_tile<Tail, T>(acc, depth, from_a, Depth, 1, from_b, Stride);
                             });
                      });
    });
  } else {
    constexpr int most = static_cast<int>(panel_depth<T, p::per_panel>), chunks = ceil_div(Depth, most);
    constexpr int chunk = ceil_div(Depth, chunks);
    alignas(64) T copy[static_cast<std::size_t>(chunk) * p::panel_width];
    auto const some = [&](auto steps, int k) {
      in_panels<p, T>(
          0, p::count, [&]<int Vectors, int Tail>(constant<Vectors> vectors, constant<Tail> tail, int panel) {
            in_row_tiles<p::rows>(rows, [&](auto tile_rows, std::size_t r) {
              tile(tile_rows, r, vectors, tail, panel, steps, k,
                   [&](auto& acc, auto depth, T const* from_a, T const* from_b) {
                     if (r == 0)
                       multiply_tile<Tail, T>(acc, depth, from_a, Depth, 1, from_b, Stride, std::true_type{}, copy);
                     else
                       multiply_tile<width<T>, T>(acc, depth, from_a, Depth, 1, copy, Vectors * width<T>);
                   });
            });
          });
    };
    for (int i = 0; i < chunks - 1; ++i) some(constant<chunk>{}, i * chunk);
    some(constant<Depth - (chunks - 1) * chunk>{}, (chunks - 1) * chunk);
  }
}

/// C = A Wᵀ + start by dot products along the rows of W [Columns, Depth]; rows of C lie `Stride` apart. Nothing is
/// packed, so this wins when rows are few beside Depth, and for a few columns that would fill no vector.
template <class T, int Depth, int Columns, int Stride = Columns>
void multiply_by_dots(std::size_t rows, T const* a, T const* w, start what, T const* bias, T* c) {
  constexpr int n = width<T>;
  // As many dot products at a time as a vector has elements, of several rows when there are several.
  constexpr int most = n;
  constexpr int most_rows = std::max(simd_registers == 32 ? 4 : 2, most / Columns);
  auto const some = [&]<int Rows, int Outs>(constant<Rows>, constant<Outs>, std::size_t r, int o) {
    simd<T> acc[Rows * Outs];
#pragma GCC unroll 16
    for (int i = 0; i < Rows * Outs; ++i) acc[i] = simd<T>(T(0));
    T const* x = a + r * Depth;
    T const* v = w + static_cast<std::ptrdiff_t>(o) * Depth;
    auto const step = [&]<int Count>(constant<Count>, int k) {
      simd<T> xs[Rows];
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) xs[i] = load_first<Count>(x + i * Depth + k);
#pragma GCC unroll 16
      for (int j = 0; j < Outs; ++j) {
        simd<T> const ws = load_first<Count>(v + j * Depth + k);
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) acc[i * Outs + j] = multiply_add<T>(xs[i], ws, acc[i * Outs + j]);
      }
    };
    for (int k = 0; k < Depth / n * n; k += n) step(constant<n>{}, k);
    if constexpr (Depth % n != 0) step(constant<Depth % n>{}, Depth / n * n);
    simd<T> const total = sums<Rows * Outs, T>(acc);
    T* const out = c + r * Stride + o;
    if constexpr (Rows == 1) {
      simd<T> before(T(0));
      if (what == start::row) before = load_first<Outs>(bias + o);
      if (what == start::present) before = load_first<Outs>(out);
      store_first<Outs, T>(out, total + before);
    } else {
      alignas(simd<T>) T each[n];
      total.store_aligned(each);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
        for (int j = 0; j < Outs; ++j) {
          T const before = what == start::row ? bias[o + j] : what == start::present ? out[i * Stride + j] : T(0);
          out[i * Stride + j] = each[i * Outs + j] + before;
        }
      }
    }
  };
  in_row_tiles<std::min(n, most_rows)>(rows, [&]<int Rows>(constant<Rows> tile_rows, std::size_t r) {
    constexpr int outs = std::min(Columns, most / Rows), in_last = Columns % outs;
    for (int o = 0; o < Columns - in_last; o += outs) some(tile_rows, constant<outs>{}, r, o);
    if constexpr (in_last != 0) some(tile_rows, constant<in_last>{}, r, Columns - in_last);
  });
}

/// The tiles of C += Aᵀ B for C [Rows, Columns]: with few rows the panels grow wider to keep the accumulators many.
/// Rows are cut into strips of `rows`, as many as `tall`, and after them of one less.
template <class T, int Rows, int Columns>
struct transposed_tiles {
  using columns =
      panels<T, Columns, std::clamp((simd_registers == 32 ? 24 : 12) / Rows, simd_registers == 32 ? 3 : 2, 8)>;
  static constexpr int count = ceil_div(Rows, columns::rows);
  static constexpr int rows = ceil_div(Rows, count);
  static constexpr int tall = Rows - count * (rows - 1);
  static constexpr int first_row(int strip) { return strip * rows - std::max(0, strip - tall); }
  /// Rows of A and B taken at a time: a panel of B then stays in the first-level cache.
  static constexpr std::size_t depth = panel_depth<T, columns::per_panel> / 8 * 8;
  /// Whether the operands are copied, strips and panels contiguous. Strips of A are read once per panel and panels of B
  /// once per strip.
  static constexpr bool copies = count >= 4 && columns::count >= 4;
  /// Strips of A are copied in groups that stay in the second-level cache.
  static constexpr std::size_t room = 96 * 1024 / sizeof(T);
  static constexpr int in_group(std::size_t steps) {
    return static_cast<int>(std::min<std::size_t>(room / (steps * rows), count));
  }
  /// Elements of all panels' copies, when there may be several groups.
  static constexpr std::size_t packed =
      copies && in_group(depth) < count ? depth * static_cast<std::size_t>(columns::count * columns::panel_width) : 0;

  /// Calls f(constant rows, first row) for strips [first, last).
  template <class F>
  [[gnu::always_inline]] static void in_strips(int first, int last, F&& f) {
    int t = first;
    for (; t < std::min(last, tall); ++t) f(constant<rows>{}, t * rows);
    if constexpr (tall < count)
      for (; t < last; ++t) f(constant<rows - 1>{}, first_row(t));
  }
};

/// Copies strips [first, last) of the columns of A [depth, Rows] to where the rows of a strip follow each other; strips
/// start `tiles::rows` depth elements apart.
template <class Tiles, class T>
[[gnu::always_inline]] inline void copy_strips(std::size_t depth, std::size_t ld, T const* a, int first, int last,
                                               T* to) {
  constexpr std::size_t together = 16;  // a row's cache lines are still near when the next strip wants them
  for (std::size_t k = 0; k < depth; k += together) {
    std::size_t const steps = std::min(together, depth - k);
    T* strip = to;
    Tiles::in_strips(first, last, [&]<int R>(constant<R>, int row) {
      T const* from = a + k * ld + row;
      T* out = strip + k * R;
      for (std::size_t i = 0; i < steps; ++i, from += ld, out += R) std::copy_n(from, R, out);
      strip += Tiles::rows * depth;
    });
  }
}

/// Writes a tile of Cᵀ to where its first `columns` <= width Vectors columns are rows of C, ld apart.
template <class T, int R, int Vectors>
[[gnu::always_inline]] inline void end_turned_tile(simd<T> const (&acc)[R][Vectors], int columns, T* to,
                                                   std::size_t ld) {
  constexpr int n = width<T>;
  T whole[Vectors * n * R];  // for a tile of fewer columns
  bool const fewer = columns < Vectors * n;
  T* out = fewer ? whole : to;
  std::size_t const stride = fewer ? R : ld;
  auto const some = [&]<int First>(constant<First>, int v) __attribute__((always_inline)) {
    constexpr int count = std::min(n, R - First);
    simd<T> x[n];
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) x[i] = i < count ? acc[First + std::min(i, count - 1)][v] : simd<T>(T(0));
    transpose<T>(x);
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) store_first<count, T>(out + static_cast<std::size_t>(i) * stride + First, x[i]);
  };
  auto const all = [&]<int... I>(std::integer_sequence<int, I...>, int v) __attribute__((always_inline)) {
    (some(constant<I * n>{}, v), ...);
  };
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v, out += static_cast<std::size_t>(n) * stride)
    all(std::make_integer_sequence<int, ceil_div(R, n)>(), v);
  if (fewer)
    for (int i = 0; i < columns; ++i) std::copy_n(whole + i * R, R, to + static_cast<std::size_t>(i) * ld);
}

/// C = A Wᵀ + bias as Cᵀ = W Aᵀ: panels of A are packed instead of W's, and tiles are turned when they are written.
/// Every element is the same sum, in the same order, as in `multiply_by_rows`.
template <class T, int Depth, int Columns, int Stride = Columns>
struct turned_product {
  using tiles = transposed_tiles<T, Columns, 2 * width<T>>;
  static constexpr int vectors = tiles::columns::vectors, in_panel = vectors * width<T>;
  /// Whether panels are no larger than those of `multiply_by_rows`, and some rows may be cheaper.
  static constexpr bool fits = Depth <= 4 * static_cast<int>(panel_depth<T, vectors>) && Columns > in_panel;

  /// Whether it is the cheaper way: an element is packed in the time of eight multiply-adds of a vector, and the last
  /// panel is padded with rows that are multiplied for nothing.
  static constexpr bool wins(std::size_t rows) {
    std::size_t const padding = (in_panel - rows % in_panel) % in_panel, columns = static_cast<std::size_t>(Columns);
    return fits && rows + padding * columns / 8 < columns;
  }

  static void multiply(std::size_t rows, T const* a, T const* w, T const* bias, T* c) {
    alignas(64) T panel[static_cast<std::size_t>(Depth) * in_panel];
    for (std::size_t r = 0; r < rows; r += in_panel) {
      int const count = static_cast<int>(std::min<std::size_t>(in_panel, rows - r));
      if (count == in_panel)
        transpose_panel<vectors, Depth>(a + r * Depth, Depth, constant<in_panel>{}, panel);
      else
        transpose_panel<vectors, Depth>(a + r * Depth, Depth, count, panel);
      tiles::in_strips(0, tiles::count, [&]<int R>(constant<R>, int o) {
        simd<T> acc[R][vectors];
#pragma GCC unroll 16
        for (int i = 0; i < R; ++i) {
#pragma GCC unroll 8
          for (int j = 0; j < vectors; ++j) acc[i][j] = simd<T>(bias ? bias[o + i] : T(0));
        }
        multiply_tile<width<T>, T>(acc, std::integral_constant<std::size_t, Depth>{},
                                   w + static_cast<std::size_t>(o) * Depth, Depth, 1, panel, in_panel);
        end_turned_tile<T>(acc, count, c + r * Stride + o, Stride);
      });
    }
  }
};

/// What a product's caller has to say on a panel of C: everything is wanted, and nothing follows.
struct plain_panels {
  /// Whether the product is of something else than A and B: then caller.copy_strips<Tiles>(first row, rows, first
  /// strip, last strip, to) copies strips as `copy_strips` does, and panels are copied through caller.change(vector).
  static constexpr bool changes = false;
  /// Of the strips of C's rows, those that are wanted: from the first to before the second.
  constexpr std::pair<int, int> strips(int count) const { return {0, count}; }
  /// Follows when C's rows [first, last) have got their final values in columns [column, column + columns).
  constexpr void finish(int /*first*/, int /*last*/, int /*column*/, int /*columns*/) const {}
};

/// C += scale Aᵀ B, or C = scale Aᵀ B unless `add`, for A [depth, Rows] and B [depth, Columns] whose rows lie StrideA
/// and StrideB apart, C [Rows, Columns] with leading dimension ld; only panels [first, last) of the columns, and of the
/// rows only the strips that the caller wants. `Lower`: of a panel only the rows from the one that has the panel's
/// first column on its diagonal. With room for `transposed_tiles::packed` elements at `packed`, whole panels of B are
/// copied once for all groups of strips; threads may share it.
template <class T, int Rows, int Columns, bool Lower = false, int StrideA = Rows, int StrideB = Columns,
          class Caller = plain_panels>
void multiply_transposed(std::size_t depth, T const* a, T const* b, T* c, std::size_t ld, T scale, int first, int last,
                         bool add = true, Caller const& caller = {}, T* packed = nullptr) {
  using tiles = transposed_tiles<T, Rows, Columns>;
  using p = typename tiles::columns;
  // C (+)= scale times what `multiply` accumulates
  auto const tile = [&]<int R, int Vectors, int Tail>(constant<R>, int row, constant<Vectors>, constant<Tail>,
                                                      int column, bool present, auto&& multiply) {
    T* const out = c + static_cast<std::size_t>(row) * ld + column;
    for (int i = 0; i < R; ++i)
      __builtin_prefetch(out + static_cast<std::size_t>(i) * ld, 1);  // written after the sums
    simd<T> acc[R][Vectors];
    begin_tile<Tail, T>(acc, start::zero, nullptr, 0);
    multiply(acc);
    if (!Lower && !present && scale == T(1)) {
      end_tile<Tail, T>(acc, out, ld);
      return;
    }
    if (Lower && row < column) {  // the rows before the diagonal are somebody else's
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i) {
        if (row + i < column) continue;
        simd<T> old[1][Vectors], mine[1][Vectors];
        T* const to = out + static_cast<std::size_t>(i) * ld;
        begin_tile<Tail, T>(old, present ? start::present : start::zero, to, ld);
#pragma GCC unroll 8
        for (int j = 0; j < Vectors; ++j) mine[0][j] = multiply_add<T>(simd<T>(scale), acc[i][j], old[0][j]);
        end_tile<Tail, T>(mine, to, ld);
      }
      return;
    }
    simd<T> before[R][Vectors];
    begin_tile<Tail, T>(before, present ? start::present : start::zero, out, ld);
    simd<T> const factor(scale);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) acc[i][j] = multiply_add<T>(factor, acc[i][j], before[i][j]);
    }
    end_tile<Tail, T>(acc, out, ld);
  };
  std::size_t const chunks = std::max<std::size_t>(1, (depth + tiles::depth - 1) / tiles::depth);
  std::size_t const chunk = (depth + chunks - 1) / chunks;
  auto const [first_strip, last_strip] = caller.strips(tiles::count);
  for (std::size_t k = 0; k < depth; k += chunk) {
    std::size_t const steps = std::min(chunk, depth - k);
    bool const present = add || k > 0, final = k + steps == depth;
    auto const finish = [&]<int Vectors, int Tail>(constant<Vectors>, constant<Tail>, int column, int from, int to) {
      if (final) caller.finish(tiles::first_row(from), tiles::first_row(to), column, (Vectors - 1) * width<T> + Tail);
    };
    if constexpr (tiles::copies || Caller::changes) {
      alignas(64) T strips[tiles::room];
      alignas(64) T near_copy[tiles::depth * p::panel_width];
      int const group = tiles::in_group(steps);
      for (int from = first_strip; from < last_strip; from += group) {
        int const to = std::min(from + group, last_strip);
        if (Lower && tiles::first_row(to) <= first * p::panel_width) continue;
        if constexpr (Caller::changes)
          caller.template copy_strips<tiles>(k, steps, from, to, strips);
        else
          copy_strips<tiles>(steps, StrideA, a + k * StrideA, from, to, strips);
        in_panels<p, T>(first, last, [&]<int Vectors, int Tail>(constant<Vectors> v, constant<Tail> tail, int panel) {
          int const column = panel * p::panel_width;
          if (Lower && tiles::first_row(to) <= column) return;
          int const begin = Lower ? std::max(from, column / tiles::rows) : from;
          T const* strip = strips + static_cast<std::size_t>(begin - from) * tiles::rows * steps;
          T const* const panel_of_b = b + k * StrideB + column;
          T* const copy = packed ? packed + static_cast<std::size_t>(column) * tiles::depth : near_copy;
          bool copied = !Lower && packed && from > first_strip;  // a lower panel may begin at any group
          if constexpr (Caller::changes)
            if (!copied)
              copy_panel<Tail, Vectors>(steps, panel_of_b, StrideB, copy, [&](simd<T> x) { return caller.change(x); });
          // The rows of the next panel lie too far apart to be foreseen by the processor: each tile asks for a few.
          std::size_t asked = panel + 1 < last && !copied ? 0 : steps;
          copied = copied || Caller::changes;
          std::size_t const few = 1 + steps / static_cast<std::size_t>(to - begin);
          tiles::in_strips(begin, to, [&]<int R>(constant<R> rows, int row) {
            for (std::size_t const end = std::min(steps, asked + few); asked < end; ++asked)
              __builtin_prefetch(panel_of_b + asked * StrideB + 2 * p::panel_width - 1, 0, 2);
            tile(rows, row, v, tail, column, present, [&](auto& acc) {
              if constexpr (!Caller::changes)
                if (!copied) {
                  multiply_tile<Tail, T>(acc, steps, strip, 1, R, panel_of_b, StrideB, std::true_type{}, copy);
                  return;
                }
              multiply_tile<width<T>, T>(acc, steps, strip, 1, R, copy, Vectors * width<T>);
            });
            copied = true;
            strip += tiles::rows * steps;
          });
          finish(v, tail, column, begin, to);
        });
      }
    } else {
      in_panels<p, T>(first, last, [&]<int Vectors, int Tail>(constant<Vectors> v, constant<Tail> tail, int panel) {
        int const column = panel * p::panel_width;
        int const begin = std::max(first_strip, Lower ? column / tiles::rows : 0);
        if (Lower && tiles::first_row(last_strip) <= column) return;
        tiles::in_strips(begin, last_strip, [&](auto rows, int row) {
          tile(rows, row, v, tail, column, present, [&](auto& acc) {
            multiply_tile<Tail, T>(acc, steps, a + k * StrideA + row, 1, StrideA, b + k * StrideB + column, StrideB);
          });
        });
        finish(v, tail, column, begin, last_strip);
      });
    }
  }
}

/// Calls f(constant elements, offset) for the vectors of a row of `Columns` elements.
template <class T, int Columns, class F>
[[gnu::always_inline]] inline void in_vectors(F&& f) {
  constexpr int w = width<T>;
  for (int i = 0; i < Columns / w; ++i) f(constant<w>{}, i * w);
  if constexpr (Columns % w != 0) f(constant<Columns % w>{}, Columns / w * w);
}

/// out += scale times the sums of the columns of A [rows, Columns].
template <class T, int Columns>
void add_column_sums(std::size_t rows, T const* a, T* out, T scale = T(1)) {
  using p = panels<T, Columns, 8>;
  in_panels<p, T>(0, p::count, [&]<int Vectors, int Tail>(constant<Vectors>, constant<Tail>, int panel) {
    constexpr int chains = Vectors >= 4 ? 1 : 4;  // enough independent sums to hide an addition's latency
    simd<T> acc[chains][Vectors];
    begin_tile<Tail, T>(acc, start::zero, nullptr, 0);
    T const* x = a + panel * p::panel_width;
    auto const add = [&](int chain) {
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j)
        acc[chain][j] += j + 1 < Vectors ? load(x + j * width<T>) : load_first<Tail>(x + j * width<T>);
      x += Columns;
    };
    std::size_t r = 0;
    for (; r + chains <= rows; r += chains) {
#pragma GCC unroll 4
      for (int i = 0; i < chains; ++i) add(i);
    }
    for (; r < rows; ++r) add(0);
    T* const to = out + panel * p::panel_width;
    simd<T> total[1][Vectors];
    begin_tile<Tail, T>(total, start::present, to, 0);
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) {
      simd<T> sums = acc[0][j];
      if constexpr (chains == 4) sums = (sums + acc[1][j]) + (acc[2][j] + acc[3][j]);
      total[0][j] = multiply_add<T>(simd<T>(scale), sums, total[0][j]);
    }
    end_tile<Tail, T>(total, to, 0);
  });
}

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
