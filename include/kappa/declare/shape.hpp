#pragma once

namespace kappa {

/// The extents of one sample's value at a node: rank 1 to 3, row-major. The last axis holds the features, the
/// leading ones the positions that share a layer's weights.
struct shape {
  int rank = 0;
  int extent[3]{};

  constexpr bool operator==(shape const&) const = default;
  /// Number of elements.
  constexpr int size() const {
    int n = 1;
    for (int i = 0; i < rank; ++i) n *= extent[i];
    return n;
  }
  /// The last extent.
  constexpr int features() const { return rank > 0 ? extent[rank - 1] : 0; }
  /// How many positions share the weights of a layer that acts on the last axis (R in the formulas).
  constexpr int positions() const { return features() > 0 ? size() / features() : 0; }
};

}  // namespace kappa
