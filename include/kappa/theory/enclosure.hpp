#pragma once
/// \file
/// Matrices known up to a radius, and eigenvalues enclosed: midpoints by BLAS and LAPACK, what their rounding can have
/// done bounded a priori in intervals (Rump 1999; Higham 2002, section 3.5). A proof of a number costs a few
/// products more than the number.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/theory/interval.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// The matrices X with ‖X - mid‖ <= radius in the spectral norm.
struct ball_matrix {
  matrix<double> mid;
  double radius = 0;
};

namespace detail {

/// At least n u / (1 - n u): how much a sum of n products may be off, relative to the sum of their magnitudes, in any
/// order of summation and with or without fused operations (Higham 2002, lemma 3.1). \pre n < 2^50.
inline interval rounding_of_sum(std::size_t n) {
  return interval(2 * static_cast<double>(n)) * (std::numeric_limits<double>::epsilon() / 2);
}

/// More than all underflows together.
inline constexpr double underflow = 1e-290;

/// At least the Frobenius norm.
inline double frobenius_above(matrix<double> const& m) {
  double sum = 0;
  for (std::size_t i = 0; i < m.size(); ++i) sum += m.data()[i] * m.data()[i];
  return boost::numeric::sqrt((interval(sum) + underflow) * (interval(1) + rounding_of_sum(m.size() + 2))).upper();
}

/// At least the spectral norm of every matrix of the ball.
inline interval norm_above(ball_matrix const& m) { return interval(frobenius_above(m.mid)) + m.radius; }

}  // namespace detail

/// Encloses op(A) op(B). One product and two norms.
inline ball_matrix multiply(bool transpose_a, bool transpose_b, ball_matrix const& a, ball_matrix const& b) {
  auto const m = a.mid.shape(transpose_a ? 1 : 0), k = a.mid.shape(transpose_a ? 0 : 1),
             n = b.mid.shape(transpose_b ? 0 : 1);
  ball_matrix c{zeros<double>(m, n), 0};
  lapack::gemm(transpose_a, transpose_b, m, n, k, 1.0, a.mid.data(), b.mid.data(), 0.0, c.mid.data());
  interval const size_a = detail::frobenius_above(a.mid), size_b = detail::frobenius_above(b.mid);
  interval const radius = size_a * b.radius + size_b * a.radius + interval(a.radius) * b.radius +
                          detail::rounding_of_sum(k + 1) * size_a * size_b + detail::underflow;
  c.radius = radius.upper();
  return c;
}

/// Encloses Σ_l w_l m(l) for weights w_l anywhere in their intervals.
inline ball_matrix weighted_sum(std::span<interval const> weights, auto const& m) {
  ball_matrix sum{zeros<double>(m(0).mid.shape(0), m(0).mid.shape(1)), 0};
  interval radius = detail::underflow, sizes = 0;
  for (std::size_t l = 0; l < weights.size(); ++l) {
    ball_matrix const& term = m(l);
    double const w = boost::numeric::median(weights[l]);
    interval const off = boost::numeric::max(interval(weights[l].upper()) - w, interval(w) - weights[l].lower());
    for (std::size_t i = 0; i < sum.mid.size(); ++i) sum.mid.data()[i] += w * term.mid.data()[i];
    interval const size = detail::frobenius_above(term.mid);
    radius += boost::numeric::abs(weights[l]) * term.radius + off * size;
    sizes += boost::numeric::abs(interval(w)) * size;
  }
  sum.radius = (radius + detail::rounding_of_sum(weights.size() + 1) * sizes).upper();
  return sum;
}

/// Encloses all eigenvalues of every symmetric positive semidefinite matrix of the ball, descending: Q = V H Vᵀ with
/// LAPACK's eigenvectors V is off diagonal by a computed δ and V off orthogonality by ε, so that by Ostrowski's and
/// Weyl's theorems λ_i(H) lies in (λ_i ± δ) / (1 ± ε). About 15 n³ flops.
/// \throws not_converged when LAPACK's eigenvectors are not orthogonal enough to conclude.
inline std::vector<interval> enclose_spectrum(ball_matrix h) {
  auto const n = h.mid.shape(0);
  for (std::size_t i = 0; i < n; ++i)  // the symmetric part is no farther from any symmetric matrix
    for (std::size_t j = 0; j < i; ++j) h.mid(i, j) = h.mid(j, i) = (h.mid(i, j) + h.mid(j, i)) / 2;
  h.radius = (interval(h.radius) + detail::rounding_of_sum(1) * detail::frobenius_above(h.mid)).upper();
  double const radius = std::exchange(h.radius, 0.0);
  auto const e = lapack::symmetric_eigen(h.mid);
  ball_matrix const v{e.vectors, 0};
  auto q = multiply(false, true, multiply(false, false, v, h), v), one = multiply(false, true, v, v);
  interval cut = 0;  // subtracting from the diagonal rounds, too
  for (std::size_t i = 0; i < n; ++i) {
    q.mid(i, i) -= e.values(i);
    one.mid(i, i) -= 1;
    cut += boost::numeric::abs(interval(q.mid(i, i))) + boost::numeric::abs(interval(one.mid(i, i)));
  }
  cut *= detail::rounding_of_sum(1);
  interval const delta = detail::norm_above(q) + cut, epsilon = detail::norm_above(one) + cut;
  if (!(epsilon.upper() < 0.5)) throw not_converged("the eigenvectors are not orthogonal enough to enclose a spectrum");
  std::vector<interval> all;
  for (std::size_t i = 0; i < n; ++i) {
    interval const off(-delta.upper(), delta.upper()), wide(-radius, radius);
    interval const stretched = (interval(e.values(i)) + off) / (interval(1) + interval(-1, 1) * epsilon.upper());
    interval const x = stretched + wide;
    all.push_back({std::max(0.0, x.lower()), std::max(0.0, x.upper())});
  }
  return all;
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
