#pragma once
/// \file
/// How far apart two spectra are.

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "worst.hpp"

#include <kappa/tensor/array.hpp>

/// How far two descending spectra differ, relative to the largest eigenvalue; a shorter one goes on with zeros. Spectra
/// of zeros only, as of a dead network, do not differ.
inline double spectral_distance(kappa::vector<double> const& a, kappa::vector<double> const& b) {
  double largest = 0;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i)
    largest = worst_of(largest, std::abs((i < a.size() ? a(i) : 0) - (i < b.size() ? b(i) : 0)));
  return largest == 0 ? 0 : largest / std::max(a(0), b(0));
}
