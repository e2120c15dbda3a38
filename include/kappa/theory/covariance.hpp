#pragma once
/// \file
/// The second moments of the data, and how κ counts eigenvalues.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/finite.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// Eigenvalues below this fraction of the largest count as zero.
inline constexpr double zero_threshold = 4096 * std::numeric_limits<double>::epsilon();

/// The ends of a positive semidefinite spectrum.
struct spectrum_ends {
  double largest = 0;
  double smallest = 0;           ///< exactly 0 when the matrix is singular to working precision
  double smallest_non_zero = 0;  ///< 0 only for the zero matrix
  std::size_t rank = 0;
};

/// The ends of the spectrum whose eigenvalues are given in descending order; those not above `threshold` times the
/// largest count as zero.
constexpr spectrum_ends ends_of(std::span<double const> descending, double threshold = zero_threshold) {
  if (descending.empty()) return {};
  spectrum_ends e{.largest = std::max(descending.front(), 0.0)};
  for (double x : descending)
    if (x > threshold * e.largest) {
      ++e.rank;
      e.smallest_non_zero = x;
    }
  if (e.rank == descending.size()) e.smallest = e.smallest_non_zero;
  return e;
}

/// The pseudo condition number: the largest eigenvalue over the smallest non-zero one; λ_max / λ_min when nonsingular.
/// \throws singular_matrix when every eigenvalue is zero.
inline double condition_number(spectrum_ends const& e) {
  if (e.rank == 0) throw singular_matrix("condition_number: every eigenvalue is zero");
  return e.largest / e.smallest_non_zero;
}

/// The pseudo condition number of a symmetric positive semidefinite matrix; eigenvalues not above `threshold` times the
/// largest count as zero. 4/3 n³ flops.
/// \throws singular_matrix when every eigenvalue is zero; shape_mismatch when it is not square.
inline double condition_number(matrix<double> m, double threshold = zero_threshold) {
  return condition_number(ends_of(elements(lapack::symmetric_eigenvalues(std::move(m))), threshold));
}

/// The uncentred covariance Σ = XᵀX / n of the data, decomposed: Σ = Sᵀ diag(s) S with the rows of S [r, d] an
/// orthonormal basis of the range of Σ and s > 0 descending.
class covariance {
 public:
  /// From Σ itself, [d, d], symmetric and positive semidefinite. 9 d³ flops.
  /// \throws shape_mismatch when it is not square; invalid_value when an entry is not finite, when it is not
  /// symmetric or has a negative eigenvalue to working precision, and when it is zero.
  explicit covariance(matrix<double> sigma) {
    auto const n = lapack::detail::order_of(sigma);
    check_finite("covariance", std::span<double const>(elements(sigma)));
    double largest = 0;
    for (std::size_t i = 0; i < sigma.size(); ++i) {
      largest = std::max(largest, std::abs(sigma.data()[i]));
    }
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (std::abs(sigma(i, j) - sigma(j, i)) > zero_threshold * largest)
          throw invalid_value("covariance: not symmetric at (" + std::to_string(i) + ", " + std::to_string(j) + ")");
    auto e = lapack::symmetric_eigen(std::move(sigma));
    auto const ends = ends_of(elements(e.values));
    if (ends.rank == 0) throw invalid_value("covariance: the matrix is zero or has no positive eigenvalue");
    if (e.values(n - 1) < -zero_threshold * ends.largest)
      throw invalid_value("covariance: the eigenvalue " + std::to_string(e.values(n - 1)) + " is negative");
    values = zeros<double>(ends.rank);
    vectors = zeros<double>(ends.rank, n);
    std::copy_n(e.values.data(), ends.rank, values.data());
    std::copy_n(e.vectors.data(), ends.rank * n, vectors.data());
  }

  std::size_t dimension() const { return vectors.shape(1); }
  /// r, the rank of Σ: how many directions the data span.
  std::size_t rank() const { return values.size(); }
  /// s, the non-zero eigenvalues, descending, [r].
  vector<double> const& eigenvalues() const { return values; }
  /// S, one unit eigenvector a row, [r, d].
  matrix<double> const& basis() const { return vectors; }
  /// κ(Σ) over the directions the data span.
  double condition_number() const { return values(0) / values(rank() - 1); }
  /// Σ^{1/2}, [d, d], symmetric positive semidefinite.
  matrix<double> square_root() const {
    return of_eigenvalues([](double s) { return std::sqrt(s); });
  }
  /// (Σ^{1/2})⁺, [d, d]: the inverse on the directions the data span, zero on the others.
  matrix<double> inverse_square_root() const {
    return of_eigenvalues([](double s) { return 1 / std::sqrt(s); });
  }

 private:
  /// Sᵀ diag(f(s)) S.
  matrix<double> of_eigenvalues(auto const& f) const {
    auto scaled = vectors;
    for (std::size_t i = 0; i < rank(); ++i)
      for (std::size_t j = 0; j < dimension(); ++j) scaled(i, j) *= f(values(i));
    auto m = zeros<double>(dimension(), dimension());
    lapack::gemm(true, false, dimension(), dimension(), rank(), 1.0, vectors.data(), scaled.data(), 0.0, m.data());
    return m;
  }

  vector<double> values;
  matrix<double> vectors;
};

/// What is subtracted from the data before their second moments are taken. The theory's Σ is uncentred.
enum class centring { none, mean };

/// The covariance XᵀX / n of inputs X [n, d], one sample a row, accumulated in double; with `centring::mean` of X less
/// the mean of its rows. n d² flops.
/// \throws capacity_exceeded when there is no sample; invalid_value when an input is not finite, or when all are zero
/// (equal, when centred).
template <real T>
covariance covariance_of(matrix<T> const& inputs, centring about = centring::none) {
  auto const n = inputs.shape(0);
  if (n == 0) throw capacity_exceeded("covariance_of: there are no samples");
  check_finite("covariance_of: the inputs", elements(inputs));
  auto const d = inputs.shape(1);
  auto sigma = zeros<double>(d, d);
  constexpr std::size_t slab = 512;
  auto wide = zeros<double>(std::min(slab, n), d);
  auto mean = zeros<double>(d);
  if (about == centring::mean) {
    for (std::size_t i = 0; i < n * d; ++i) mean(i % d) += static_cast<double>(inputs.data()[i]);
    for (double& x : elements(mean)) x /= static_cast<double>(n);
  }
  for (std::size_t begin = 0; begin < n; begin += slab) {
    auto const rows = std::min(slab, n - begin);
    for (std::size_t i = 0; i < rows * d; ++i)
      wide.data()[i] = static_cast<double>(inputs.data()[begin * d + i]) - mean(i % d);
    lapack::gemm(true, false, d, d, rows, 1.0 / static_cast<double>(n), wide.data(), wide.data(), 1.0, sigma.data());
  }
  for (std::size_t i = 0; i < d; ++i)  // a product of two copies is symmetric to rounding only
    for (std::size_t j = 0; j < i; ++j) sigma(i, j) = sigma(j, i) = (sigma(i, j) + sigma(j, i)) / 2;
  return covariance(std::move(sigma));
}

/// The inputs whitened, X Σ^{-1/2} [n, d]: their uncentred covariance is the identity on the directions the data span,
/// zero on the others, and κ(Σ) = 1. They stay as near to X as white data can (no rotation). 9 d³ + n d² flops.
/// \throws as covariance_of.
template <real T>
matrix<double> whitened(matrix<T> const& inputs) {
  auto const n = inputs.shape(0), d = inputs.shape(1);
  auto const root = covariance_of(inputs).inverse_square_root();
  auto x = zeros<double>(n, d), white = zeros<double>(n, d);
  std::copy(inputs.begin(), inputs.end(), x.begin());
  lapack::gemm(false, false, n, d, d, 1.0, x.data(), root.data(), 0.0, white.data());
  return white;
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
