#pragma once
/// \file
/// Patches, their adjoint, and per-feature parameters by their definitions.

#include <vector>

#include "textbook_scalar.hpp"

namespace kappa::reference::textbook {

/// Where tap k of window i lies along an axis, or -1: i stride - before + k dilation, wrapped where circular.
inline int tap(int i, int k, int stride_of, int before, int dilation_of, int extent, bool wraps) {
  int at = i * stride_of - before + k * dilation_of;
  if (wraps)
    while (at < 0) at += extent;
  if (wraps) at %= extent;
  return at < 0 || at >= extent ? -1 : at;
}

/// f(image element, patch element) for every pair that a convolution's windows join. Images [H, W, C], or [L, C] with H
/// = 1; patches [H', W', kernel height, kernel width, C / groups].
template <class F>
void over_windows(shape image, shape windows, layer_settings const& s, int group, int groups, F&& f) {
  auto const extents = [](shape const& x, int& h, int& w) {
    h = x.rank == 3 ? x.extent[0] : 1;
    w = x.extent[x.rank - 2];
  };
  int h, w, high, wide;
  extents(image, h, w);
  extents(windows, high, wide);
  int const all = image.features(), own = all / groups;
  for (int i = 0; i < high; ++i)
    for (int j = 0; j < wide; ++j)
      for (int a = 0; a < s[0]; ++a)
        for (int b = 0; b < s[1]; ++b)
          for (int c = 0; c < own; ++c) {
            int const y = tap(i, a, s[2], s[4], s[8], h, s[10] != 0), x = tap(j, b, s[3], s[5], s[9], w, s[10] != 0);
            if (y >= 0 && x >= 0)
              f((y * w + x) * all + group * own + c, (((i * wide + j) * s[0] + a) * s[1] + b) * own + c);
          }
}

template <class N>
bool convolution(place const& at, N const* own, std::vector<N> const& x, std::vector<N>& y) {
  auto const e = [](int i) { return static_cast<std::size_t>(i); };
  if (at.name == "conv") {
    over_windows(at.in, at.out, at.set, at.shift, at.set[11], [&](int from, int to) { y[e(to)] = x[e(from)]; });
  } else if (at.name == "transposed_conv") {
    over_windows(at.out, at.in, at.set, 0, 1, [&](int to, int from) { y[e(to)] += x[e(from)]; });
  } else if (at.name == "bias") {
    for (int i = 0; i < at.in.size(); ++i) y[e(i)] = x[e(i)] + own[i % at.in.features()];
  } else if (at.name == "scale_features") {
    for (int i = 0; i < at.in.size(); ++i) y[e(i)] = x[e(i)] * own[i % at.in.features()];
  } else {
    return false;
  }
  return true;
}

}  // namespace kappa::reference::textbook
