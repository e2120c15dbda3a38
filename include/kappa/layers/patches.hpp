#pragma once
/// \file
/// Patches of an image or a sequence, and their adjoint: what turns a convolution into a dense layer over positions. A
/// patch holds its window row by row, the channels of a tap side by side: [kernel height, kernel width, channels]. Of G
/// groups of channels it takes one.

#include <algorithm>

#include <kappa/layers/sums.hpp>
#include <kappa/layers/window.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// The channels [first, first + count) of an image [rows, columns, of].
struct channel_range {
  int of, first, count;
};

/// Calls f(number of the window, offset of a run in a patch, offset of its elements in the image or -1 in the padding,
/// elements) for the windows one after the other. Runs are as long as taps lie side by side.
template <class F>
void over_taps(window_geometry const& w, int rows, int columns, shape const& windows, channel_range const& c, F&& f) {
  int const down = w.rows(windows), across = w.columns(windows), row = w.width * c.count;
  bool const whole = c.count == c.of && w.dilation_width == 1;
  for (int i = 0; i < down; ++i)
    for (int j = 0; j < across; ++j) {
      int const number = i * across + j, first = j * w.stride_width - w.left, top = i * w.stride_height - w.top;
      bool const in_one_run = whole && first >= 0 && first + w.width <= columns;
      if (in_one_run && top >= 0 && top + w.span_height() <= rows) {  // most windows: no tap is in the padding
        int at = (top * columns + first) * c.of;
        for (int ky = 0; ky < w.height; ++ky, at += w.dilation_height * columns * c.of) f(number, ky * row, at, row);
        continue;
      }
      for (int ky = 0; ky < w.height; ++ky) {
        int const y = w.row_at(i, ky, rows);
        if (in_one_run) {
          f(number, ky * row, y < 0 ? -1 : (y * columns + first) * c.of, row);
          continue;
        }
        for (int kx = 0; kx < w.width; ++kx) {
          int const x = y < 0 ? -1 : w.column_at(j, kx, columns);
          f(number, ky * row + kx * c.count, x < 0 ? -1 : (y * columns + x) * c.of + c.first, c.count);
        }
      }
    }
}

/// patches [windows, window elements] of an image [rows, columns, channels].
template <class T>
void gather_patches(window_geometry const& w, shape const& image, shape const& windows, channel_range const& channels,
                    T const* x, T* patches) {
  int const size = windows.features();
  over_taps(w, w.rows(image), w.columns(image), windows, channels, [=](int window, int to, int from, int count) {
    T* const run = patches + window * size + to;
    if (from < 0) {
      std::fill_n(run, count, T(0));
    } else {
      copy_run(count, x + from, run);
    }
  });
}

/// Adds patches to the image they would be taken from.
template <class T>
void scatter_patches(window_geometry const& w, shape const& image, shape const& windows, channel_range const& channels,
                     T const* patches, T* x) {
  int const size = windows.features();
  over_taps(w, w.rows(image), w.columns(image), windows, channels, [=](int window, int from, int to, int count) {
    T const* const run = patches + window * size + from;
    if (to >= 0) store(true, count, x + to, [=](int e) { return run[e]; });
  });
}

/// [H, W, C] -> [H', W', kernel height · kernel width · C], or [L, C] -> [L', kernel · C]; of `extra` groups of
/// channels group `shift`.
struct patches_rule {
  static constexpr char const* name = "conv";
  static constexpr bool linear = true;
  static constexpr bool gathers = true;

  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    window_geometry const w = window_geometry::of(s);
    if (layer_fault const f = w.fault_of(in); f.says != nullptr) return f;
    if (w.extra < 1 || in.features() % w.extra != 0)
      return {"wants groups that divide its channels: groups", w.extra, "and channels", in.features()};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const& s) {
    window_geometry const w = window_geometry::of(s);
    return w.output(in, w.height * w.width * (in.features() / w.extra));
  }
  static constexpr patch_geometry patches(shape const& in, layer_settings const& s) {
    window_geometry const w = window_geometry::of(s);
    if (w.extra != 1 || w.dilation_height != 1 || w.dilation_width != 1 || w.circular != 0) return {};
    return {w.rows(in),      w.columns(in),  in.features(), w.out_rows(in), w.out_columns(in), w.height, w.width,
            w.stride_height, w.stride_width, w.top,         w.left};
  }
  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    window_geometry const w = window_geometry::of(s.set);
    gather_patches(w, s.in, s.out, channels_of(s.in, w, s.shift), x, y);
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    if (!adds) std::fill_n(gx, count * s.in.size(), T(0));
    window_geometry const w = window_geometry::of(s.set);
    for (int k = 0; k < count; ++k, g += s.out.size(), gx += s.in.size())
      scatter_patches(w, s.in, s.out, channels_of(s.in, w, s.shift), g, gx);
  }

 private:
  static constexpr channel_range channels_of(shape const& in, window_geometry const& w, int group) {
    int const own = in.features() / w.extra;
    return {in.features(), group * own, own};
  }
};

/// The adjoint map: [H, W, kernel height · kernel width · C] -> [H', W', C] with H' the extent whose windows are H, and
/// one more where `extra` asks for it (rows in extra / 2, columns in extra % 2).
struct fold_rule {
  static constexpr char const* name = "transposed_conv";
  static constexpr bool linear = true;

  static constexpr shape output(shape const& in, layer_settings const& s) {
    window_geometry const w = window_geometry::of(s);
    int const features = in.features() / (w.height * w.width);
    int const wide = (w.columns(in) - 1) * w.stride_width + w.span_width() - w.left - w.right + w.extra % 2;
    if (in.rank == 2) return {2, {wide, features}};
    int const high = (w.rows(in) - 1) * w.stride_height + w.span_height() - w.top - w.bottom + w.extra / 2;
    return {3, {high, wide, features}};
  }
  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    if (in.rank < 2) return {"wants an image or a sequence, of rank", 2, "at least, and got rank", in.rank};
    shape const out = output(in, s);
    for (int i = 0; i + 1 < out.rank; ++i)
      if (out.extent[i] < 1)
        return {"has paddings of", window_geometry::of(s).left, "which leave an extent of", out.extent[i]};
    return {};
  }
  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    std::fill_n(y, s.out.size(), T(0));
    scatter_patches(window_geometry::of(s.set), s.out, s.in, all(s.out), x, y);
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    window_geometry const w = window_geometry::of(s.set);
    for (int k = 0; k < count; ++k, g += s.out.size(), gx += s.in.size()) {
      if (!adds) {
        gather_patches(w, s.out, s.in, all(s.out), g, gx);
        continue;
      }
      int const size = s.in.features();
      over_taps(w, w.rows(s.out), w.columns(s.out), s.in, all(s.out), [=](int window, int at, int from, int run) {
        T* const to = gx + window * size + at;
        if (from >= 0) store(true, run, to, [=](int e) { return g[from + e]; });
      });
    }
  }

 private:
  static constexpr channel_range all(shape const& image) { return {image.features(), 0, image.features()}; }
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
