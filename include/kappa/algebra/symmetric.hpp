#pragma once
/// \file
/// Dense symmetric matrices.

#include <algorithm>
#include <memory>
#include <utility>

#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/operator.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// A + shift I by Cholesky.
template <real T>
class symmetric_factor {
 public:
  symmetric_factor(matrix<T> a, double shift) : factor(shifted(std::move(a), shift)) {}
  void solve(std::span<T const> x, std::span<T> y) const {
    std::ranges::copy(x, y.begin());
    factor.solve_in_place(y.data());
  }
  double log_det() const { return factor.log_det(); }
  void inverse_diagonal(std::span<T> y) const { factor.inverse_diagonal(y.data()); }
  void inverse_root(std::span<T const> z, std::span<T> y) const {
    std::ranges::copy(z, y.begin());
    factor.inverse_root_in_place(y.data());
  }

 private:
  static matrix<T> shifted(matrix<T> a, double shift) {
    for (std::size_t i = 0; i < a.shape(0); ++i) a(i, i) = static_cast<T>(static_cast<double>(a(i, i)) + shift);
    return a;
  }
  lapack::cholesky<T> factor;
};

/// An eigendecomposition whose values are in double and whose vectors are in T.
template <real T>
struct eigenbasis {
  vector<double> values;
  matrix<T> vectors;  // rows
};

}  // namespace detail

/// A dense symmetric matrix [n, n]. apply 2n², solve n³/3, eigenvalues 4n³/3.
template <real T>
class symmetric {
 public:
  using value_type = T;

  /// \throws shape_mismatch when `a` is not square; invalid_value when an entry is not finite, or when `a`
  /// differs from its transpose by more than √ε times its largest entry.
  explicit symmetric(matrix<T> a) : state(std::make_shared<shared>(std::move(a))) {
    auto const& m = entries();
    auto const n = lapack::detail::order_of(m);
    check_finite<T>("symmetric", elements(m));
    T largest = 0;
    for (auto x : elements(m)) largest = std::max(largest, std::abs(x));
    auto const tolerance = std::sqrt(std::numeric_limits<T>::epsilon()) * largest;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (std::abs(m(i, j) - m(j, i)) > tolerance)
          throw invalid_value("the matrix is not symmetric: entry (" + std::to_string(i) + ", " + std::to_string(j) +
                              ") is " + detail::number(m(i, j)) + ", its mirror is " + detail::number(m(j, i)));
  }

  std::size_t size() const { return entries().shape(0); }
  matrix<T> const& entries() const { return state->entries; }

  void apply(std::span<T const> x, std::span<T> y) const {
    lapack::gemv(false, size(), size(), entries().data(), x.data(), y.data());
  }
  double trace() const {
    double sum = 0;
    for (std::size_t i = 0; i < size(); ++i) sum += entries()(i, i);
    return sum;
  }
  void diagonal(std::span<T> y) const {
    for (std::size_t i = 0; i < size(); ++i) y[i] = entries()(i, i);
  }
  double squared_norm() const { return detail::dot<T>(elements(entries()), elements(entries())); }
  vector<T> eigenvalues() const { return lapack::symmetric_eigenvalues(entries()); }
  eigen_decomposition<T> top(std::size_t k) const { return lapack::symmetric_top_eigen(entries(), k); }
  auto factorise(double shift) const { return detail::symmetric_factor<T>(entries(), shift); }

  /// The whole eigendecomposition, computed in double at the first call and shared by all copies.
  detail::eigenbasis<T> const& basis() const {
    return state->basis.get([this] {
      if constexpr (std::is_same_v<T, double>) {
        auto e = lapack::symmetric_eigen(entries());
        return detail::eigenbasis<T>{std::move(e.values), std::move(e.vectors)};
      } else {
        auto wide = zeros<double>(size(), size());
        std::ranges::copy(elements(entries()), wide.data());
        auto const e = lapack::symmetric_eigen(std::move(wide));
        auto narrow = zeros<T>(size(), size());
        std::ranges::transform(elements(e.vectors), narrow.data(), [](double x) { return static_cast<T>(x); });
        return detail::eigenbasis<T>{e.values, std::move(narrow)};
      }
    });
  }

 private:
  struct shared {
    explicit shared(matrix<T> a) : entries(std::move(a)) {}
    matrix<T> entries;
    detail::lazy<detail::eigenbasis<T>> basis;
  };
  std::shared_ptr<shared const> state;
};

}  // namespace kappa::inline KAPPA_ARCH
