#pragma once
/// \file
/// Patches of an image as numbers.

namespace kappa {

/// Where patches lie in the image [rows, columns, channels] that they are taken from: `down` times `across` windows of
/// height · width taps side by side. A patch has its taps row by row, each with all channels. No rows stand for patches
/// that are not of this kind.
struct patch_geometry {
  int rows = 0, columns = 0, channels = 0;
  int down = 0, across = 0;
  int height = 0, width = 0;
  int stride_height = 1, stride_width = 1;
  int top = 0, left = 0;  ///< rows and columns of padding before the image
  constexpr int elements() const { return height * width * channels; }
};

}  // namespace kappa
