#pragma once
/// \file
/// What can be asked of an operator. Each function looks for what the structure offers and is a single compile error,
/// a sentence, where the structure cannot answer. Lengths and finiteness are checked here; nothing is written before
/// everything that can throw has succeeded.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/diagonal_matrix.hpp>
#include <kappa/algebra/expressions.hpp>
#include <kappa/algebra/identity.hpp>
#include <kappa/algebra/kronecker.hpp>
#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/operator.hpp>
#include <kappa/algebra/symmetric.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {

// ---- products ------------------------------------------------------------------------------------------------------

/// out = A x. \throws shape_mismatch when a length is not A's.
template <linear_operator Op>
void apply(Op const& op, std::span<value_t<Op> const> x, std::span<value_t<Op>> out) {
  detail::require_length("x", op.size(), x.size());
  detail::require_length("out", op.size(), out.size());
  op.apply(x, out);
}

/// A x. \throws shape_mismatch when the length is not A's.
// The forwarding references make this as good a match as std::apply, which argument-dependent lookup may find.
template <class Op, class X>
requires linear_operator<std::remove_cvref_t<Op>> vector<value_t<Op>> apply(Op&& op, X&& x) {
  auto y = zeros<value_t<Op>>(op.size());
  kappa::apply(op, std::span<value_t<Op> const>(x), elements(y));
  return y;
}

/// A as a matrix, by n products with unit vectors (a copy for a dense matrix). For small n and for tests.
template <linear_operator Op>
matrix<value_t<Op>> to_dense(Op const& op) {
  using T = value_t<Op>;
  if constexpr (std::is_same_v<Op, symmetric<T>>) {
    return op.entries();
  } else {
    auto const n = static_cast<std::size_t>(op.size());
    auto m = zeros<T>(n, n);
    auto unit = zeros<T>(n), column = zeros<T>(n);
    for (std::size_t j = 0; j < n; ++j) {
      unit(j) = T(1);
      op.apply(std::span<T const>(elements(unit)), elements(column));
      unit(j) = T(0);
      for (std::size_t i = 0; i < n; ++i) m(i, j) = column(i);
    }
    return m;
  }
}

// ---- scalars and the diagonal --------------------------------------------------------------------------------------

/// The trace, in double. Exact; for a matrix_free operator see hutchinson_trace in spectrum/.
template <linear_operator Op>
double trace(Op const& op) {
  constexpr bool known = detail::has_trace<Op>;
  static_assert(known, "trace: this structure is known by its products only: estimate it with hutchinson_trace");
  if constexpr (known)
    return op.trace();
  else
    return 0;
}

/// The diagonal, [n].
template <linear_operator Op>
vector<value_t<Op>> diagonal(Op const& op) {
  constexpr bool known = detail::has_diagonal<Op>;
  static_assert(known, "diagonal: this structure does not know its diagonal: take it from to_dense");
  auto d = zeros<value_t<Op>>(op.size());
  if constexpr (known) op.diagonal(elements(d));
  return d;
}

/// ‖A‖_F, in double.
template <linear_operator Op>
double frobenius_norm(Op const& op) {
  constexpr bool known = detail::has_squared_norm<Op>;
  static_assert(known, "frobenius_norm: no formula for this structure: take it from to_dense");
  if constexpr (known)
    return std::sqrt(std::max(0.0, op.squared_norm()));
  else
    return 0;
}

// ---- solving -------------------------------------------------------------------------------------------------------

/// A factorised operator: solves and the log-determinant without factorising again.
template <linear_operator Op>
class factorisation {
 public:
  using T = value_t<Op>;
  /// \throws singular_matrix when `op` is not positive definite; invalid_value when it holds a NaN.
  explicit factorisation(Op const& op) : n(op.size()), factor(op.factorise(0.0)) {}

  std::size_t size() const { return n; }
  /// out = A⁻¹ g; `out` may be `g`. \throws shape_mismatch; invalid_value when g is not finite. `out` is then
  /// untouched.
  void solve(std::span<T const> g, std::span<T> out) const {
    detail::require_length("g", n, g.size());
    detail::require_length("out", n, out.size());
    check_finite<T>("g", g);
    if (g.data() == out.data()) {
      auto x = zeros<T>(n);
      factor.solve(g, elements(x));
      std::ranges::copy(elements(x), out.begin());
    } else {
      factor.solve(g, out);
    }
  }
  /// A⁻¹ g.
  vector<T> solve(std::span<T const> g) const {
    auto x = zeros<T>(n);
    solve(g, elements(x));
    return x;
  }
  double log_det() const { return factor.log_det(); }

 private:
  std::size_t n;
  decltype(std::declval<Op const&>().factorise(0.0)) factor;
};

namespace detail {
// One sentence at most, whichever operation asked.
template <class Op>
constexpr bool require_factorisable() {
  static_assert(!singular_v<Op>, "low_rank is singular: add damping * identity");
  static_assert(singular_v<Op> || factorisable<Op>,
                "no direct solve for this structure: ask by name, solve(op, g, conjugate_gradients{})");
  return !singular_v<Op> && factorisable<Op>;
}
struct no_factorisation {};
}  // namespace detail

/// The factorisation its structure calls for: Cholesky for symmetric, Woodbury for low_rank + λ I, the eigenbases for
/// kronecker (+ λ I), block by block for block_diagonal. Positive definite operators only.
/// \throws singular_matrix naming the pivot or the eigenvalue.
template <linear_operator Op>
auto factorise(Op const& op) {
  if constexpr (detail::require_factorisable<Op>())
    return factorisation<Op>(op);
  else
    return detail::no_factorisation{};
}

/// A⁻¹ g by the structure's own factorisation, for positive definite A.
/// \throws shape_mismatch when the length is not A's; invalid_value when g is not finite; singular_matrix.
template <linear_operator Op>
vector<value_t<Op>> solve(Op const& op, std::span<value_t<Op> const> g) {
  if constexpr (detail::require_factorisable<Op>()) {
    detail::require_length("g", op.size(), g.size());
    check_finite<value_t<Op>>("g", g);
    return factorisation<Op>(op).solve(g);
  } else {
    return {};
  }
}

/// log det A for positive definite A, in double. \throws singular_matrix.
template <linear_operator Op>
double log_det(Op const& op) {
  if constexpr (detail::require_factorisable<Op>())
    return op.factorise(0.0).log_det();
  else
    return 0;
}

// ---- spectra -------------------------------------------------------------------------------------------------------

/// The eigenvalues in descending order. Complete, but for low_rank, embedded, and what is built of them without
/// damping: there some or all of the zero eigenvalues are left out (low_rank gives min(n, columns) of n).
/// \throws not_converged when LAPACK gives up.
template <linear_operator Op>
vector<value_t<Op>> eigenvalues(Op const& op) {
  constexpr bool known = detail::has_eigenvalues<Op>;
  static_assert(known, "eigenvalues: no formula for this structure: ask lanczos for some of them");
  if constexpr (known)
    return op.eigenvalues();
  else
    return {};
}

/// Some eigenvalues, descending, the unit eigenvectors as rows [k, n], and ‖A v - λ v‖ for each: some eigenvalue
/// of A lies within that distance of λ.
template <real T>
struct eigenpairs {
  vector<T> values;
  matrix<T> vectors;
  vector<T> residuals;
};

namespace detail {
/// Attaches the residuals, one product each.
template <linear_operator Op>
eigenpairs<value_t<Op>> certified(Op const& op, eigen_decomposition<value_t<Op>> pairs) {
  using T = value_t<Op>;
  auto const n = static_cast<std::size_t>(op.size());
  auto residuals = zeros<T>(pairs.values.size()), image = zeros<T>(n);
  for (std::size_t r = 0; r < residuals.size(); ++r) {
    std::span<T const> const v{pairs.vectors.data() + r * n, n};
    op.apply(v, elements(image));
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      auto const d = static_cast<double>(image(i)) - static_cast<double>(pairs.values(r)) * static_cast<double>(v[i]);
      sum += d * d;
    }
    residuals(r) = static_cast<T>(std::sqrt(sum));
  }
  return {std::move(pairs.values), std::move(pairs.vectors), std::move(residuals)};
}
}  // namespace detail

/// The k largest eigenvalues and their eigenvectors, through the structure: from the Gram for low_rank, from the
/// factors' eigenbases for kronecker.
/// \throws invalid_value when the operator has fewer than k (low_rank: fewer than k non-zero ones).
template <linear_operator Op>
eigenpairs<value_t<Op>> top_eigenpairs(Op const& op, std::size_t k) {
  constexpr bool known = detail::has_top<Op>;
  static_assert(known, "top_eigenpairs: no formula for this structure: ask by name, top_eigenpairs(op, k, lanczos{})");
  if constexpr (known) {
    auto const enough = [&](std::size_t found) {
      if (found < k)
        throw invalid_value(std::to_string(k) + " top eigenpairs were asked for, the operator has " +
                            std::to_string(found));
    };
    if constexpr (requires { op.certified_top(k); }) {  // knows its residuals without products
      auto pairs = op.certified_top(k);
      enough(pairs.values.size());
      return {std::move(pairs.values), std::move(pairs.vectors), std::move(pairs.residuals)};
    } else {
      auto pairs = op.top(k);
      enough(pairs.values.size());
      return detail::certified(op, std::move(pairs));
    }
  } else {
    return {};
  }
}

namespace detail {
/// How many of the eigenvalues count as non-zero, and the extreme magnitudes among those.
struct nonzero_range {
  std::size_t count = 0;
  double largest = 0, smallest = 0;
};
template <class T>
nonzero_range nonzero(std::span<T const> values, double threshold) {
  nonzero_range range;
  for (auto x : values) range.largest = std::max(range.largest, std::abs(static_cast<double>(x)));
  if (threshold < 0)
    threshold = static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(values.size());
  range.smallest = range.largest;
  for (auto x : values) {
    auto const magnitude = std::abs(static_cast<double>(x));
    if (!(magnitude > threshold * range.largest)) continue;
    ++range.count;
    range.smallest = std::min(range.smallest, magnitude);
  }
  return range;
}
template <class Op>
constexpr bool is_kronecker = false;
template <class T>
constexpr bool is_kronecker<kronecker<T>> = true;
}  // namespace detail

/// The number of eigenvalues whose magnitude exceeds `relative_threshold` times the largest; by default ε times the
/// number of eigenvalues. For kronecker the product of the factors' ranks.
template <linear_operator Op>
std::size_t rank(Op const& op, double relative_threshold = -1) {
  if constexpr (detail::is_kronecker<Op>) {
    return kappa::rank(op.left(), relative_threshold) * kappa::rank(op.right(), relative_threshold);
  } else {
    auto const values = kappa::eigenvalues(op);
    return detail::nonzero<value_t<Op>>(elements(values), relative_threshold).count;
  }
}

/// The pseudo-condition number: the largest over the smallest magnitude of the eigenvalues that `rank` counts. For
/// kronecker κ(B) κ(A), thresholds taken factor by factor.
/// \throws singular_matrix when every eigenvalue is zero.
template <linear_operator Op>
double condition_number(Op const& op, double relative_threshold = -1) {
  if constexpr (detail::is_kronecker<Op>) {
    return kappa::condition_number(op.left(), relative_threshold) *
           kappa::condition_number(op.right(), relative_threshold);
  } else if constexpr (detail::is_scaled<Op>) {
    if (op.scale() == 0) throw singular_matrix("condition_number: every eigenvalue is zero");
    return kappa::condition_number(op.operand(), relative_threshold);
  } else {
    auto const values = kappa::eigenvalues(op);
    auto const range = detail::nonzero<value_t<Op>>(elements(values), relative_threshold);
    if (range.count == 0) throw singular_matrix("condition_number: every eigenvalue is zero");
    return range.largest / range.smallest;
  }
}

// ---- the inverse as an operator ------------------------------------------------------------------------------------

/// A⁻¹, factorised once. Its product is a solve with A.
template <linear_operator Op>
class inverse_operator {
  using factor_type = decltype(std::declval<Op const&>().factorise(0.0));

 public:
  using value_type = value_t<Op>;
  using T = value_type;
  explicit inverse_operator(Op op) : a(std::move(op)), factor(std::make_shared<factor_type const>(a.factorise(0.0))) {}

  std::size_t size() const { return a.size(); }
  Op const& inverted() const { return a; }
  void apply(std::span<T const> x, std::span<T> y) const { factor->solve(x, y); }
  vector<T> eigenvalues() const requires detail::has_eigenvalues<Op> {
    auto values = a.eigenvalues();
    for (auto& x : elements(values)) x = 1 / x;
    std::ranges::reverse(elements(values));
    return values;
  }
  void diagonal(std::span<T> y) const requires detail::has_inverse_diagonal<factor_type, T> {
    factor->inverse_diagonal(y);
  }
  double trace() const requires detail::has_inverse_diagonal<factor_type, T> {
    std::vector<T> d(size());
    factor->inverse_diagonal(std::span<T>(d));
    double sum = 0;
    for (T v : d) sum += static_cast<double>(v);
    return sum;
  }
  /// y = R z with R Rᵀ = A⁻¹.
  void root(std::span<T const> z, std::span<T> y) const requires detail::has_inverse_root<factor_type, T> {
    factor->inverse_root(z, y);
  }

 private:
  Op a;
  std::shared_ptr<factor_type const> factor;
};

/// A⁻¹ as an operator, for positive definite A: a preconditioner, or a posterior covariance.
/// \throws singular_matrix.
template <linear_operator Op>
auto inverse(Op op) {
  if constexpr (detail::require_factorisable<Op>())
    return inverse_operator<Op>(std::move(op));
  else
    return detail::no_factorisation{};
}

/// (A⁻¹)⁻¹ g is A g, and log det A⁻¹ = -log det A.
template <linear_operator Op>
vector<value_t<Op>> solve(inverse_operator<Op> const& op, std::span<value_t<Op> const> g) {
  return kappa::apply(op.inverted(), g);
}
template <linear_operator Op>
double log_det(inverse_operator<Op> const& op) {
  return -kappa::log_det(op.inverted());
}

// ---- draws ---------------------------------------------------------------------------------------------------------

/// A draw from N(0, C) for a covariance C = R Rᵀ whose root the structure knows: `sample(inverse(K + λ * identity),
/// seed)` draws from a Laplace posterior. It depends on the seed and the index alone; the same ones give the same
/// draw. Costs a product with R: as much as a solve for kronecker, kronecker_eigenbasis, symmetric and diagonal_matrix,
/// damped or not, and for blocks of them.
template <linear_operator Op>
vector<value_t<Op>> sample(Op const& covariance, std::uint64_t seed, std::uint64_t index = 0) {
  using T = value_t<Op>;
  constexpr bool known = requires(std::span<T const> z, std::span<T> y) { covariance.root(z, y); };
  static_assert(known,
                "sample: no root of this covariance is known: take the inverse of a precision with a direct "
                "solve, sample(inverse(kfac + damping * identity), seed)");
  auto z = zeros<T>(covariance.size()), draw = zeros<T>(covariance.size());
  if constexpr (known) {
    counter_random random(seed, index);
    for (T& v : elements(z)) v = static_cast<T>(random.normal());
    covariance.root(std::span<T const>(elements(z)), elements(draw));
  }
  return draw;
}

}  // namespace kappa::inline KAPPA_ARCH
