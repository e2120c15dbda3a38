#pragma once
/// \file
/// More room around images and sequences, and coarser or finer grids of the same values: zero and circular padding,
/// nearest-neighbour upsampling. All linear, without parameters.

#include <algorithm>

#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/layers/sums.hpp>
#include <kappa/layers/window.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// Settings: elements above, below, left, right; whether they are those of the opposite side or zero; how many of these
/// numbers the user gave.
template <bool Circular>
struct pad_rule {
  static constexpr char const* name = Circular ? "circular_pad" : "zero_pad";
  static constexpr bool linear = true;

  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    if (in.rank < 2) return {"wants an image or a sequence, of rank", 2, "at least, and got rank", in.rank};
    if (s[5] != 1 && s[5] != 2 * (in.rank - 1)) return {"is given", s[5], "sides of a value of rank", in.rank};
    for (int i = 0; i < 4; ++i)
      if (s[i] < 0) return {"pads side", i + 1, "by", s[i]};
    int const rows = window_geometry::rows(in), columns = window_geometry::columns(in);
    if (Circular && std::max(s[0], s[1]) > rows && in.rank == 3)
      return {"pads circularly by", std::max(s[0], s[1]), "an extent of", rows};
    if (Circular && std::max(s[2], s[3]) > columns)
      return {"pads circularly by", std::max(s[2], s[3]), "an extent of", columns};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const& s) {
    if (in.rank == 2) return {2, {in.extent[0] + s[2] + s[3], in.extent[1]}};
    return {3, {in.extent[0] + s[0] + s[1], in.extent[1] + s[2] + s[3], in.extent[2]}};
  }
  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    over_runs(s.in, s.set, [&](int to, int from, int count) {
      if (from < 0) {
        std::fill_n(y + to, count, T(0));
      } else {
        std::copy_n(x + from, count, y + to);
      }
    });
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    if (!adds) std::fill_n(gx, count * s.in.size(), T(0));
    for (int k = 0; k < count; ++k, g += s.out.size(), gx += s.in.size())
      over_runs(s.in, s.set, [&](int from, int to, int length) {
        if (to >= 0) store(true, length, gx + to, [&](int e) { return g[from + e]; });
      });
  }

 private:
  /// f(offset in the result, offset of the same elements in the operand or -1, elements).
  template <class F>
  static void over_runs(shape const& in, layer_settings const& s, F&& f) {
    int const channels = in.features(), rows = window_geometry::rows(in);
    int const row = window_geometry::columns(in) * channels, left = s[2] * channels, right = s[3] * channels;
    int const above = in.rank == 3 ? s[0] : 0, below = in.rank == 3 ? s[1] : 0;
    int to = 0;
    for (int i = -above; i < rows + below; ++i, to += left + row + right) {
      bool const inside = i >= 0 && i < rows;
      if (!inside && !Circular) {
        f(to, -1, left + row + right);
        continue;
      }
      int const from = (i + rows) % rows * row;
      f(to, Circular ? from + row - left : -1, left);
      f(to + left, from, row);
      f(to + left + row, Circular ? from : -1, right);
    }
  }
};

/// Settings: how often each row and each column comes.
struct upsample_rule {
  static constexpr char const* name = "upsample";
  static constexpr bool linear = true;

  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    if (in.rank < 2) return {"wants an image or a sequence, of rank", 2, "at least, and got rank", in.rank};
    if (s[0] < 1 || s[1] < 1) return {"wants factors of at least 1, not", s[0], "and", s[1]};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const& s) {
    if (in.rank == 2) return {2, {in.extent[0] * s[1], in.extent[1]}};
    return {3, {in.extent[0] * s[0], in.extent[1] * s[1], in.extent[2]}};
  }
  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    int const channels = s.in.features();
    over_copies(s.in, s.set, [&](int to, int from) { std::copy_n(x + from, channels, y + to); });
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const channels = s.in.features();
    if (!adds) std::fill_n(gx, count * s.in.size(), T(0));
    for (int k = 0; k < count; ++k, g += s.out.size(), gx += s.in.size())
      over_copies(s.in, s.set,
                  [&](int from, int to) { store(true, channels, gx + to, [&](int c) { return g[from + c]; }); });
  }

 private:
  /// f(offset of a copy in the result, offset of what it copies).
  template <class F>
  static void over_copies(shape const& in, layer_settings const& s, F&& f) {
    int const channels = in.features(), rows = window_geometry::rows(in), columns = window_geometry::columns(in);
    int const down = in.rank == 3 ? s[0] : 1, across = s[1];
    int to = 0;
    for (int i = 0; i < rows * down; ++i)
      for (int j = 0; j < columns * across; ++j, to += channels) f(to, (i / down * columns + j / across) * channels);
  }
};

/// One number for all sides, two for a sequence's ends, four for an image's sides.
template <int... Sides>
constexpr layer_settings sides() {
  constexpr int given[] = {Sides...};
  constexpr int n = sizeof...(Sides);
  if constexpr (n == 1) return {{given[0], given[0], given[0], given[0], 0, n}};
  if constexpr (n == 2) return {{0, 0, given[0], given[1], 0, n}};
  if constexpr (n == 4) return {{given[0], given[1], given[2], given[3], 0, n}};
}

}  // namespace detail

template <bool Circular, int... Sides>
struct pad_t : term_base<pad_t<Circular, Sides...>> {
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::pad_rule<Circular>>, detail::sides<Sides...>());
  }
};
namespace detail {
template <bool Circular, int... Sides>
constexpr auto checked_pad() {
  constexpr bool fits = sizeof...(Sides) == 1 || sizeof...(Sides) == 2 || sizeof...(Sides) == 4;
  static_assert(
      fits,
      "kappa: padding wants 1 number for all sides, 2 for a sequence's ends, or 4 for an image's sides: above, "
      "below, left, right");
  if constexpr (fits) {
    return pad_t<Circular, Sides...>{};
  } else {
    return pad_t<Circular, 0>{};
  }
}
}  // namespace detail

/// `zero_pad<above, below, left, right>` of an image, `zero_pad<before, after>` of a sequence, `zero_pad<all sides>` of
/// either: [H, W, C] -> [above + H + below, left + W + right, C], zeros around the values.
template <int... Sides>
inline constexpr auto zero_pad = detail::checked_pad<false, Sides...>();
/// `circular_pad<...>`: the same with the elements of the opposite side instead of zeros, as of a torus; by no more
/// than the extent.
template <int... Sides>
inline constexpr auto circular_pad = detail::checked_pad<true, Sides...>();

template <int Down, int Across>
struct upsample_t : term_base<upsample_t<Down, Across>> {
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::upsample_rule>, {{Down, Across}});
  }
};
/// `upsample<2>`, `upsample<3, 2>`: every element of an image [H, W, C] becomes Down x Across equal ones (nearest
/// neighbour), [Down H, Across W, C]; a sequence [L, C] becomes [Across L, C].
template <int Down, int Across = Down>
inline constexpr upsample_t<Down, Across> upsample{};

}  // namespace kappa::inline KAPPA_ARCH
