#pragma once
/// \file
/// The language: c * A, A + B, A - B, A + λ * identity, A * B. Multiples of the identity are pulled outwards and
/// gathered, so that damping is always the outermost layer; explicit matrices add up to explicit matrices. An
/// expression stores its operands by value (they are handles) and nothing is computed until an operation asks.

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include <kappa/algebra/diagonal_matrix.hpp>
#include <kappa/algebra/identity.hpp>
#include <kappa/algebra/operator.hpp>
#include <kappa/algebra/symmetric.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// (s A)⁻¹ = A⁻¹ / s.
template <class T, class F>
class scaled_factor {
 public:
  scaled_factor(F f, double scale_, std::size_t size) : factor(std::move(f)), scale(scale_), n(size) {}
  void solve(std::span<T const> x, std::span<T> y) const {
    factor.solve(x, y);
    for (auto& value : y) value = static_cast<T>(static_cast<double>(value) / scale);
  }
  double log_det() const { return factor.log_det() + static_cast<double>(n) * std::log(scale); }
  void inverse_diagonal(std::span<T> y) const requires has_inverse_diagonal<F, T> {
    factor.inverse_diagonal(y);
    for (auto& value : y) value = static_cast<T>(static_cast<double>(value) / scale);
  }
  void inverse_root(std::span<T const> z, std::span<T> y) const requires has_inverse_root<F, T> {
    factor.inverse_root(z, y);
    for (auto& value : y) value = static_cast<T>(static_cast<double>(value) / std::sqrt(scale));
  }

 private:
  F factor;
  double scale;
  std::size_t n;
};

inline double positive_scale(double s) {
  if (!(s > 0)) throw singular_matrix("a solve through scale * operator takes a positive scale, came " + number(s));
  return s;
}

}  // namespace detail

/// s A. Everything costs as for A.
template <linear_operator Op>
class scaled {
 public:
  using value_type = value_t<Op>;
  using T = value_type;
  static constexpr bool is_singular = detail::singular_v<Op>;
  static constexpr bool is_symmetric = detail::symmetric_v<Op>;

  scaled(double scale, Op op) : s(scale), a(std::move(op)) {}

  std::size_t size() const { return a.size(); }
  double scale() const { return s; }
  Op const& operand() const { return a; }

  void apply(std::span<T const> x, std::span<T> y) const {
    a.apply(x, y);
    times(y);
  }
  double trace() const requires detail::has_trace<Op> { return s * a.trace(); }
  void diagonal(std::span<T> y) const requires detail::has_diagonal<Op> {
    a.diagonal(y);
    times(y);
  }
  double squared_norm() const requires detail::has_squared_norm<Op> { return s * s * a.squared_norm(); }
  vector<T> eigenvalues() const requires detail::has_eigenvalues<Op> {
    auto values = a.eigenvalues();
    times(elements(values));
    if (s < 0) std::ranges::reverse(elements(values));
    return values;
  }
  /// \throws invalid_value when the scale is negative: the largest of s A are the smallest of A.
  eigen_decomposition<T> top(std::size_t k) const requires detail::has_top<Op> {
    if (s < 0) throw invalid_value("the top eigenpairs of a negative multiple: ask lanczos for them");
    auto pairs = a.top(k);
    times(elements(pairs.values));
    return pairs;
  }
  auto factorise(double shift) const requires detail::factorisable<Op> {
    auto const scale = detail::positive_scale(s);
    return detail::scaled_factor<T, decltype(a.factorise(shift))>(a.factorise(shift / scale), scale, a.size());
  }

 private:
  void times(std::span<T> y) const {
    for (auto& value : y) value = static_cast<T>(static_cast<double>(value) * s);
  }
  double s;
  Op a;
};

/// A + λ I. The structure of A picks the algorithm: Woodbury for low_rank, the eigenbases for kronecker, Cholesky for
/// symmetric; block_diagonal passes λ on to its blocks.
template <linear_operator Op>
class damped {
 public:
  using value_type = value_t<Op>;
  using T = value_type;
  static constexpr bool is_symmetric = detail::symmetric_v<Op>;

  damped(Op op, double damping) : a(std::move(op)), lambda(damping) {
    if (!std::isfinite(damping)) throw invalid_value("the damping is " + detail::number(damping));
  }

  std::size_t size() const { return a.size(); }
  double damping() const { return lambda; }
  Op const& operand() const { return a; }

  void apply(std::span<T const> x, std::span<T> y) const {
    a.apply(x, y);
    for (std::size_t i = 0; i < x.size(); ++i)
      y[i] = static_cast<T>(static_cast<double>(y[i]) + lambda * static_cast<double>(x[i]));
  }
  double trace() const requires detail::has_trace<Op> { return a.trace() + lambda * static_cast<double>(size()); }
  void diagonal(std::span<T> y) const requires detail::has_diagonal<Op> {
    a.diagonal(y);
    plus(y);
  }
  double squared_norm() const requires(detail::has_squared_norm<Op>&& detail::has_trace<Op>) {
    return a.squared_norm() + 2 * lambda * a.trace() + lambda * lambda * static_cast<double>(size());
  }
  /// All n of them: eigenvalues that A left out are zero, and λ here.
  vector<T> eigenvalues() const requires detail::has_eigenvalues<Op> {
    auto const inner = a.eigenvalues();
    auto values = zeros<T>(size());
    std::ranges::copy(elements(inner), values.data());
    std::ranges::sort(elements(values), std::greater{});
    plus(elements(values));
    return values;
  }
  eigen_decomposition<T> top(std::size_t k) const requires detail::has_top<Op> {
    auto pairs = a.top(k);
    plus(elements(pairs.values));
    return pairs;
  }
  auto factorise(double shift) const requires detail::factorisable<Op> { return a.factorise(lambda + shift); }

 private:
  void plus(std::span<T> y) const {
    for (auto& value : y) value = static_cast<T>(static_cast<double>(value) + lambda);
  }
  Op a;
  double lambda;
};

/// A + B of any two structures. Direct solves and eigenvalues are not known for it; conjugate_gradients and lanczos
/// take it as it is.
template <linear_operator A, linear_operator B>
class operator_sum {
 public:
  using value_type = value_t<A>;
  using T = value_type;
  static_assert(std::is_same_v<value_t<A>, value_t<B>>, "A + B: one is float, the other double");
  static constexpr bool is_symmetric = detail::symmetric_v<A> && detail::symmetric_v<B>;

  /// \throws shape_mismatch when the sizes differ.
  operator_sum(A left, B right) : a(std::move(left)), b(std::move(right)) {
    detail::require_length("the right operand of +", a.size(), b.size());
  }
  std::size_t size() const { return a.size(); }
  void apply(std::span<T const> x, std::span<T> y) const {
    std::vector<T> other(x.size());
    a.apply(x, y);
    b.apply(x, std::span<T>(other));
    for (std::size_t i = 0; i < x.size(); ++i) y[i] += other[i];
  }
  double trace() const requires(detail::has_trace<A>&& detail::has_trace<B>) { return a.trace() + b.trace(); }
  void diagonal(std::span<T> y) const requires(detail::has_diagonal<A>&& detail::has_diagonal<B>) {
    std::vector<T> other(size());
    a.diagonal(y);
    b.diagonal(std::span<T>(other));
    for (std::size_t i = 0; i < other.size(); ++i) y[i] += other[i];
  }

 private:
  A a;
  B b;
};

/// A B: x ↦ A (B x). Not symmetric in general, so it knows apply and to_dense only.
template <linear_operator A, linear_operator B>
class operator_product {
 public:
  using value_type = value_t<A>;
  using T = value_type;
  static_assert(std::is_same_v<value_t<A>, value_t<B>>, "A * B: one is float, the other double");
  static constexpr bool is_symmetric = false;

  /// \throws shape_mismatch when the sizes differ.
  operator_product(A left, B right) : a(std::move(left)), b(std::move(right)) {
    detail::require_length("the right operand of *", a.size(), b.size());
  }
  std::size_t size() const { return a.size(); }
  void apply(std::span<T const> x, std::span<T> y) const {
    std::vector<T> middle(x.size());
    b.apply(x, std::span<T>(middle));
    a.apply(std::span<T const>(middle), y);
  }

 private:
  A a;
  B b;
};

namespace detail {

template <class Op>
constexpr bool is_damped = false;
template <class Op>
constexpr bool is_damped<damped<Op>> = true;
template <class Op>
constexpr bool is_scaled = false;
template <class Op>
constexpr bool is_scaled<scaled<Op>> = true;

template <real T>
matrix<T> sum_of_entries(matrix<T> a, matrix<T> const& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a.data()[i] += b.data()[i];
  return a;
}
template <real T>
symmetric<T> add_diagonal(symmetric<T> const& a, diagonal_matrix<T> const& d) {
  require_length("the diagonal operand of +", a.size(), d.size());
  auto m = a.entries();
  for (std::size_t i = 0; i < d.size(); ++i) m(i, i) += d.values()[i];
  return symmetric<T>(std::move(m));
}

// What A + B becomes when neither carries damping: the most explicit structure that can hold it.
template <class A, class B>
auto add(A a, B b) {
  return operator_sum<A, B>(std::move(a), std::move(b));
}
template <real T>
auto add(symmetric<T> const& a, symmetric<T> const& b) {
  require_length("the right operand of +", a.size(), b.size());
  return symmetric<T>(sum_of_entries(a.entries(), b.entries()));
}
template <real T>
auto add(symmetric<T> const& a, diagonal_matrix<T> const& b) {
  return add_diagonal(a, b);
}
template <real T>
auto add(diagonal_matrix<T> const& a, symmetric<T> const& b) {
  return add_diagonal(b, a);
}
template <real T>
auto add(diagonal_matrix<T> const& a, diagonal_matrix<T> const& b) {
  require_length("the right operand of +", a.size(), b.size());
  auto d = zeros<T>(a.size());
  for (std::size_t i = 0; i < d.size(); ++i) d(i) = a.values()[i] + b.values()[i];
  return diagonal_matrix<T>(std::move(d));
}

}  // namespace detail

/// A + λ I.
template <linear_operator Op>
auto operator+(Op op, scaled_identity i) {
  if constexpr (detail::is_damped<Op>)
    return Op(op.operand(), op.damping() + i.value);
  else
    return damped<Op>(std::move(op), i.value);
}
template <linear_operator Op>
auto operator+(scaled_identity i, Op op) {
  return std::move(op) + i;
}
template <linear_operator Op>
auto operator-(Op op, scaled_identity i) {
  return std::move(op) + -i;
}

/// A + B. \throws shape_mismatch when the sizes differ.
template <linear_operator A, linear_operator B>
auto operator+(A a, B b) {
  if constexpr (detail::is_damped<A>)
    return (a.operand() + std::move(b)) + a.damping() * identity;
  else if constexpr (detail::is_damped<B>)
    return (std::move(a) + b.operand()) + b.damping() * identity;
  else
    return detail::add(std::move(a), std::move(b));
}

/// c A.
template <class S, linear_operator Op>
requires std::is_arithmetic_v<S>
auto operator*(S scale, Op op) {
  auto const s = static_cast<double>(scale);
  if constexpr (detail::is_damped<Op>)
    return s * op.operand() + (s * op.damping()) * identity;
  else if constexpr (detail::is_scaled<Op>)
    return Op(s * op.scale(), op.operand());
  else
    return scaled<Op>(s, std::move(op));
}
template <class S, linear_operator Op>
requires std::is_arithmetic_v<S>
auto operator*(Op op, S scale) { return scale * std::move(op); }
template <linear_operator Op>
auto operator-(Op op) {
  return -1.0 * std::move(op);
}
template <linear_operator A, linear_operator B>
auto operator-(A a, B b) {
  return std::move(a) + -std::move(b);
}

/// A B, the composition. \throws shape_mismatch when the sizes differ.
template <linear_operator A, linear_operator B>
auto operator*(A a, B b) {
  return operator_product<A, B>(std::move(a), std::move(b));
}

}  // namespace kappa::inline KAPPA_ARCH
