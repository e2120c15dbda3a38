#pragma once
/// \file
/// What a linear operator is, and the checks every structure shares.
///
/// A structure is a class with `value_type`, `size()` and `apply(x, y)`. Whatever else it can do well it offers
/// as further members, which the functions of operations.hpp look for:
///
///     trace()             double
///     diagonal(y)         writes the diagonal to the span y
///     squared_norm()      double, the square of the Frobenius norm
///     eigenvalues()       vector<T>, descending; zero eigenvalues may be left out
///     top(k)              eigen_decomposition<T>, the k largest
///     factorise(shift)    of the operator plus shift * identity: an object with solve(x, y) and log_det(), and where
///                         it is cheap inverse_diagonal(y), the diagonal of the inverse, and inverse_root(z, y),
///                         y = R z with R Rᵀ the inverse
///
/// Members take lengths for granted; the functions check them. Data is immutable and shared: copying an
/// operator copies handles, an expression stores its operands by value, and nothing dangles.

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include <kappa/arch.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/finite.hpp>

namespace kappa::inline KAPPA_ARCH {

/// A square linear map on vectors of `size()` scalars: apply writes y = A x; x and y do not overlap.
template <class Op>
concept linear_operator = real<typename Op::value_type> &&
    requires(Op const& op, std::span<typename Op::value_type const> x, std::span<typename Op::value_type> y) {
  { op.size() } -> std::convertible_to<std::size_t>;
  op.apply(x, y);
};

/// The scalar type of an operator.
template <class Op>
using value_t = typename std::remove_cvref_t<Op>::value_type;

namespace detail {

// Operators are symmetric unless they say `static constexpr bool is_symmetric = false`.
template <class Op>
constexpr bool symmetric_v = !requires {
  requires !Op::is_symmetric;
};

// Structures that are singular whatever their values say `static constexpr bool is_singular = true`.
template <class Op>
constexpr bool singular_v = requires {
  requires Op::is_singular;
};

template <class Op>
concept factorisable = requires(Op const& op, std::span<value_t<Op> const> x, std::span<value_t<Op>> y) {
  op.factorise(0.0).solve(x, y);
  { op.factorise(0.0).log_det() } -> std::convertible_to<double>;
};
template <class Op>
concept has_trace = requires(Op const& op) {
  op.trace();
};
template <class Op>
concept has_diagonal = requires(Op const& op, std::span<value_t<Op>> y) {
  op.diagonal(y);
};
template <class Op>
concept has_squared_norm = requires(Op const& op) {
  op.squared_norm();
};
template <class Op>
concept has_eigenvalues = requires(Op const& op) {
  op.eigenvalues();
};
template <class Op>
concept has_top = requires(Op const& op) {
  op.top(std::size_t{1});
};

// What an object made by factorise offers.
template <class F, class T>
concept has_inverse_diagonal = requires(F const& f, std::span<T> y) {
  f.inverse_diagonal(y);
};
template <class F, class T>
concept has_inverse_root = requires(F const& f, std::span<T const> z, std::span<T> y) {
  f.inverse_root(z, y);
};

inline std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", x);
  return text;
}

inline void require_length(char const* what, std::size_t expected, std::size_t actual) {
  if (expected != actual)
    throw shape_mismatch(std::string(what) + " has " + std::to_string(actual) + " elements, the operator takes " +
                         std::to_string(expected));
}

[[noreturn]] inline void throw_not_positive(char const* structure, double eigenvalue) {
  throw singular_matrix(std::string(structure) + " is not positive definite: its smallest eigenvalue is " +
                        number(eigenvalue) + "; more damping would help");
}

/// The dot product, accumulated in double, in eight sums that compilers can hold in vectors.
template <class T>
double dot(std::span<T const> x, std::span<T const> y) {
  constexpr std::size_t lanes = 8;
  double sums[lanes] = {};
  T const *const a = x.data(), *const b = y.data();
  std::size_t const whole = x.size() / lanes * lanes;
  for (std::size_t i = 0; i < whole; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l) sums[l] += static_cast<double>(a[i + l]) * static_cast<double>(b[i + l]);
  double sum = 0;
  for (std::size_t i = whole; i < x.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  for (double s : sums) sum += s;
  return sum;
}

/// A value made at first need, once, under a lock; when making it throws, the next one to ask tries again.
template <class V>
class lazy {
 public:
  template <class Make>
  V const& get(Make&& make) const {
    std::lock_guard const lock(mutex);
    if (!value) value.emplace(make());
    return *value;
  }

 private:
  mutable std::mutex mutex;
  mutable std::optional<V> value;
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
