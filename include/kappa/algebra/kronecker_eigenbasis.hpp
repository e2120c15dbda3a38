#pragma once
/// \file
/// A diagonal matrix in a Kronecker product of two orthonormal bases.

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <kappa/algebra/kronecker.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {
template <real T>
class kronecker_eigenbasis_factor;
}  // namespace detail

/// (U_B ⊗ U_A)ᵀ diag(Λ) (U_B ⊗ U_A), the basis vectors being the rows of U_B [out, out] and U_A [in, in], and Λ
/// [out, in] (EKFAC; George et al. 2018). U_A without rows, [0, in], is the natural basis. apply costs 4 · out · in ·
/// (out + in), and so does solve.
template <real T>
class kronecker_eigenbasis {
 public:
  using value_type = T;

  /// \throws shape_mismatch when a basis is not square or Λ does not fit; invalid_value when an entry is not finite.
  /// The rows are taken to be orthonormal.
  kronecker_eigenbasis(matrix<T> u_b, matrix<T> u_a, matrix<T> lambda)
      : state(std::make_shared<shared const>(shared{std::move(u_b), std::move(u_a), std::move(lambda)})) {
    auto const out = lapack::detail::order_of(state->u_b), in = detail::basis_order(state->u_a);
    if (state->lambda.shape(0) != out || state->lambda.shape(1) != in)
      throw shape_mismatch("kronecker_eigenbasis: bases of " + std::to_string(out) + " and " + std::to_string(in) +
                           " vectors want that many by that many eigenvalues, came " +
                           std::to_string(state->lambda.shape(0)) + " x " + std::to_string(state->lambda.shape(1)));
    check_finite<T>("kronecker_eigenbasis", elements(state->u_b));
    check_finite<T>("kronecker_eigenbasis", elements(state->u_a));
    check_finite<T>("kronecker_eigenbasis", elements(state->lambda));
  }

  std::size_t size() const { return state->lambda.size(); }
  /// The bases, a unit vector a row, and Λ, the eigenvalue of their products.
  matrix<T> const& left_basis() const { return state->u_b; }
  matrix<T> const& right_basis() const { return state->u_a; }
  matrix<T> const& basis_eigenvalues() const { return state->lambda; }

  void apply(std::span<T const> x, std::span<T> y) const {
    in_basis(x, y, [](T z, T lambda) { return z * lambda; });
  }
  double trace() const {
    double sum = 0;
    for (T v : elements(state->lambda)) sum += static_cast<double>(v);
    return sum;
  }
  void diagonal(std::span<T> y) const { detail::diagonal_in_bases<T>(state->u_b, state->lambda.data(), state->u_a, y); }
  double squared_norm() const { return detail::dot<T>(elements(state->lambda), elements(state->lambda)); }
  vector<T> eigenvalues() const {
    auto all = zeros<T>(size());
    std::ranges::copy(elements(state->lambda), all.data());
    std::sort(all.data(), all.data() + all.size(), std::greater{});
    return all;
  }
  eigen_decomposition<T> top(std::size_t k) const {
    auto const order = detail::largest<T>(elements(state->lambda), k);
    auto const in = state->lambda.shape(1), out = state->u_b.shape(0);
    eigen_decomposition<T> pairs{zeros<T>(order.size()), zeros<T>(order.size(), size())};
    for (std::size_t r = 0; r < order.size(); ++r) {
      pairs.values(r) = state->lambda.data()[order[r]];
      for (std::size_t i = 0; i < out; ++i)
        for (std::size_t j = 0; j < in; ++j)
          pairs.vectors(r, i * in + j) =
              state->u_b(order[r] / in, i) * detail::basis_entry(state->u_a, order[r] % in, j);
    }
    return pairs;
  }
  auto factorise(double shift) const { return detail::kronecker_eigenbasis_factor<T>(*this, shift); }

  /// y = (U_B ⊗ U_A)ᵀ f((U_B ⊗ U_A) x, Λ), elementwise in the middle.
  template <class F>
  void in_basis(std::span<T const> x, std::span<T> y, F&& f) const {
    std::vector<T> z(x.size());
    detail::sandwich<T>(false, state->u_b, x, state->u_a, z);
    for (std::size_t i = 0; i < z.size(); ++i) z[i] = f(z[i], state->lambda.data()[i]);
    detail::sandwich<T>(true, state->u_b, z, state->u_a, y);
  }

 private:
  struct shared {
    matrix<T> u_b, u_a, lambda;
  };
  std::shared_ptr<shared const> state;
};

namespace detail {

template <real T>
class kronecker_eigenbasis_factor {
 public:
  kronecker_eigenbasis_factor(kronecker_eigenbasis<T> m, double shift_) : a(std::move(m)), shift(shift_) {
    double smallest = std::numeric_limits<double>::infinity(), largest_magnitude = 0;
    for (T v : elements(a.basis_eigenvalues())) {
      smallest = std::min(smallest, static_cast<double>(v) + shift);
      largest_magnitude = std::max(largest_magnitude, std::abs(static_cast<double>(v) + shift));
    }
    auto const floor = shift > 0 ? 0.0 : static_cast<double>(std::numeric_limits<T>::epsilon()) * largest_magnitude;
    if (a.size() > 0 && !(smallest > floor)) throw_not_positive("kronecker_eigenbasis", smallest);
  }
  void solve(std::span<T const> x, std::span<T> y) const {
    a.in_basis(x, y, [this](T z, T lambda) {
      return static_cast<T>(static_cast<double>(z) / (static_cast<double>(lambda) + shift));
    });
  }
  double log_det() const {
    double sum = 0;
    for (T v : elements(a.basis_eigenvalues())) sum += std::log(static_cast<double>(v) + shift);
    return sum;
  }
  void inverse_diagonal(std::span<T> y) const {
    std::vector<double> inverse(a.size());
    std::ranges::transform(elements(a.basis_eigenvalues()), inverse.begin(),
                           [this](T v) { return 1 / (static_cast<double>(v) + shift); });
    diagonal_in_bases<T>(a.left_basis(), inverse.data(), a.right_basis(), y);
  }
  void inverse_root(std::span<T const> z, std::span<T> y) const {
    std::vector<T> w(z.size());
    auto const lambda = elements(a.basis_eigenvalues());
    for (std::size_t i = 0; i < z.size(); ++i)
      w[i] = static_cast<T>(static_cast<double>(z[i]) / std::sqrt(static_cast<double>(lambda[i]) + shift));
    sandwich<T>(true, a.left_basis(), w, a.right_basis(), y);
  }

 private:
  kronecker_eigenbasis<T> a;
  double shift;
};

}  // namespace detail

}  // namespace kappa::inline KAPPA_ARCH
