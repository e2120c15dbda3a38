#pragma once
/// \file
/// κ(G) of a linear network from products with Ĝ = Σ_l A_l ⊗ C_l, for orders k r at which nothing of size k r by k r
/// should be formed.

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/matrix_free.hpp>
#include <kappa/spectrum/davidson.hpp>
#include <kappa/spectrum/lanczos.hpp>
#include <kappa/theory/bounds.hpp>
#include <kappa/theory/lower_bounds.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// Ĝ as an operator on vectors vec(X), X [k, r] row-major: X -> Σ_l A_l X C_l. 2 L k r (k + r) flops a product.
/// Holds a reference: `g` must outlive it.
inline auto small_operator(small_gauss_newton const& g) {
  return matrix_free<double>(g.order(), [&g](std::span<double const> x, std::span<double> y) {
    auto const k = g.outputs(), r = g.data().rank();
    auto between = zeros<double>(k, r);
    std::fill(y.begin(), y.end(), 0.0);
    for (std::size_t l = 0; l < g.depth(); ++l) {
      if (l == 0) {  // C_1 = diag(s)
        for (std::size_t i = 0; i < k * r; ++i) between.data()[i] = x[i] * g.data().eigenvalues()(i % r);
      } else {
        lapack::gemm(false, false, k, r, r, 1.0, x.data(), g.weighted_right(l).data(), 0.0, between.data());
      }
      lapack::gemm(false, false, k, r, k, 1.0, g.left(l).data(), between.data(), 1.0, y.data());
    }
  });
}

/// The inverse of the part of Ĝ that is block diagonal in an orthonormal basis u_1..u_k of the outputs: block i is
/// C(u_i) = Σ_l (u_iᵀA_l u_i) C_l. That the Rayleigh bound is close says that this part is nearly all of Ĝ.
class compression_preconditioner {
 public:
  /// The u_i are the eigenvectors of Σ_l tr(C_l) A_l. k factorisations of order r: k r³ / 3 flops, k r² numbers.
  /// \throws singular_matrix when a block, and so Ĝ, is singular to working precision.
  explicit compression_preconditioner(small_gauss_newton const& g) : k(g.outputs()), r(g.data().rank()) {
    std::vector<double> traces;
    for (std::size_t l = 0; l < g.depth(); ++l) traces.push_back(detail::trace_of(g.weighted_right(l)));
    basis = lapack::symmetric_eigen(detail::weighted_sum(
                                        traces, [&](std::size_t l) -> auto const& { return g.left(l); }))
                .vectors;
    for (std::size_t i = 0; i < k; ++i)
      blocks.emplace_back(detail::weighted_sum(
          g.rayleigh_quotients({basis.data() + i * k, k}), [&](std::size_t l) -> auto const& {
            return g.weighted_right(l);
          }));
  }

  /// t = T⁻¹ x. 2 k r (k + r) flops.
  void operator()(std::span<double const> x, std::span<double> t) const {
    auto rotated = zeros<double>(k, r);
    lapack::gemm(false, false, k, r, k, 1.0, basis.data(), x.data(), 0.0, rotated.data());
    for (std::size_t i = 0; i < k; ++i) blocks[i].solve_in_place(rotated.data() + i * r);
    lapack::gemm(true, false, k, r, k, 1.0, basis.data(), rotated.data(), 0.0, t.data());
  }
  matrix<double> const& directions() const { return basis; }

 private:
  std::size_t k, r;
  matrix<double> basis;  // rows u_i
  std::vector<lapack::cholesky<double>> blocks;
};

/// One end of Ĝ's spectrum with its certificates: a Rayleigh quotient, so λ_max is not below and λ_min not above
/// `value`; an eigenvalue within `residual` of it; and by the Loewner bound the end itself no farther than `limit`.
struct certified_end {
  double value = 0;
  double residual = 0;
  double limit = 0;
};

/// κ(G) = λ_max / λ_min from products alone.
struct matrix_free_condition {
  certified_end largest, smallest;
  std::size_t products = 0;  ///< with Ĝ
  double seconds = 0;

  double value() const { return largest.value / smallest.value; }
  /// κ(G) lies in [value, limit], whatever the iterations missed; rounding apart.
  double limit() const { return largest.limit / smallest.limit; }
};

/// How far to iterate: residuals relative to the eigenvalue. Eigenvalues come out to about the square of that, divided
/// by their relative distance from the next.
struct matrix_free_options {
  double tolerance = 1e-6;
  std::size_t max_products = 1000;
  std::uint64_t seed = 1;
};

/// κ(G) without a matrix larger than k or r: λ_max by Lanczos, λ_min by Davidson's method preconditioned by the block
/// diagonal part. The value is within rounding of the exact one unless an iteration missed an eigenvector to which both
/// its random start and the start from the Loewner and Rayleigh bounds are orthogonal; the certificates say how far off
/// it could be even then.
/// \throws singular_matrix when G has not its full rank k r; not_converged.
inline matrix_free_condition condition_number_matrix_free(small_gauss_newton const& g,
                                                          matrix_free_options const& options = {}) {
  auto const begin = std::chrono::steady_clock::now();
  auto const limits = loewner_bound_t::ends(g);
  if (!(limits.below > 0))
    throw singular_matrix("condition_number_matrix_free: G of order " + std::to_string(g.order()) + " has rank " +
                          std::to_string(g.rank()) + "; over non-zero eigenvalues κ needs the dense matrix");
  std::size_t products = 0;
  auto const counted = matrix_free<double>(
      g.order(), [&products, op = small_operator(g)](std::span<double const> x, std::span<double> y) {
        ++products;
        op.apply(x, y);
      });
  auto const top = top_eigenpairs(
      counted, 1, lanczos{.tolerance = options.tolerance, .max_steps = options.max_products, .seed = options.seed});
  compression_preconditioner const precondition(g);
  auto const bottom = bottom_eigenpairs(
      counted, 1, davidson{.tolerance = options.tolerance, .max_products = options.max_products, .seed = options.seed},
      precondition);
  matrix_free_condition found;
  found.largest = {top.values(0), top.residuals(0), limits.above};
  found.smallest = {bottom.values(0), bottom.residuals(0), limits.below};
  found.products = products;
  found.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return found;
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
