#pragma once
/// \file
/// Linear networks drawn at run-time sizes.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <kappa/testing/random_instance.hpp>
#include <kappa/theory/gauss_newton.hpp>

#include "model.hpp"

namespace conditioning_figures {

inline kappa::testing::weights law_of(settings const& s) {
  return s.xavier ? kappa::testing::weights::xavier : kappa::testing::weights::gaussian;
}

/// The weights of `layers` layers from d inputs through widths m to k outputs, [outputs, inputs] each.
inline std::vector<kappa::matrix<double>> random_layers(std::size_t d, std::size_t m, std::size_t k, std::size_t layers,
                                                        kappa::testing::weights law, std::uint64_t seed) {
  std::vector<kappa::matrix<double>> all;
  for (std::size_t l = 0; l < layers; ++l)
    all.push_back(kappa::testing::random_weight(l + 1 == layers ? k : m, l == 0 ? d : m, law, seed * 4096 + l));
  return all;
}

/// Σ = diag(eigenvalues): Gaussian weights make its directions irrelevant.
inline kappa::theory::covariance diagonal(std::vector<double> const& eigenvalues) {
  auto sigma = kappa::zeros<double>(eigenvalues.size(), eigenvalues.size());
  for (std::size_t j = 0; j < eigenvalues.size(); ++j) sigma(j, j) = eigenvalues[j];
  return kappa::theory::covariance(std::move(sigma));
}
inline kappa::theory::covariance white(std::size_t d) { return diagonal(std::vector<double>(d, 1.0)); }

inline kappa::theory::small_gauss_newton linear_network(std::size_t d, std::size_t m, std::size_t k, std::size_t layers,
                                                        kappa::testing::weights law, std::uint64_t seed,
                                                        kappa::theory::covariance data) {
  return {random_layers(d, m, k, layers, law, seed), std::vector<double>(layers, 1.0), std::move(data)};
}

}  // namespace conditioning_figures
