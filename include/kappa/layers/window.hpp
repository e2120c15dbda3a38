#pragma once
/// \file
/// What a window over an image or a sequence is said with: `conv<16, 3, stride<2>, padding<1>>`. One type of option, so
/// that options come in any order.

#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/layers.hpp>
#include <kappa/declare/text.hpp>

namespace kappa {

/// One option of a window: its kind and two numbers, for height and width. A number alone is a square window, a literal
/// a name.
struct window_option {
  enum class kind { window, stride, padding, dilation, groups, circular, same, drops_bias, name, excludes_padding };
  kind what = kind::window;
  int height = 0;
  int width = 0;
  text name{};

  constexpr window_option(kind k, int h, int w) : what(k), height(h), width(w) {}
  constexpr window_option(int size) : height(size), width(size) {}
  constexpr window_option(no_bias_t) : what(kind::drops_bias) {}
  template <int N>
  constexpr window_option(char const (&literal)[N]) : what(kind::name), name(literal) {}
  constexpr bool operator==(window_option const&) const = default;
};

/// `window<5, 3>`: five rows, three columns.
template <int Height, int Width = Height>
inline constexpr window_option window{window_option::kind::window, Height, Width};
/// Steps between windows, 1 unless said.
template <int Height, int Width = Height>
inline constexpr window_option stride{window_option::kind::stride, Height, Width};
/// Zeros on every side, none unless said.
template <int Height, int Width = Height>
inline constexpr window_option padding{window_option::kind::padding, Height, Width};
/// Steps within a window, 1 unless said.
template <int Height, int Width = Height>
inline constexpr window_option dilation{window_option::kind::dilation, Height, Width};
/// Channels in groups that do not see one another, 1 unless said.
template <int Count>
inline constexpr window_option groups_of{window_option::kind::groups, Count, Count};
/// Padding takes the values of the opposite side instead of zeros.
inline constexpr window_option circular{window_option::kind::circular, 1, 1};
/// As much padding as keeps the extents where the stride is 1; the odd one goes to the end.
inline constexpr window_option same_padding{window_option::kind::same, 1, 1};
/// Averages count the elements under the window that are not padding.
inline constexpr window_option excludes_padding{window_option::kind::excludes_padding, 1, 1};

/// The options together.
struct window_options {
  int height = 1, width = 1;
  int stride_height = 0, stride_width = 0;  ///< 0: not said
  int padding_height = 0, padding_width = 0;
  int dilation_height = 1, dilation_width = 1;
  int groups = 1;
  bool circular = false, same = false, bias = true, excludes_padding = false;
  text name{};

  constexpr void take(window_option const& o) {
    using kind = window_option::kind;
    switch (o.what) {
      case kind::window:
        height = o.height, width = o.width;
        break;
      case kind::stride:
        stride_height = o.height, stride_width = o.width;
        break;
      case kind::padding:
        padding_height = o.height, padding_width = o.width;
        break;
      case kind::dilation:
        dilation_height = o.height, dilation_width = o.width;
        break;
      case kind::groups:
        groups = o.height;
        break;
      case kind::circular:
        circular = true;
        break;
      case kind::same:
        same = true;
        break;
      case kind::drops_bias:
        bias = false;
        break;
      case kind::name:
        name = o.name;
        break;
      case kind::excludes_padding:
        excludes_padding = true;
        break;
    }
  }
};

/// An object, since a graph holds on to the name.
template <window_option... Options>
inline constexpr window_options window_options_of = [] {
  window_options all;
  (all.take(Options), ...);
  return all;
}();

/// A window over the leading axes of [H, W, C], or over the first of [L, C], which is taken as [1, L, C]: the numbers a
/// rule keeps in its settings.
struct window_geometry {
  int height = 1, width = 1;
  int stride_height = 1, stride_width = 1;
  int top = 0, left = 0, bottom = 0, right = 0;
  int dilation_height = 1, dilation_width = 1;
  int circular = 0;
  int extra = 0;  ///< the rule's own: groups, a flag

  constexpr layer_settings settings() const {
    return {{height, width, stride_height, stride_width, top, left, bottom, right, dilation_height, dilation_width,
             circular, extra}};
  }
  static constexpr window_geometry of(layer_settings const& s) {
    return {s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10], s[11]};
  }
  /// For a value of so many axes. A stride that was not said is `unsaid_stride`, or the window where that is 0.
  static constexpr window_geometry of(window_options const& o, int rank, int unsaid_stride) {
    window_geometry g;
    bool const image = rank != 2;
    auto const step = [&](int said, int size) { return said > 0 ? said : unsaid_stride > 0 ? unsaid_stride : size; };
    g.width = o.width;
    g.stride_width = step(o.stride_width, o.width);
    g.dilation_width = o.dilation_width;
    int const wide = o.same ? o.dilation_width * (o.width - 1) : 2 * o.padding_width;
    g.left = wide / 2;
    g.right = wide - g.left;
    if (image) {
      g.height = o.height;
      g.stride_height = step(o.stride_height, o.height);
      g.dilation_height = o.dilation_height;
      int const high = o.same ? o.dilation_height * (o.height - 1) : 2 * o.padding_height;
      g.top = high / 2;
      g.bottom = high - g.top;
    }
    g.circular = o.circular ? 1 : 0;
    return g;
  }

  static constexpr int rows(shape const& s) { return s.rank == 3 ? s.extent[0] : 1; }
  static constexpr int columns(shape const& s) { return s.rank == 3 ? s.extent[1] : s.extent[0]; }
  constexpr int span_height() const { return dilation_height * (height - 1) + 1; }
  constexpr int span_width() const { return dilation_width * (width - 1) + 1; }
  /// Windows along each axis.
  constexpr int out_rows(shape const& s) const { return (rows(s) + top + bottom - span_height()) / stride_height + 1; }
  constexpr int out_columns(shape const& s) const {
    return (columns(s) + left + right - span_width()) / stride_width + 1;
  }
  /// [H', W', features] or [L', features].
  constexpr shape output(shape const& s, int features) const {
    return s.rank == 3 ? shape{3, {out_rows(s), out_columns(s), features}} : shape{2, {out_columns(s), features}};
  }
  constexpr layer_fault fault_of(shape const& s) const {
    if (s.rank < 2) return {"wants an image or a sequence, of rank", 2, "at least, and got rank", s.rank};
    if (height < 1 || width < 1) return {"has a window of", height, "by", width};
    if (stride_height < 1 || stride_width < 1) return {"has strides", stride_height, "and", stride_width};
    if (dilation_height < 1 || dilation_width < 1) return {"has dilations", dilation_height, "and", dilation_width};
    if (top < 0 || left < 0) return {"has paddings", top, "and", left};
    if (span_height() > rows(s) + top + bottom)
      return {"has a window of", span_height(), "over an extent of", rows(s) + top + bottom};
    if (span_width() > columns(s) + left + right)
      return {"has a window of", span_width(), "over an extent of", columns(s) + left + right};
    if (circular != 0 && top + bottom > 2 * rows(s)) return {"has circular padding", top, "over an extent of", rows(s)};
    if (circular != 0 && left + right > 2 * columns(s))
      return {"has circular padding", left, "over an extent of", columns(s)};
    return {};
  }

  /// Where element (window i, tap k) of an axis lies, or -1 in the padding.
  static constexpr int at(int i, int k, int stride, int dilation, int before, int extent, bool wraps) {
    int const x = i * stride - before + k * dilation;
    if (x >= 0 && x < extent) return x;
    return wraps ? (x % extent + extent) % extent : -1;
  }
  constexpr int row_at(int i, int k, int extent) const {
    return at(i, k, stride_height, dilation_height, top, extent, circular != 0);
  }
  constexpr int column_at(int i, int k, int extent) const {
    return at(i, k, stride_width, dilation_width, left, extent, circular != 0);
  }
};

}  // namespace kappa
