#pragma once
/// \file
/// The order and the parts of axes: channels from first to last and back, a range of an axis. Linear, without
/// parameters.

#include <algorithm>

#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/layers/sums.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// The first axis becomes the last one, or the other way round.
template <bool ToLast>
struct channels_rule {
  static constexpr char const* name = ToLast ? "channels_last" : "channels_first";
  static constexpr bool linear = true;

  static constexpr layer_fault fault_of(shape const& in, layer_settings const&) {
    if (in.rank < 2) return {"wants a value of rank", 2, "at least, and got rank", in.rank};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const&) {
    shape out = in;
    for (int i = 0; i < in.rank; ++i) out.extent[i] = in.extent[(i + (ToLast ? 1 : in.rank - 1)) % in.rank];
    return out;
  }
  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    int const rows = rows_of(s.in);
    transpose(rows, s.in.size() / rows, x, y, false);
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const rows = rows_of(s.in), size = s.in.size();
    for (int k = 0; k < count; ++k) transpose(size / rows, rows, g + k * size, gx + k * size, adds);
  }

 private:
  /// The value as a matrix whose transpose is the result.
  static constexpr int rows_of(shape const& in) { return ToLast ? in.extent[0] : in.positions(); }
  template <class T>
  static void transpose(int rows, int columns, T const* from, T* to, bool adds) {
    for (int j = 0; j < columns; ++j) store(adds, rows, to + j * rows, [&](int i) { return from[i * columns + j]; });
  }
};

/// Settings: the axis (negative ones count from the last), where the range begins, how many elements it has.
struct slice_rule {
  static constexpr char const* name = "slice";
  static constexpr bool linear = true;

  static constexpr int axis_of(shape const& in, layer_settings const& s) { return s[0] < 0 ? s[0] + in.rank : s[0]; }
  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    int const axis = axis_of(in, s);
    if (axis < 0 || axis >= in.rank) return {"is of axis", s[0], "of a value of rank", in.rank};
    if (s[2] < 1) return {"takes", s[2], "elements of", in.extent[axis]};
    if (s[1] < 0) return {"begins at", s[1], "of an extent of", in.extent[axis]};
    if (s[1] + s[2] > in.extent[axis]) return {"ends at", s[1] + s[2], "of an extent of", in.extent[axis]};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const& s) {
    shape out = in;
    out.extent[axis_of(in, s)] = s[2];
    return out;
  }
  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    over_runs(s, [&](int to, int from, int count) { std::copy_n(x + from, count, y + to); });
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    if (!adds) std::fill_n(gx, count * s.in.size(), T(0));
    for (int k = 0; k < count; ++k, g += s.out.size(), gx += s.in.size())
      over_runs(
          s, [&](int from, int to, int length) { store(true, length, gx + to, [&](int e) { return g[from + e]; }); });
  }

 private:
  /// f(offset in the result, offset in the operand, elements).
  template <class T, class F>
  static void over_runs(site<T> const& s, F&& f) {
    int const axis = axis_of(s.in, s.set);
    int before = 1, within = 1;
    for (int i = 0; i < axis; ++i) before *= s.in.extent[i];
    for (int i = axis + 1; i < s.in.rank; ++i) within *= s.in.extent[i];
    for (int i = 0; i < before; ++i)
      f(i * s.set[2] * within, (i * s.in.extent[axis] + s.set[1]) * within, s.set[2] * within);
  }
};
/// Of another axis than the first: positions stay what they are.
struct slice_within_rule : slice_rule {
  static constexpr bool keeps_positions = true;
};

}  // namespace detail

struct channels_last_t : term_base<channels_last_t> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<detail::channels_rule<true>>, {}); }
};
/// `channels_last`: [C, H, W] -> [H, W, C], [C, L] -> [L, C]: for data whose channels come first. Everything else in
/// kappa has the features last.
inline constexpr channels_last_t channels_last{};

struct channels_first_t : term_base<channels_first_t> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<detail::channels_rule<false>>, {}); }
};
/// `channels_first`: the inverse, [H, W, C] -> [C, H, W], [L, C] -> [C, L]; before `flatten` it gives the order of
/// weights that were trained with channels first.
inline constexpr channels_first_t channels_first{};

template <int Axis, int Begin, int Count>
struct slice_t : term_base<slice_t<Axis, Begin, Count>> {
  static constexpr int emit(auto& g, int x) {
    constexpr layer_settings set{{Axis, Begin, Count}};
    bool const leading = x >= 0 && detail::slice_rule::axis_of(g.shape_of(x), set) == 0;
    return g.layer(x, leading ? &layer_rule_of<detail::slice_rule> : &layer_rule_of<detail::slice_within_rule>, set);
  }
};
/// `slice<axis, begin, count>`: elements [begin, begin + count) along an axis; negative axes count from the last, so
/// that `slice<-1, 0, 8>` are the first 8 features.
template <int Axis, int Begin, int Count>
inline constexpr slice_t<Axis, Begin, Count> slice{};

}  // namespace kappa::inline KAPPA_ARCH
