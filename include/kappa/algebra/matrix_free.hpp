#pragma once
/// \file
/// Any function that multiplies as an operator.

#include <concepts>
#include <span>
#include <utility>

#include <kappa/algebra/operator.hpp>

namespace kappa::inline KAPPA_ARCH {

/// An operator known by its product only; made by `matrix_free`.
template <real T, class F>
class matrix_free_operator {
 public:
  using value_type = T;
  matrix_free_operator(std::size_t size, F f) : n(size), multiply(std::move(f)) {}
  std::size_t size() const { return n; }
  void apply(std::span<T const> x, std::span<T> y) const { multiply(x, y); }

 private:
  std::size_t n;
  F multiply;
};

/// The operator x ↦ y on vectors of `n`, where `multiply(x, y)` writes y = A x and A is symmetric. It knows apply and
/// to_dense; solve needs conjugate_gradients, eigenpairs need lanczos, traces hutchinson_trace. What `multiply`
/// captures by reference must outlive every expression the operator is part of.
template <real T, class F>
requires std::invocable<F const&, std::span<T const>, std::span<T>> matrix_free_operator<T, F> matrix_free(
    std::size_t n, F multiply) {
  return {n, std::move(multiply)};
}

}  // namespace kappa::inline KAPPA_ARCH
