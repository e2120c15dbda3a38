#pragma once
/// \file
/// Kronecker products and sums of two symmetric matrices. vec is row-major: (B ⊗ A) vec(X) = vec(B X Aᵀ).

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include <kappa/algebra/diagonal_matrix.hpp>
#include <kappa/algebra/kronecker_factor.hpp>
#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/operator.hpp>
#include <kappa/algebra/symmetric.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// The eigenvalues f(bᵢ, aⱼ) of a Kronecker product (f multiplies) or sum (f adds), indexed (i, j) row-major.
template <class B, class A, class F>
std::vector<double> pair_values(B const& b, A const& a, F f) {
  std::vector<double> values;
  values.reserve(a.size() * b.size());
  for (double y : b.basis().values)
    for (double x : a.basis().values) values.push_back(f(y, x));
  return values;
}

template <class B, class A, class F>
auto pair_eigenvalues(B const& b, A const& a, F f) {
  using T = value_t<B>;
  auto values = pair_values(b, a, f);
  std::ranges::sort(values, std::greater{});
  auto out = zeros<T>(values.size());
  std::ranges::transform(values, out.data(), [](double x) { return static_cast<T>(x); });
  return out;
}

template <class B, class A, class F>
auto pair_top(B const& b, A const& a, std::size_t k, F f) {
  using T = value_t<B>;
  auto const values = pair_values(b, a, f);
  auto const order = largest<double>(values, k);
  auto const p = b.size(), q = a.size();
  eigen_decomposition<T> pairs{zeros<T>(order.size()), zeros<T>(order.size(), p * q)};
  for (std::size_t r = 0; r < order.size(); ++r) {
    auto const row_b = order[r] / q, row_a = order[r] % q;
    pairs.values(r) = static_cast<T>(values[order[r]]);
    for (std::size_t i = 0; i < p; ++i)
      for (std::size_t j = 0; j < q; ++j)
        pairs.vectors(r, i * q + j) = b.basis().vectors(row_b, i) * basis_entry(a.basis().vectors, row_a, j);
  }
  return pairs;
}

/// Y = P X Qᵀ with P [p, p], X [p, q], Q [q, q]; or Pᵀ X Q when `transpose`. Q may be the natural basis.
template <real T>
void sandwich(bool transpose, matrix<T> const& p, std::span<T const> x, matrix<T> const& q, std::span<T> y) {
  auto const rows = p.shape(0), columns = q.shape(1);
  if (is_natural(q)) return lapack::gemm<T>(transpose, false, rows, columns, rows, 1, p.data(), x.data(), 0, y.data());
  std::vector<T> half(x.size());
  lapack::gemm<T>(false, !transpose, rows, columns, columns, 1, x.data(), q.data(), 0, half.data());
  lapack::gemm<T>(transpose, false, rows, columns, rows, 1, p.data(), half.data(), 0, y.data());
}

/// The diagonal of (P ⊗ Q)ᵀ diag(V) (P ⊗ Q), V [p, q]: (P∘P)ᵀ V (Q∘Q), in double. Q may be the natural basis.
template <real T, class Value>
void diagonal_in_bases(matrix<T> const& p, Value const* v, matrix<T> const& q, std::span<T> y) {
  auto const squares = [](matrix<T> const& m) {
    std::vector<double> s(m.size());
    std::transform(m.data(), m.data() + m.size(), s.data(), [](T x) { return double(x) * double(x); });
    return s;
  };
  auto const rows = p.shape(0), columns = q.shape(1);
  auto const b = squares(p), a = squares(q);
  std::vector<double> half(v, v + rows * columns), whole(rows * columns);
  if (!is_natural(q)) {
    auto const values = half;
    lapack::gemm<double>(false, false, rows, columns, columns, 1, values.data(), a.data(), 0, half.data());
  }
  lapack::gemm<double>(true, false, rows, columns, rows, 1, b.data(), half.data(), 0, whole.data());
  std::ranges::transform(whole, y.begin(), [](double x) { return static_cast<T>(x); });
}

/// (f(B, A) + λ I)⁻¹ in the product of the two eigenbases: the damping is exact.
template <class B, class A, class F>
class pair_factor {
  using T = value_t<B>;

 public:
  pair_factor(B b_, A a_, double shift, F f, char const* name)
      : b(std::move(b_)), a(std::move(a_)), values(pair_values(b, a, f)) {
    double smallest = values.empty() ? 1 : values.front() + shift, largest_magnitude = 0;
    for (auto& x : values) {
      x += shift;
      smallest = std::min(smallest, x);
      largest_magnitude = std::max(largest_magnitude, std::abs(x));
    }
    // With damping the eigenvalues are exact to ε(double); without, they are only as good as the factors' entries.
    auto const resolution =
        static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(std::max(a.size(), b.size()));
    auto const floor = shift > 0 ? 0.0 : resolution * largest_magnitude;
    if (!(smallest > floor)) throw_not_positive(name, smallest);
  }
  void solve(std::span<T const> x, std::span<T> y) const {
    std::vector<T> z(x.size());
    sandwich<T>(false, b.basis().vectors, x, a.basis().vectors, z);
    for (std::size_t i = 0; i < z.size(); ++i) z[i] = static_cast<T>(static_cast<double>(z[i]) / values[i]);
    sandwich<T>(true, b.basis().vectors, z, a.basis().vectors, y);
  }
  double log_det() const {
    double sum = 0;
    for (double x : values) sum += std::log(x);
    return sum;
  }
  void inverse_diagonal(std::span<T> y) const {
    auto inverse = values;
    for (double& v : inverse) v = 1 / v;
    diagonal_in_bases<T>(b.basis().vectors, inverse.data(), a.basis().vectors, y);
  }
  void inverse_root(std::span<T const> z, std::span<T> y) const {
    std::vector<T> w(z.size());
    for (std::size_t i = 0; i < z.size(); ++i) w[i] = static_cast<T>(static_cast<double>(z[i]) / std::sqrt(values[i]));
    sandwich<T>(true, b.basis().vectors, w, a.basis().vectors, y);
  }

 private:
  B b;
  A a;
  std::vector<double> values;
};

}  // namespace detail

/// B ⊗ A with B [out, out] and A [in, in], symmetric. apply 2 · out · in · (out + in); everything else from the two
/// eigendecompositions, made in double at first need and shared by all copies of the factors, so that solving for
/// many right-hand sides or many dampings decomposes once. Of a diagonal A only the diagonal is held, and everything
/// costs as with B alone, `in` times: apply 2 · out² · in.
template <real T>
class kronecker {
 public:
  using value_type = T;

  kronecker(symmetric<T> b_, symmetric<T> a_) : b(std::move(b_)), a(std::move(a_)) {}
  kronecker(symmetric<T> b_, diagonal_matrix<T> a_) : b(std::move(b_)), a(std::move(a_)) {}
  /// \throws as symmetric's constructor.
  kronecker(matrix<T> b_, matrix<T> a_) : b(std::move(b_)), a(symmetric<T>(std::move(a_))) {}

  std::size_t size() const { return b.size() * a.size(); }
  /// B, [out, out].
  symmetric<T> const& left() const { return b; }
  /// A, [in, in].
  kronecker_factor<T> const& right() const { return a; }

  void apply(std::span<T const> x, std::span<T> y) const {
    if (!a.is_diagonal()) return detail::sandwich<T>(false, b.entries(), x, a.entries(), y);
    std::vector<T> half(x.size());  // X A
    auto const d = a.diagonal_entries();
    for (std::size_t i = 0; i < x.size(); ++i) half[i] = x[i] * d[i % d.size()];
    lapack::gemm<T>(false, false, b.size(), d.size(), b.size(), 1, b.entries().data(), half.data(), 0, y.data());
  }
  double trace() const { return b.trace() * a.trace(); }
  void diagonal(std::span<T> y) const {
    std::vector<T> d(a.size());
    a.diagonal(d);
    for (std::size_t i = 0; i < b.size(); ++i)
      for (std::size_t j = 0; j < a.size(); ++j) y[i * a.size() + j] = b.entries()(i, i) * d[j];
  }
  double squared_norm() const { return b.squared_norm() * a.squared_norm(); }
  vector<T> eigenvalues() const { return detail::pair_eigenvalues(b, a, std::multiplies{}); }
  eigen_decomposition<T> top(std::size_t k) const { return detail::pair_top(b, a, k, std::multiplies{}); }
  auto factorise(double shift) const {
    return detail::pair_factor<symmetric<T>, kronecker_factor<T>, std::multiplies<>>(b, a, shift, {}, "kronecker");
  }

 private:
  symmetric<T> b;
  kronecker_factor<T> a;
};

/// A ⊕ B = A ⊗ I + I ⊗ B with A [p, p] and B [q, q], symmetric: vec(X) ↦ vec(A X + X Bᵀ), X [p, q]. Its eigenvalues
/// are all sums of one of A's and one of B's. Costs as kronecker.
template <real T>
class kronecker_sum {
 public:
  using value_type = T;

  /// \throws as symmetric's constructor.
  kronecker_sum(symmetric<T> a_, symmetric<T> b_) : a(std::move(a_)), b(std::move(b_)) {}
  kronecker_sum(matrix<T> a_, matrix<T> b_) : a(std::move(a_)), b(std::move(b_)) {}

  std::size_t size() const { return a.size() * b.size(); }
  symmetric<T> const& left() const { return a; }
  symmetric<T> const& right() const { return b; }

  void apply(std::span<T const> x, std::span<T> y) const {
    auto const p = a.size(), q = b.size();
    lapack::gemm<T>(false, false, p, q, p, 1, a.entries().data(), x.data(), 0, y.data());
    lapack::gemm<T>(false, true, p, q, q, 1, x.data(), b.entries().data(), 1, y.data());
  }
  double trace() const { return a.trace() * static_cast<double>(b.size()) + b.trace() * static_cast<double>(a.size()); }
  void diagonal(std::span<T> y) const {
    for (std::size_t i = 0; i < a.size(); ++i)
      for (std::size_t j = 0; j < b.size(); ++j) y[i * b.size() + j] = a.entries()(i, i) + b.entries()(j, j);
  }
  double squared_norm() const {
    return a.squared_norm() * static_cast<double>(b.size()) + b.squared_norm() * static_cast<double>(a.size()) +
           2 * a.trace() * b.trace();
  }
  vector<T> eigenvalues() const { return detail::pair_eigenvalues(a, b, std::plus{}); }
  eigen_decomposition<T> top(std::size_t k) const { return detail::pair_top(a, b, k, std::plus{}); }
  auto factorise(double shift) const {
    return detail::pair_factor<symmetric<T>, symmetric<T>, std::plus<>>(a, b, shift, {}, "kronecker_sum");
  }

 private:
  symmetric<T> a, b;
};

}  // namespace kappa::inline KAPPA_ARCH
