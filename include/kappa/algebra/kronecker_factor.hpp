#pragma once
/// \file
/// A factor of a Kronecker product: dense, or diagonal.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include <kappa/algebra/diagonal_matrix.hpp>
#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/operator.hpp>
#include <kappa/algebra/symmetric.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

// Bases are held by their vectors, one a row. One without rows, [0, n], is the natural basis of n coordinates: what a
// diagonal matrix is diagonal in, for which nothing of order n² has to be held.

template <real T>
matrix<T> natural_basis(std::size_t n) {
  return zeros<T>(0, n);
}
template <real T>
bool is_natural(matrix<T> const& u) {
  return u.shape(0) == 0 && u.shape(1) > 0;
}
/// How many vectors a basis has. \throws shape_mismatch when it is none.
template <real T>
std::size_t basis_order(matrix<T> const& u) {
  return is_natural(u) ? u.shape(1) : lapack::detail::order_of(u);
}
template <real T>
T basis_entry(matrix<T> const& u, std::size_t vector, std::size_t i) {
  return is_natural(u) ? static_cast<T>(vector == i) : u(vector, i);
}

}  // namespace detail

/// A symmetric matrix [n, n] that is dense, or diagonal and held as n numbers.
template <real T>
class kronecker_factor {
 public:
  using value_type = T;

  kronecker_factor(symmetric<T> m) : dense(std::move(m)), of_diagonal(zeros<T>(0)) {}
  kronecker_factor(diagonal_matrix<T> d)
      : dense(zeros<T>(0, 0)),
        of_diagonal(std::move(d)),
        natural(std::make_shared<detail::eigenbasis<T> const>(natural_of(of_diagonal.values()))) {}

  bool is_diagonal() const { return natural != nullptr; }
  std::size_t size() const {
    return visit([](auto const& m) { return m.size(); });
  }
  /// The n numbers of a diagonal one. Precondition: is_diagonal().
  std::span<T const> diagonal_entries() const { return of_diagonal.values(); }
  /// All entries, [n, n]. Precondition: not is_diagonal().
  matrix<T> const& entries() const { return dense.entries(); }
  /// A dense one as what it is. Precondition: not is_diagonal().
  operator symmetric<T> const&() const { return dense; }

  void apply(std::span<T const> x, std::span<T> y) const {
    visit([=](auto const& m) { m.apply(x, y); });
  }
  double trace() const {
    return visit([](auto const& m) { return m.trace(); });
  }
  void diagonal(std::span<T> y) const {
    visit([=](auto const& m) { m.diagonal(y); });
  }
  double squared_norm() const {
    return visit([](auto const& m) { return m.squared_norm(); });
  }
  vector<T> eigenvalues() const {
    return visit([](auto const& m) { return m.eigenvalues(); });
  }
  eigen_decomposition<T> top(std::size_t k) const {
    return visit([=](auto const& m) { return m.top(k); });
  }
  /// The whole eigendecomposition, of a dense one as symmetric's. Of a diagonal one in the order of its coordinates,
  /// without vectors: [0, n] stands for the natural basis.
  detail::eigenbasis<T> const& basis() const { return natural ? *natural : dense.basis(); }

 private:
  static detail::eigenbasis<T> natural_of(std::span<T const> values) {
    detail::eigenbasis<T> e{zeros<double>(values.size()), detail::natural_basis<T>(values.size())};
    std::ranges::copy(values, e.values.data());
    return e;
  }
  template <class F>
  auto visit(F&& f) const {
    return is_diagonal() ? f(of_diagonal) : f(dense);
  }

  // One of them is empty: what tells a variant's types apart would cost every include of K-FAC more than both.
  symmetric<T> dense;
  diagonal_matrix<T> of_diagonal;
  std::shared_ptr<detail::eigenbasis<T> const> natural;
};

}  // namespace kappa::inline KAPPA_ARCH
