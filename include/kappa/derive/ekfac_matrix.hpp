#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <kappa/algebra/kronecker_eigenbasis.hpp>
#include <kappa/derive/ggn_root.hpp>
#include <kappa/derive/kfac_matrix.hpp>

namespace kappa::inline KAPPA_ARCH {

/// EKFAC of a whole network: block diagonal in the flat parameter order, one block per dense parameter that acts on the
/// rows of [W b].
template <real T>
class ekfac_matrix : public block_diagonal<std::vector<embedded<kronecker_eigenbasis<T>>>> {
  using base = block_diagonal<std::vector<embedded<kronecker_eigenbasis<T>>>>;

 public:
  explicit ekfac_matrix(std::vector<embedded<kronecker_eigenbasis<T>>> blocks) : base(std::move(blocks)) {}
};

namespace detail {

/// x [rows, D] into a basis of order D, or D + 1 when a one is to be appended to every row: x Uᵀ, [rows, order].
template <real T>
std::vector<T> rotated(std::size_t rows, std::size_t features, T const* x, matrix<T> const& u) {
  auto const order = u.shape(0);
  std::vector<T> y(rows * order);
  if (order == features) {
    lapack::gemm(false, true, rows, order, features, T(1), x, u.data(), T(0), y.data());
  } else {
    auto weights = zeros<T>(order, features);  // U without its last column, which every row sees once
    for (std::size_t i = 0; i < order; ++i) {
      std::copy_n(u.data() + i * order, features, weights.data() + i * features);
      for (std::size_t n = 0; n < rows; ++n) y[n * order + i] = u(i, features);
    }
    lapack::gemm(false, true, rows, order, features, T(1), x, weights.data(), T(1), y.data());
  }
  return y;
}

/// Λ = factor Σ_{nk} (Σ_r s_nkr a_nrᵀ)², [Out, In], for vectors that are already in the bases.
template <real T>
matrix<T> second_moments(std::size_t n, std::size_t k, std::size_t r, std::size_t in, std::size_t out, T const* a,
                         T const* s, T factor) {
  auto moments = zeros<T>(out, in);
  if (r == 1) {
    std::vector<T> squares(n * in), sums(n * out);
    std::transform(a, a + n * in, squares.data(), [](T v) { return v * v; });
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < k; ++j)
        for (std::size_t o = 0; o < out; ++o) {
          T const v = s[(i * k + j) * out + o];
          sums[i * out + o] += v * v;
        }
    lapack::gemm(true, false, out, in, n, factor, sums.data(), squares.data(), T(0), moments.data());
    return moments;
  }
  std::vector<T> one(out * in);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < k; ++j) {
      lapack::gemm(true, false, out, in, r, T(1), s + (i * k + j) * r * out, a + i * r * in, T(0), one.data());
      for (std::size_t e = 0; e < one.size(); ++e) moments.data()[e] += one[e] * one[e];
    }
  for (T& v : elements(moments)) v *= factor;
  return moments;
}

/// The decompositions in T: any orthonormal basis will do for measuring moments in.
template <real T>
ekfac_matrix<T> ekfac_from(std::vector<kfac_factors<T>> const& factors, layer_vectors<T> const& vectors, T factor) {
  std::vector<embedded<kronecker_eigenbasis<T>>> blocks;
  for (std::size_t p = 0; p < factors.size(); ++p) {
    auto const& layer = vectors.layers[p];
    auto const n = vectors.samples, k = vectors.per_sample, r = layer.positions;
    auto u_a = lapack::symmetric_eigen(factors[p].inputs.copy()).vectors;
    auto u_b = lapack::symmetric_eigen(factors[p].outputs.copy()).vectors;
    auto const a = rotated(n * r, layer.inputs, layer.a, u_a);
    auto const s = rotated(n * k * r, layer.outputs, layer.s, u_b);
    auto lambda = second_moments(n, k, r, u_a.shape(0), u_b.shape(0), a.data(), s.data(), factor);
    auto order = order_in_rows(factors[p].parameter);
    auto const size = order.size();
    blocks.emplace_back(kronecker_eigenbasis<T>(std::move(u_b), std::move(u_a), std::move(lambda)), std::move(order),
                        size);
  }
  return ekfac_matrix<T>(std::move(blocks));
}

}  // namespace detail

}  // namespace kappa::inline KAPPA_ARCH
