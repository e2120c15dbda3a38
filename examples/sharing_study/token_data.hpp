#pragma once
/// \file
/// Synthetic tokens whose covariance is ill-conditioned.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/random.hpp>

namespace sharing_study {

/// A random rotation [d, d]: the eigenvectors of a symmetric matrix of normal entries.
inline kappa::matrix<double> rotation(std::size_t d, kappa::counter_random& random) {
  auto m = kappa::zeros<double>(d, d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j <= i; ++j) m(i, j) = m(j, i) = random.normal();
  return kappa::lapack::symmetric_eigen(std::move(m)).vectors;
}

/// Token sequences [count, positions, d], twice.
struct tokens {
  std::vector<float> whitened;  ///< what a teacher sees: all directions alike, times 1.5
  std::vector<float> inputs;    ///< what a network sees: directions of scale 1 to 1/√condition, turned, mean 0.3
};

/// Tokens of one sequence are alike: they share 0.7 times a normal vector.
inline tokens draw_tokens(std::size_t count, std::size_t positions, std::size_t d, double condition,
                          std::uint64_t seed) {
  kappa::counter_random random(seed);
  auto const q = rotation(d, random);
  tokens t;
  std::vector<double> common(d), token(d);
  for (std::size_t n = 0; n < count; ++n) {
    for (double& v : common) v = 0.7 * random.normal();
    for (std::size_t r = 0; r < positions; ++r) {
      for (std::size_t i = 0; i < d; ++i) {
        token[i] = common[i] + random.normal();
        t.whitened.push_back(static_cast<float>(1.5 * token[i]));
        token[i] *= 2 * std::pow(condition, -0.5 * static_cast<double>(i) / static_cast<double>(d - 1));
      }
      for (std::size_t j = 0; j < d; ++j) {
        double x = 0.3;
        for (std::size_t i = 0; i < d; ++i) x += token[i] * q(i, j);
        t.inputs.push_back(static_cast<float>(x));
      }
    }
  }
  return t;
}

/// Subtracts each column's mean.
inline void centre(kappa::matrix<float>& m) {
  for (std::size_t j = 0; j < m.shape(1); ++j) {
    double mean = 0;
    for (std::size_t i = 0; i < m.shape(0); ++i) mean += static_cast<double>(m(i, j)) / static_cast<double>(m.shape(0));
    for (std::size_t i = 0; i < m.shape(0); ++i) m(i, j) -= static_cast<float>(mean);
  }
}

}  // namespace sharing_study
