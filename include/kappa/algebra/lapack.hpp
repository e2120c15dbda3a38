#pragma once
/// \file
/// The only door to BLAS and LAPACK in this room: typed wrappers over the C declarations that xtensor-blas
/// ships, for float and double. Matrices are row-major. Eigenvalues come in descending order and eigenvectors
/// as the rows of a matrix. A failed factorisation throws `singular_matrix`, a failed iteration `not_converged`.

#include <xtensor-blas/xblas_config.hpp>

#include <xflens/cxxblas/drivers/cblas.h>
#include <xflens/cxxlapack/netlib/netlib.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <kappa/arch.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {

/// An eigendecomposition: `values` descending, `vectors` [k, n] with one unit eigenvector a row.
template <real T>
struct eigen_decomposition {
  vector<T> values;
  matrix<T> vectors;
};

namespace lapack {

namespace detail {

inline int to_int(std::size_t n) {
  if (n > 32000) throw capacity_exceeded("dense factorisations take orders up to 32000, came " + std::to_string(n));
  return static_cast<int>(n);
}

inline std::size_t order_of(auto const& a) {
  if (a.shape(0) != a.shape(1))
    throw shape_mismatch("a square matrix is needed, came " + std::to_string(a.shape(0)) + " x " +
                         std::to_string(a.shape(1)));
  kappa::threads();  // switches the BLAS's own threads off before its first use
  return a.shape(0);
}

// LAPACK reports failure by number; `routine` names the task in the reader's words.
inline void check_info(int info, char const* task) {
  if (info > 0)
    throw not_converged(std::string(task) + " did not converge: " + std::to_string(info) +
                        " off-diagonal elements are not zero");
  if (info < 0) throw invalid_value(std::string(task) + ": argument " + std::to_string(-info) + " is illegal");
}

}  // namespace detail

/// C = alpha op(A) op(B) + beta C with op(A) [m, k], op(B) [k, n], row-major, tightly packed. 2mnk flops. Slabs
/// of 256 rows are shared out to the threads, so the result does not depend on how many there are.
template <real T>
void gemm(bool transpose_a, bool transpose_b, std::size_t m, std::size_t n, std::size_t k, T alpha, T const* a,
          T const* b, T beta, T* c) {
  constexpr std::size_t slab = 256;
  if (m == 0 || n == 0) return;
  auto const lda = static_cast<int>(std::max<std::size_t>(1, transpose_a ? m : k));
  auto const ldb = static_cast<int>(std::max<std::size_t>(1, transpose_b ? k : n));
  parallel_ranges(m, slab, slab, [&](std::size_t begin, std::size_t end) {
    for (auto i = begin; i < end; i += slab) {
      auto const call = [&](auto f) {
        f(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans,
          static_cast<int>(std::min(slab, end - i)), static_cast<int>(n), static_cast<int>(k), alpha,
          a + (transpose_a ? i : i * k), lda, b, ldb, beta, c + i * n, static_cast<int>(n));
      };
      if constexpr (std::is_same_v<T, float>)
        call(cblas_sgemm);
      else
        call(cblas_dgemm);
    }
  });
}

/// y = A x, or Aᵀ x, with A [rows, columns] row-major. 2 · rows · columns flops.
template <real T>
void gemv(bool transpose, std::size_t rows, std::size_t columns, T const* a, T const* x, T* y) {
  auto const out = transpose ? columns : rows;
  std::fill(y, y + out, T(0));
  if (rows == 0 || columns == 0) return;
  kappa::threads();
  auto const call = [&](auto f) {
    f(CblasRowMajor, transpose ? CblasTrans : CblasNoTrans, static_cast<int>(rows), static_cast<int>(columns), T(1), a,
      static_cast<int>(columns), x, 1, T(0), y, 1);
  };
  if constexpr (std::is_same_v<T, float>)
    call(cblas_sgemv);
  else
    call(cblas_dgemv);
}

/// VᵀV of V [rows, columns], both triangles filled. rows · columns² flops.
template <real T>
matrix<T> gram(matrix<T> const& v) {
  auto const rows = v.shape(0), columns = v.shape(1);
  auto g = zeros<T>(columns, columns);
  if (rows == 0 || columns == 0) return g;
  kappa::threads();
  auto const call = [&](auto f) {
    f(CblasRowMajor, CblasLower, CblasTrans, static_cast<int>(columns), static_cast<int>(rows), T(1), v.data(),
      static_cast<int>(columns), T(0), g.data(), static_cast<int>(columns));
  };
  if constexpr (std::is_same_v<T, float>)
    call(cblas_ssyrk);
  else
    call(cblas_dsyrk);
  for (std::size_t i = 0; i < columns; ++i)
    for (std::size_t j = 0; j < i; ++j) g(j, i) = g(i, j);
  return g;
}

namespace detail {

template <real T>
void syevd(char job, matrix<T>& a, vector<T>& w) {
  auto const order = order_of(a);
  if (order == 0) return;
  int const n = to_int(order), vectors = job == 'V', integers = vectors ? 3 + 5 * n : 1;
  auto const size = vectors ? 1 + 6 * order + 2 * order * order : 1 + 66 * order;
  int const lwork = static_cast<int>(size);
  std::vector<T> work(size);
  std::vector<int> iwork(static_cast<std::size_t>(integers));
  int info = 0;
  char const triangle = 'L';
  auto const call = [&](auto f) {
    f(&job, &triangle, &n, a.data(), &n, w.data(), work.data(), &lwork, iwork.data(), &integers, &info);
  };
  if constexpr (std::is_same_v<T, float>)
    call(cxxlapack::ssyevd_);
  else
    call(cxxlapack::dsyevd_);
  check_info(info, "the symmetric eigendecomposition");
}

// LAPACK's order is ascending; ours is descending.
template <real T>
void reverse_rows(matrix<T>& m) {
  auto const rows = m.shape(0), columns = m.shape(1);
  for (std::size_t i = 0; i < rows / 2; ++i)
    std::swap_ranges(m.data() + i * columns, m.data() + (i + 1) * columns, m.data() + (rows - 1 - i) * columns);
}

}  // namespace detail

/// All eigenvalues of the symmetric matrix `a`, descending. 4/3 n³ flops.
/// \throws shape_mismatch when `a` is not square; not_converged when LAPACK gives up.
template <real T>
vector<T> symmetric_eigenvalues(matrix<T> a) {
  auto w = zeros<T>(a.shape(0));
  detail::syevd('N', a, w);
  std::reverse(w.data(), w.data() + w.size());
  return w;
}

/// The full eigendecomposition of the symmetric matrix `a`, descending (divide and conquer, about 9 n³ flops).
/// \throws shape_mismatch when `a` is not square; not_converged when LAPACK gives up.
template <real T>
eigen_decomposition<T> symmetric_eigen(matrix<T> a) {
  auto w = zeros<T>(a.shape(0));
  detail::syevd('V', a, w);  // column-major columns are our rows
  std::reverse(w.data(), w.data() + w.size());
  detail::reverse_rows(a);
  return {std::move(w), std::move(a)};
}

/// An orthonormal basis of eigenvectors of XᵀX, of descending eigenvalues, [d, d], from the n <= d rows of `x` [n, d]:
/// with Xᵀ = Q [R; 0] they are Q's columns, the first n turned into the eigenvectors of R Rᵀ.
/// 6 n d² + 9 n³ flops, where `symmetric_eigen` of XᵀX takes 9 d³.
/// \throws shape_mismatch when there are more rows than columns; not_converged when LAPACK gives up.
template <real T>
matrix<T> eigenbasis_from_rows(matrix<T> x) {
  auto const rows = x.shape(0), order = x.shape(1);
  if (rows > order)
    throw shape_mismatch("an eigenbasis of order " + std::to_string(order) + " from rows wants as many rows at most, " +
                         std::to_string(rows) + " came");
  kappa::threads();
  auto basis = zeros<T>(order, order);
  for (std::size_t i = rows; i < order; ++i) basis(i, i) = 1;
  if (rows == 0) return basis;
  int const d = detail::to_int(order), n = detail::to_int(rows), size = 64 * d + 4200;  // room for LAPACK's blocks
  std::vector<T> scalars(rows), work(static_cast<std::size_t>(size));
  int info = 0;
  auto const factorise = [&](auto f) { f(&d, &n, x.data(), &d, scalars.data(), work.data(), &size, &info); };
  if constexpr (std::is_same_v<T, float>)
    factorise(cxxlapack::sgeqrf_);
  else
    factorise(cxxlapack::dgeqrf_);
  detail::check_info(info, "the orthogonal factorisation");
  auto r = zeros<T>(rows, rows);  // Rᵀ: our row j of x is LAPACK's column j
  for (std::size_t j = 0; j < rows; ++j) std::copy_n(x.data() + j * order, j + 1, r.data() + j * rows);
  auto const small = symmetric_eigen(gram(r)).vectors;
  for (std::size_t i = 0; i < rows; ++i) std::copy_n(small.data() + i * rows, rows, basis.data() + i * order);
  char const side = 'L', transposed = 'N';
  auto const apply = [&](auto f) {
    f(&side, &transposed, &d, &d, &n, x.data(), &d, scalars.data(), basis.data(), &d, work.data(), &size, &info);
  };
  if constexpr (std::is_same_v<T, float>)
    apply(cxxlapack::sormqr_);
  else
    apply(cxxlapack::dormqr_);
  detail::check_info(info, "the orthogonal factor");
  return basis;
}

/// The `k` largest eigenvalues of the symmetric matrix `a` and their eigenvectors. 4/3 n³ + O(k n²) flops.
/// \throws as symmetric_eigen.
template <real T>
eigen_decomposition<T> symmetric_top_eigen(matrix<T> a, std::size_t k) {
  auto const order = detail::order_of(a);
  k = std::min(k, order);
  auto w = zeros<T>(order);
  auto z = zeros<T>(k, order);
  if (k > 0) {
    int const n = detail::to_int(order), first = n - static_cast<int>(k) + 1, size = 1 + 70 * n, integers = 10 * n;
    std::vector<T> work(static_cast<std::size_t>(size));
    std::vector<int> iwork(static_cast<std::size_t>(integers)), support(2 * order);
    T const none = 0;
    int found = 0, info = 0;
    char const job = 'V', range = 'I', triangle = 'L';
    auto const call = [&](auto f) {
      f(&job, &range, &triangle, &n, a.data(), &n, &none, &none, &first, &n, &none, &found, w.data(), z.data(), &n,
        support.data(), work.data(), &size, iwork.data(), &integers, &info);
    };
    if constexpr (std::is_same_v<T, float>)
      call(cxxlapack::ssyevr_);
    else
      call(cxxlapack::dsyevr_);
    detail::check_info(info, "the partial eigendecomposition");
    if (found != static_cast<int>(k)) throw not_converged("the partial eigendecomposition lost eigenvalues");
  }
  auto values = zeros<T>(k);
  std::reverse_copy(w.data(), w.data() + k, values.data());
  detail::reverse_rows(z);
  return {std::move(values), std::move(z)};
}

/// The full eigendecomposition of the symmetric tridiagonal matrix with diagonal `d` [n] and off-diagonal `e`
/// [n - 1], descending.
/// \throws shape_mismatch when `e` has not one entry fewer than `d`; not_converged when LAPACK gives up.
template <real T>
eigen_decomposition<T> tridiagonal_eigen(vector<T> d, vector<T> e) {
  auto const order = d.size();
  if (e.size() + 1 != std::max<std::size_t>(order, 1))
    throw shape_mismatch("a tridiagonal matrix of order " + std::to_string(order) + " has not " +
                         std::to_string(e.size()) + " off-diagonal entries");
  auto z = zeros<T>(order, order);
  if (order == 0) return {std::move(d), std::move(z)};
  int const n = detail::to_int(order), integers = 3 + 5 * n;
  auto const size = 1 + 4 * order + order * order;
  int const lwork = static_cast<int>(size);
  std::vector<T> work(size);
  std::vector<int> iwork(static_cast<std::size_t>(integers));
  int info = 0;
  char const job = 'V';
  kappa::threads();
  auto const call = [&](auto f) {
    f(&job, &n, d.data(), e.data(), z.data(), &n, work.data(), &lwork, iwork.data(), &integers, &info);
  };
  if constexpr (std::is_same_v<T, float>)
    call(cxxlapack::sstevd_);
  else
    call(cxxlapack::dstevd_);
  detail::check_info(info, "the tridiagonal eigendecomposition");
  std::reverse(d.data(), d.data() + order);
  detail::reverse_rows(z);
  return {std::move(d), std::move(z)};
}

/// The Cholesky factorisation of a symmetric positive definite matrix, made once and used for many solves.
template <real T>
class cholesky {
 public:
  /// Factorises `a`, 1/3 n³ flops.
  /// \throws shape_mismatch when `a` is not square; singular_matrix, naming the pivot, when it is not positive
  /// definite: a pivot is not positive, or below ε times the largest diagonal entry.
  explicit cholesky(matrix<T> a) : factor(std::move(a)) {
    auto const order = detail::order_of(factor);
    if (order == 0) return;
    T largest = 0;
    for (std::size_t i = 0; i < order; ++i) largest = std::max(largest, std::abs(factor(i, i)));
    int const n = detail::to_int(order);
    int info = 0;
    char const triangle = 'L';
    if constexpr (std::is_same_v<T, float>)
      cxxlapack::spotrf_(&triangle, &n, factor.data(), &n, &info);
    else
      cxxlapack::dpotrf_(&triangle, &n, factor.data(), &n, &info);
    if (info > 0) fail(static_cast<std::size_t>(info) - 1, order, "is not positive");
    for (std::size_t i = 0; i < order; ++i)
      if (!(factor(i, i) * factor(i, i) > std::numeric_limits<T>::epsilon() * largest))
        fail(i, order, "is zero to working precision");
  }

  std::size_t size() const { return factor.shape(0); }

  /// x = A⁻¹ x in place, 2n² flops.
  void solve_in_place(T* x) const {
    if (size() == 0) return;
    int const n = static_cast<int>(size()), one = 1;
    int info = 0;
    char const triangle = 'L';
    if constexpr (std::is_same_v<T, float>)
      cxxlapack::spotrs_(&triangle, &n, &one, factor.data(), &n, x, &n, &info);
    else
      cxxlapack::dpotrs_(&triangle, &n, &one, factor.data(), &n, x, &n, &info);
  }

  /// x = L⁻ᵀ x in place for A = L Lᵀ, n² flops: then x xᵀ is A⁻¹ in expectation for standard normal x.
  void inverse_root_in_place(T* x) const {
    if (size() == 0) return;
    int const n = static_cast<int>(size()), one = 1;
    int info = 0;
    char const triangle = 'L', transposed = 'T', not_unit = 'N';
    if constexpr (std::is_same_v<T, float>)
      cxxlapack::strtrs_(&triangle, &transposed, &not_unit, &n, &one, factor.data(), &n, x, &n, &info);
    else
      cxxlapack::dtrtrs_(&triangle, &transposed, &not_unit, &n, &one, factor.data(), &n, x, &n, &info);
  }

  /// The diagonal of A⁻¹, 2/3 n³ flops.
  void inverse_diagonal(T* d) const {
    if (size() == 0) return;
    matrix<T> inverse = factor;
    int const n = static_cast<int>(size());
    int info = 0;
    char const triangle = 'L';
    if constexpr (std::is_same_v<T, float>)
      cxxlapack::spotri_(&triangle, &n, inverse.data(), &n, &info);
    else
      cxxlapack::dpotri_(&triangle, &n, inverse.data(), &n, &info);
    for (std::size_t i = 0; i < size(); ++i) d[i] = inverse(i, i);
  }

  /// log det A.
  double log_det() const {
    double sum = 0;
    for (std::size_t i = 0; i < size(); ++i) sum += 2 * std::log(static_cast<double>(factor(i, i)));
    return sum;
  }

 private:
  [[noreturn]] static void fail(std::size_t pivot, std::size_t order, char const* what) {
    throw singular_matrix("the matrix of order " + std::to_string(order) + " is not positive definite: pivot " +
                          std::to_string(pivot) + " " + what + "; more damping would help");
  }

  matrix<T> factor;
};

}  // namespace lapack
}  // namespace kappa::inline KAPPA_ARCH
