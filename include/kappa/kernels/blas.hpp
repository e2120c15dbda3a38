#pragma once
/// \file
/// The BLAS products kappa uses, in place and typed. Only xtensor-blas's declarations of the C interface are
/// included (its whole front end costs seconds of compile time); `<cblas.h>` would clash with them.

#include <cstddef>

#include <xflens/cxxblas/drivers/cblas.h>
#include <kappa/arch.hpp>
#include <xtensor-blas/xblas_config.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace kernels {

/// Whether an operand is taken as it lies in memory (row-major) or transposed.
enum class taken { as_is, transposed };

/// C = alpha op(A) op(B) + beta C with C [m, n], the contraction of length k; row-major, leading dimensions in
/// elements. Sizes must fit BLAS's 32-bit integers.
template <class T>
void gemm(taken op_a, taken op_b, std::size_t m, std::size_t n, std::size_t k, T alpha, T const* a, std::size_t lda,
          T const* b, std::size_t ldb, T beta, T* c, std::size_t ldc) {
  auto const in = [](std::size_t v) { return static_cast<CBLAS_INT>(v); };
  auto const op = [](taken t) { return t == taken::as_is ? CblasNoTrans : CblasTrans; };
  if (m == 0 || n == 0) return;
  if constexpr (sizeof(T) == sizeof(float))
    cblas_sgemm(CblasRowMajor, op(op_a), op(op_b), in(m), in(n), in(k), alpha, a, in(lda), b, in(ldb), beta, c,
                in(ldc));
  else
    cblas_dgemm(CblasRowMajor, op(op_a), op(op_b), in(m), in(n), in(k), alpha, a, in(lda), b, in(ldb), beta, c,
                in(ldc));
}

/// The lower triangle of C = alpha Aᵀ A + beta C (op = transposed, A [k, n]) or alpha A Aᵀ + beta C (as_is,
/// A [n, k]); the upper triangle is left alone.
template <class T>
void syrk(taken op_a, std::size_t n, std::size_t k, T alpha, T const* a, std::size_t lda, T beta, T* c,
          std::size_t ldc) {
  auto const in = [](std::size_t v) { return static_cast<CBLAS_INT>(v); };
  auto const op = op_a == taken::as_is ? CblasNoTrans : CblasTrans;
  if (n == 0) return;
  if constexpr (sizeof(T) == sizeof(float))
    cblas_ssyrk(CblasRowMajor, CblasLower, op, in(n), in(k), alpha, a, in(lda), beta, c, in(ldc));
  else
    cblas_dsyrk(CblasRowMajor, CblasLower, op, in(n), in(k), alpha, a, in(lda), beta, c, in(ldc));
}

}  // namespace kernels
}  // namespace kappa::inline KAPPA_ARCH
