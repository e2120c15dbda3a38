#pragma once
/// \file
/// The mask of sequences of different lengths.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <kappa/arch.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The mask [N, positions] of sequences with these lengths: 1 at the first `lengths[n]` positions of sample n, 0 after.
/// \throws invalid_value for a length below 0 or above `positions`.
inline std::vector<unsigned char> mask_of(std::span<int const> lengths, int positions) {
  for (std::size_t n = 0; n < lengths.size(); ++n)
    if (lengths[n] < 0 || lengths[n] > positions)
      throw invalid_value("sequence " + std::to_string(n) + " has length " + std::to_string(lengths[n]) +
                          ", a length from 0 to " + std::to_string(positions) + " was expected");
  std::vector<unsigned char> mask;
  mask.reserve(lengths.size() * static_cast<std::size_t>(positions < 0 ? 0 : positions));
  for (int length : lengths)
    for (int t = 0; t < positions; ++t) mask.push_back(t < length ? 1 : 0);
  return mask;
}

}  // namespace kappa::inline KAPPA_ARCH
