#pragma once
/// \file
/// The Kronecker product that is nearest to a positive semidefinite matrix in the Frobenius norm (Van Loan and
/// Pitsianis 1993): the best that any K-FAC block can be.

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/kronecker.hpp>

namespace kappa::inline KAPPA_ARCH {

struct nearest_kronecker_options {
  std::size_t iterations = 1000;
  double tolerance = 1e-10;  ///< the change of the unit factor A from one iteration to the next
};

/// B ⊗ A with ‖B‖ = ‖A‖, and σ = ‖B ⊗ A‖: then ‖G - B ⊗ A‖² = ‖G‖² - σ².
template <real T>
struct nearest_kronecker_result {
  kronecker<T> product;
  double singular_value = 0;
  std::size_t iterations = 0;
};

namespace detail {

/// Power iteration on the rearrangement of G, the matrix whose rows are the blocks of G, for the leading pair of
/// singular vectors: B ← tr₂(G (I ⊗ A)), A ← tr₁(G (B ⊗ I)). Both contractions keep positive semidefinite matrices
/// so, hence the pair found from A = I is the leading one.
/// `left(a, b)` writes b [out, out] from a [in, in], `right(b, a)` the other way, in double. With `DiagonalA` the same
/// among the diagonal A, held as a [in]: the rearrangement has their rows alone.
template <real T, bool DiagonalA = false, class Left, class Right>
nearest_kronecker_result<T> nearest_by_contractions(std::size_t out, std::size_t in, Left&& left, Right&& right,
                                                    nearest_kronecker_options const& o) {
  auto const norm = [](std::vector<double> const& m) { return std::sqrt(dot<double>(m, m)); };
  auto const scale = [](std::vector<double>& m, double factor) {
    for (double& v : m) v *= factor;
  };
  std::vector<double> a(DiagonalA ? in : in * in), b(out * out), before;
  for (std::size_t i = 0; i < in; ++i) a[DiagonalA ? i : i * in + i] = 1 / std::sqrt(static_cast<double>(in));
  double sigma = 0;
  std::size_t done = 0;
  for (bool converged = false; !converged;) {
    if (done == o.iterations)
      throw not_converged("the nearest Kronecker product still changes by more than " + number(o.tolerance) +
                          " after " + std::to_string(done) + " iterations");
    ++done;
    left(a, b);
    if (double const length = norm(b); length > 0) scale(b, 1 / length);
    before = a;
    right(b, a);
    sigma = norm(a);
    if (sigma == 0) break;  // the zero matrix
    scale(a, 1 / sigma);
    double change = 0;
    for (std::size_t i = 0; i < a.size(); ++i) change += (a[i] - before[i]) * (a[i] - before[i]);
    converged = std::sqrt(change) <= o.tolerance;
  }
  auto const factor = [&](std::vector<double> const& m, std::size_t n) {
    auto f = unset<T>(n, n);
    for (std::size_t i = 0; i < n; ++i)  // symmetric up to rounding
      for (std::size_t j = 0; j < n; ++j)
        f(i, j) = static_cast<T>(std::sqrt(sigma) * 0.5 * (m[i * n + j] + m[j * n + i]));
    return f;
  };
  if constexpr (DiagonalA) {
    auto d = zeros<T>(in);
    for (std::size_t i = 0; i < in; ++i) d(i) = static_cast<T>(std::sqrt(sigma) * a[i]);
    return {kronecker<T>(symmetric<T>(factor(b, out)), diagonal_matrix<T>(std::move(d))), sigma, done};
  } else {
    return {kronecker<T>(factor(b, out), factor(a, in)), sigma, done};
  }
}

}  // namespace detail

/// Of a dense positive semidefinite G [out · in, out · in], indexed as B ⊗ A is. (out in)² flops an iteration; the
/// iterations are about log(1/tolerance) / log(σ₁/σ₂).
/// \throws shape_mismatch when G's order is not out · in; invalid_value when an entry is not finite; not_converged.
template <real T>
nearest_kronecker_result<T> nearest_kronecker(matrix<T> const& g, std::size_t out, std::size_t in,
                                              nearest_kronecker_options o = {}) {
  detail::require_length("a row of the matrix", out * in, lapack::detail::order_of(g));
  check_finite<T>("nearest_kronecker", elements(g));
  auto const each = [&](auto&& visit) {
    for (std::size_t x = 0; x < out; ++x)
      for (std::size_t i = 0; i < in; ++i)
        for (std::size_t y = 0; y < out; ++y)
          for (std::size_t j = 0; j < in; ++j)
            visit(x * out + y, i * in + j, static_cast<double>(g(x * in + i, y * in + j)));
  };
  return detail::nearest_by_contractions<T>(
      out, in,
      [&](std::vector<double> const& a, std::vector<double>& b) {
        std::ranges::fill(b, 0.0);
        each([&](std::size_t in_b, std::size_t in_a, double v) { b[in_b] += v * a[in_a]; });
      },
      [&](std::vector<double> const& b, std::vector<double>& a) {
        std::ranges::fill(a, 0.0);
        each([&](std::size_t in_b, std::size_t in_a, double v) { a[in_a] += v * b[in_b]; });
      },
      o);
}

/// Of G = Σ_k vec(T_k) vec(T_k)ᵀ, T_k [out, in] row-major one after the other: G is never formed, since
/// B = Σ_k T_k A T_kᵀ and A = Σ_k T_kᵀ B T_k. 2 · out · in · (out + in) flops a vector and contraction.
/// \throws shape_mismatch when `vectors` is no multiple of out · in; invalid_value when one is not finite;
/// not_converged.
template <real T>
nearest_kronecker_result<T> nearest_kronecker(std::span<T const> vectors, std::size_t out, std::size_t in,
                                              nearest_kronecker_options o = {}) {
  if (out * in == 0 || vectors.size() % (out * in) != 0)
    throw shape_mismatch("nearest_kronecker: a multiple of " + std::to_string(out * in) + " elements was expected, " +
                         std::to_string(vectors.size()) + " came");
  check_finite<T>("nearest_kronecker", vectors);
  std::vector<double> const all(vectors.begin(), vectors.end());
  std::size_t const count = all.size() / (out * in);
  std::vector<double> half(out * in);
  return detail::nearest_by_contractions<T>(
      out, in,
      [&](std::vector<double> const& a, std::vector<double>& b) {
        std::ranges::fill(b, 0.0);
        for (std::size_t k = 0; k < count; ++k) {
          double const* const t = all.data() + k * out * in;
          lapack::gemm<double>(false, false, out, in, in, 1, t, a.data(), 0, half.data());
          lapack::gemm<double>(false, true, out, out, in, 1, half.data(), t, 1, b.data());
        }
      },
      [&](std::vector<double> const& b, std::vector<double>& a) {
        std::ranges::fill(a, 0.0);
        for (std::size_t k = 0; k < count; ++k) {
          double const* const t = all.data() + k * out * in;
          lapack::gemm<double>(false, false, out, in, out, 1, b.data(), t, 0, half.data());
          lapack::gemm<double>(true, false, in, in, out, 1, t, half.data(), 1, a.data());
        }
      },
      o);
}

}  // namespace kappa::inline KAPPA_ARCH
