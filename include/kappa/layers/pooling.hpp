#pragma once
/// \file
/// Pooling of images [H, W, C] and sequences [L, C]: the largest or the mean element of every channel under a window.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <type_traits>

#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/layers/sums.hpp>
#include <kappa/layers/window.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// Calls f(position) for the elements of window (i, j) that are not padding, row by row.
template <class F>
constexpr void over_window(window_geometry const& w, shape const& in, int i, int j, F&& f) {
  int const rows = w.rows(in), columns = w.columns(in);
  for (int ky = 0; ky < w.height; ++ky) {
    int const y = w.row_at(i, ky, rows);
    if (y < 0) continue;
    for (int kx = 0; kx < w.width; ++kx)
      if (int const x = w.column_at(j, kx, columns); x >= 0) f(y * columns + x);
  }
}

/// Calls f(number of the window, i, j).
template <class F>
void over_windows(window_geometry const& w, shape const& out, F&& f) {
  int const columns = w.columns(out);
  for (int i = 0; i < w.rows(out); ++i)
    for (int j = 0; j < columns; ++j) f(i * columns + j, i, j);
}

/// What a pooling refuses: windows that do not fit, or that hold padding alone.
constexpr layer_fault fault_of_pooling(shape const& in, window_geometry const& w) {
  if (layer_fault const f = w.fault_of(in); f.says != nullptr) return f;
  if (w.circular != 0) return {};
  auto const empty_at = [](int windows, int taps, auto&& at) {
    for (int i = 0; i < windows; ++i) {
      bool any = false;
      for (int k = 0; k < taps; ++k) any = any || at(i, k) >= 0;
      if (!any) return i;
    }
    return -1;
  };
  int const rows = w.rows(in), columns = w.columns(in);
  if (w.top + w.bottom > 0)
    if (int const i = empty_at(w.out_rows(in), w.height, [&](int a, int k) { return w.row_at(a, k, rows); }); i >= 0)
      return {"has padding alone under row", i, "of its windows, of which there are", w.out_rows(in)};
  if (w.left + w.right > 0)
    if (int const j = empty_at(w.out_columns(in), w.width, [&](int a, int k) { return w.column_at(a, k, columns); });
        j >= 0)
      return {"has padding alone under column", j, "of its windows, of which there are", w.out_columns(in)};
  return {};
}

/// y = the largest x under the window, the first one of equals, and NaN where there is one.
struct max_pool_rule {
  static constexpr char const* name = "max_pool";
  static constexpr bool takes_largest = true;
  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    return fault_of_pooling(in, window_geometry::of(s));
  }
  static constexpr shape output(shape const& in, layer_settings const& s) {
    return window_geometry::of(s).output(in, in.features());
  }
  /// The positions of the largest. They are exact in float below 2^24.
  static constexpr std::size_t scratch(shape const& in, layer_settings const& s) {
    return static_cast<std::size_t>(output(in, s).size());
  }

  /// Windows that do not overlap, nor meet around the image.
  static constexpr bool takes_once(shape const&, layer_settings const& s) {
    window_geometry const w = window_geometry::of(s);
    return w.dilation_height == 1 && w.dilation_width == 1 && w.stride_height >= w.height &&
           w.stride_width >= w.width && w.circular == 0;
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    search(s, x, [=](int e, auto const& top, auto const&) { std::copy(std::begin(top), std::end(top), y + e); });
  }
  template <class T>
  static void choose(site<T> const& s, T const* x, T* y, T* places) {
    search(s, x, [=](int e, auto const& top, auto const& place) {
      std::copy(std::begin(top), std::end(top), y + e);
      std::copy(std::begin(place), std::end(place), places + e);
    });
  }
  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    std::fill_n(dy, s.out.size(), T(0));
    if (dx == nullptr) return;
    keep_places(s, x);
    over_places(s, [&](int e, int from, T there) { take(true, s, e, there, dx + from, dy + e); });
  }
  template <class T>
  static void pull(site<T> const& s, T const* x, int count, T const* g, T* gx, bool adds) {
    keep_places(s, x);
    // Windows side by side meet every element once, which is then written whether it is the largest or not.
    bool const writes = !adds && tiles(s.in, window_geometry::of(s.set));
    if (!adds && !writes) std::fill_n(gx, count * s.in.size(), T(0));
    for (int k = 0; k < count; ++k, g += s.out.size(), gx += s.in.size())
      over_places(s, [&](int e, int to, T there) { take(!writes, s, e, there, g + e, gx + to); });
  }

 private:
  /// Channels that are taken together, so that loops over them become vector instructions.
  template <int Count>
  using lanes = std::integral_constant<int, Count>;
  template <class F>
  static void in_lanes(int channels, F&& f) {
    int c = 0;
    for (; c + sum_lanes <= channels; c += sum_lanes) f(lanes<sum_lanes>{}, c);
    for (; c < channels; ++c) f(lanes<1>{}, c);
  }
  /// to = from, or += from, in those channels of window e whose largest is there; in the others to = 0, or nothing.
  template <class T>
  static void take(bool adds, site<T> const& s, int e, T there, T const* from, T* to) {
    T const* const place = s.scratch + e;
    store(adds, s.in.features(), to, [=](int c) {
      T const v = from[c];  // read whether it is taken or not: no branch, but vector instructions
      return place[c] == there ? v : T(0);
    });
  }
  /// Whether every element lies under one window.
  static constexpr bool tiles(shape const& in, window_geometry const& w) {
    return w.stride_height == w.height && w.stride_width == w.width && w.dilation_height == 1 &&
           w.dilation_width == 1 && w.top + w.bottom + w.left + w.right == 0 && w.rows(in) % w.height == 0 &&
           w.columns(in) % w.width == 0;
  }
  /// Calls f(first element of y, the largest, their positions) for some channels of every window.
  template <class T, class F>
  static void search(site<T> const& s, T const* x, F&& f) {
    window_geometry const w = window_geometry::of(s.set);
    int const channels = s.in.features();
    over_windows(w, s.out, [&](int number, int i, int j) {
      in_lanes(channels, [&]<int Lanes>(lanes<Lanes>, int c) {
        T top[Lanes]{}, place[Lanes]{};
        bool first = true;
        over_window(w, s.in, i, j, [&](int position) {
          T const* const here = x + position * channels + c;
          T const there = static_cast<T>(position);
          for (int l = 0; l < Lanes; ++l) {
            bool const takes = first || here[l] > top[l] || here[l] != here[l];
            top[l] = takes ? here[l] : top[l];
            place[l] = takes ? there : place[l];
          }
          first = false;
        });
        f(number * channels + c, top, place);
      });
    });
  }
  template <class T>
  static void keep_places(site<T> const& s, T const* x) {
    search(s, x, [&](int e, auto const&, auto const& place) {
      std::copy(std::begin(place), std::end(place), s.scratch + e);
    });
  }
  /// Calls f(first element of y, of x, its position) for every position under every window.
  template <class T, class F>
  static void over_places(site<T> const& s, F&& f) {
    window_geometry const w = window_geometry::of(s.set);
    int const channels = s.in.features();
    over_windows(w, s.out, [&](int number, int i, int j) {
      over_window(w, s.in, i, j,
                  [&](int position) { f(number * channels, position * channels, static_cast<T>(position)); });
    });
  }
};

/// Shared by the means: y = Σ w x over windows, whatever these are. `Windows` says which position has which weight.
template <class Windows>
struct mean_rule {
  static constexpr bool linear = true;

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    int const channels = s.in.features();
    std::fill_n(y, s.out.size(), T(0));
    Windows::over(s, [&](int to, T weight, auto&& positions) {
      T* const sum = y + to * channels;
      positions([&](int from) { store(true, channels, sum, [&](int c) { return x[from * channels + c]; }); });
      for (int c = 0; c < channels; ++c) sum[c] *= weight;
    });
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const channels = s.in.features();
    if (!adds) std::fill_n(gx, count * s.in.size(), T(0));
    for (int k = 0; k < count; ++k, g += s.out.size(), gx += s.in.size())
      Windows::over(s, [&](int from, T weight, auto&& positions) {
        T const* const here = g + from * channels;
        positions([&](int to) { store(true, channels, gx + to * channels, [&](int c) { return weight * here[c]; }); });
      });
  }
};

/// Windows of one size; settings as of `window_geometry`, `extra` says whether padding is left out of the count.
struct average_pool_rule : mean_rule<average_pool_rule> {
  static constexpr char const* name = "average_pool";
  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    return fault_of_pooling(in, window_geometry::of(s));
  }
  static constexpr shape output(shape const& in, layer_settings const& s) {
    return window_geometry::of(s).output(in, in.features());
  }
  template <class T, class F>
  static void over(site<T> const& s, F&& f) {
    window_geometry const w = window_geometry::of(s.set);
    over_windows(w, s.out, [&](int number, int i, int j) {
      int elements = w.height * w.width;
      if (w.extra != 0) {
        elements = 0;
        over_window(w, s.in, i, j, [&](int) { ++elements; });
      }
      f(number, T(1) / static_cast<T>(elements), [&](auto&& take) { over_window(w, s.in, i, j, take); });
    });
  }
};

/// As many windows as asked for: window i of n covers [⌊i extent / n⌋, ⌈(i + 1) extent / n⌉). Settings: rows, columns.
struct adaptive_average_pool_rule : mean_rule<adaptive_average_pool_rule> {
  static constexpr char const* name = "adaptive_average_pool";
  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    if (in.rank < 2) return {"wants an image or a sequence, of rank", 2, "at least, and got rank", in.rank};
    if (s[0] < 1 || s[1] < 1) return {"wants extents of at least 1, not", s[0], "and", s[1]};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const& s) {
    return in.rank == 3 ? shape{3, {s[0], s[1], in.features()}} : shape{2, {s[1], in.features()}};
  }
  template <class T, class F>
  static void over(site<T> const& s, F&& f) {
    int const rows = window_geometry::rows(s.in), columns = window_geometry::columns(s.in);
    int const down = window_geometry::rows(s.out), across = window_geometry::columns(s.out);
    for (int i = 0; i < down; ++i)
      for (int j = 0; j < across; ++j) {
        int const top = first(i, rows, down), bottom = last(i, rows, down);
        int const left = first(j, columns, across), right = last(j, columns, across);
        f(i * across + j, T(1) / static_cast<T>((bottom - top) * (right - left)), [&](auto&& take) {
          for (int y = top; y < bottom; ++y)
            for (int x = left; x < right; ++x) take(y * columns + x);
        });
      }
  }

 private:
  static constexpr int first(int i, int extent, int windows) { return i * extent / windows; }
  static constexpr int last(int i, int extent, int windows) { return ((i + 1) * extent + windows - 1) / windows; }
};

template <bool MayExclude, window_option... Options>
constexpr bool fits_pooling() {
  constexpr auto fits = [](window_option const& o) {
    using kind = window_option::kind;
    return o.what != kind::groups && o.what != kind::drops_bias && o.what != kind::name &&
           (MayExclude || o.what != kind::excludes_padding);
  };
  return (fits(Options) && ...);
}

}  // namespace detail

template <window_option... Options>
struct max_pool_t : term_base<max_pool_t<Options...>> {
  static constexpr int emit(auto& g, int x) {
    constexpr window_options const& o = window_options_of<Options...>;
    auto const w = window_geometry::of(o, x >= 0 ? g.shape_of(x).rank : 3, 0);
    return g.layer(x, &layer_rule_of<detail::max_pool_rule>, w.settings());
  }
};
template <window_option... Options>
struct average_pool_t : term_base<average_pool_t<Options...>> {
  static constexpr int emit(auto& g, int x) {
    constexpr window_options const& o = window_options_of<Options...>;
    auto w = window_geometry::of(o, x >= 0 ? g.shape_of(x).rank : 3, 0);
    w.extra = o.excludes_padding ? 1 : 0;
    return g.layer(x, &layer_rule_of<detail::average_pool_rule>, w.settings());
  }
};
namespace detail {
template <window_option... Options>
constexpr auto checked_max_pool() {
  static_assert(fits_pooling<false, Options...>(),
                "kappa: max_pool takes a window, stride, padding, same_padding, circular and dilation, nothing else");
  return max_pool_t<Options...>{};
}
template <window_option... Options>
constexpr auto checked_average_pool() {
  static_assert(fits_pooling<true, Options...>(),
                "kappa: average_pool takes a window, stride, padding, excludes_padding, same_padding, circular and "
                "dilation, nothing else");
  return average_pool_t<Options...>{};
}
}  // namespace detail

/// `max_pool<2>`, `max_pool<window<3, 2>, stride<2>, padding<1>>`: [H, W, C] -> [H', W', C], the largest element of
/// every channel under each window, H' = ⌊(H + 2 padding - dilation (window - 1) - 1) / stride⌋ + 1; [L, C] -> [L', C].
/// The stride is the window unless said. Padding never is the largest; of equal elements the first one, row by row,
/// gets the derivative, and the second derivative is zero. No parameters. Costs a comparison for each element under a
/// window.
template <window_option... Options>
inline constexpr auto max_pool = detail::checked_max_pool<Options...>();

/// `average_pool<2>`: as `max_pool`, but the mean. Padding counts as zeros, unless `excludes_padding` asks for the mean
/// of what is not padding. Linear.
template <window_option... Options>
inline constexpr auto average_pool = detail::checked_average_pool<Options...>();

template <int Rows, int Columns>
struct adaptive_average_pool_t : term_base<adaptive_average_pool_t<Rows, Columns>> {
  static constexpr int emit(auto& g, int x) {
    if (Rows != Columns && x >= 0 && g.shape_of(x).rank == 2)
      return g.refuse(x, {"has extents", Rows, "and", Columns, " for a sequence"}, "adaptive_average_pool");
    return g.layer(x, &layer_rule_of<detail::adaptive_average_pool_rule>, {{Rows, Columns}});
  }
};
/// `adaptive_average_pool<H', W'>`: [H, W, C] -> [H', W', C]; `adaptive_average_pool<L'>`: [H, W, C] -> [L', L', C] or
/// [L, C] -> [L', C]. Output i is the mean over [⌊i H / H'⌋, ⌈(i + 1) H / H'⌉): windows overlap where H' does not
/// divide H. Linear.
template <int Rows, int Columns = Rows>
inline constexpr adaptive_average_pool_t<Rows, Columns> adaptive_average_pool{};

struct global_average_pool_t : term_base<global_average_pool_t> {
  static constexpr int emit(auto& g, int x) { return g.aggregate(x, true); }
};
/// `global_average_pool`: [H, W, C] or [L, C] -> [C], the mean over all positions; `mean_over_positions` by the name it
/// has for images.
inline constexpr global_average_pool_t global_average_pool{};

struct global_max_pool_t : term_base<global_max_pool_t> {
  static constexpr int emit(auto& g, int x) {
    if (x < 0 || g.shape_of(x).rank < 2)
      return g.refuse(
          x, {"wants an image or a sequence, of rank", 2, "at least, and got rank", x >= 0 ? g.shape_of(x).rank : 0},
          "global_max_pool");
    shape const in = g.shape_of(x);
    window_geometry w;
    w.height = w.stride_height = window_geometry::rows(in);
    w.width = w.stride_width = window_geometry::columns(in);
    return g.flatten(g.layer(x, &layer_rule_of<detail::max_pool_rule>, w.settings()));
  }
};
/// `global_max_pool`: [H, W, C] or [L, C] -> [C], the largest element of every channel; of equals the first.
inline constexpr global_max_pool_t global_max_pool{};

}  // namespace kappa::inline KAPPA_ARCH
