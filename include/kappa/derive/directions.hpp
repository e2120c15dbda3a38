#pragma once

#include <cstddef>

#include <kappa/algebra/operations.hpp>
#include <kappa/derive/derivation.hpp>

namespace kappa::inline KAPPA_ARCH {

/// What each sample says about the Gauss-Newton matrix's leading directions (Dangel, Tatzel and Hennig 2023, ViViT,
/// section 3): the spectrum's top, and per sample the slope and the curvature along each direction.
template <real T>
struct directional_derivatives {
  vector<T> eigenvalues;  ///< λ_k, descending, [K]
  matrix<T> directions;   ///< unit eigenvectors e_k as rows, [K, P]
  matrix<T> slopes;  ///< γ_nk = e_kᵀ g_n with g_n as in gradient_variance: their mean over n is e_kᵀ∇L, [N, K]
  matrix<T> curvatures;  ///< λ_nk = e_kᵀ G_n e_k, whose mean over n is λ_k, [N, K]
};

/// The directional derivatives along the `count` leading eigenvectors of a derivation that holds `ggn` and a
/// gradient quantity. Forms the directions, never V or individual gradients: per direction one product with Vᵀ.
template <objective_type Objective, real T, request R>
directional_derivatives<T> directional_derivatives_of(derivation<Objective, T, R> const& q, std::size_t count) {
  auto const curvature = q[ggn];
  auto const& root = curvature.root();
  auto top = top_eigenpairs(curvature, count);
  std::size_t const samples = q.samples();
  std::size_t const found = top.values.size();
  std::size_t const roots = root.columns() / samples;
  directional_derivatives<T> d{top.values, top.vectors, zeros<T>(samples, found), zeros<T>(samples, found)};
  auto c = zeros<T>(root.columns());
  auto g = zeros<T>(samples);
  for (std::size_t k = 0; k < found; ++k) {
    std::span<T const> const e(top.vectors.data() + k * root.rows(), root.rows());
    root.multiply_gradients(e, elements(g));
    root.multiply_transposed(e, elements(c));
    for (std::size_t n = 0; n < samples; ++n) {
      T total = 0;
      for (std::size_t v = 0; v < roots; ++v) total += c(n * roots + v) * c(n * roots + v);
      d.slopes(n, k) = static_cast<T>(samples) * g(n);
      d.curvatures(n, k) = static_cast<T>(samples) * total;
    }
  }
  return d;
}

}  // namespace kappa::inline KAPPA_ARCH
