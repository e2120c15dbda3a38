#pragma once
/// \file
/// The Lanczos process with full reorthogonalisation, and extreme eigenpairs of any symmetric operator by it.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/operations.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The method and its settings: top_eigenpairs(op, k, lanczos{.tolerance = 1e-8, .seed = 1}).
struct lanczos {
  /// A pair (λ, v) has converged when ‖A v - λ v‖ ≤ tolerance · the largest magnitude of a Ritz value. The error of an
  /// isolated eigenvalue is of the order of its square.
  double tolerance = 1e-5;
  /// Products with A at most, and vectors kept; 0 stands for 10 k + 300. Never more than n.
  std::size_t max_steps = 0;
  /// Of the first vector.
  std::uint64_t seed = 0;
};

namespace detail {

/// A unit vector in a direction drawn uniformly, from (seed, index).
template <real T>
std::vector<T> random_direction(std::size_t n, std::uint64_t seed, std::uint64_t index) {
  counter_random random(seed, index);
  std::vector<T> v(n);
  for (auto& x : v) x = static_cast<T>(random.normal());
  auto const norm = std::sqrt(dot<T>(v, v));
  for (auto& x : v) x = static_cast<T>(static_cast<double>(x) / norm);
  return v;
}

/// A V = V T + β v eᵀ: an orthonormal basis, grown one product at a time, of a Krylov space. Orthogonalised against
/// all earlier vectors twice ("twice is enough", Parlett 1980). All thresholds are relative to the operator's norm.
template <linear_operator Op>
class krylov_space {
 public:
  using T = value_t<Op>;
  krylov_space(Op const& op, std::vector<T> first) : a(op), n(op.size()), next(std::move(first)) {}

  std::size_t steps() const { return alpha.size(); }
  /// The norm of what the next vector would be before normalisation; 0 when the space is invariant.
  double remainder() const { return beta; }

  /// One product.
  void step() {
    basis.insert(basis.end(), next.begin(), next.end());
    if (!alpha.empty()) off_diagonal.push_back(beta);
    std::span<T const> const v{basis.data() + steps() * n, n};
    auto const previous_beta = beta;
    a.apply(v, std::span<T>(next));
    auto const diagonal = dot<T>(v, next);
    if (!std::isfinite(diagonal)) throw invalid_value("lanczos: a product with the operator is not finite");
    alpha.push_back(diagonal);
    orthogonalise(), orthogonalise();
    beta = std::sqrt(dot<T>(next, next));
    norm = std::max(norm, std::abs(diagonal) + previous_beta + beta);
    if (beta <= 64 * static_cast<double>(std::numeric_limits<T>::epsilon()) * norm)
      beta = 0;
    else
      for (auto& x : next) x = static_cast<T>(static_cast<double>(x) / beta);
  }
  /// After an invariant space: goes on with a fresh direction, orthogonal to the basis.
  void restart(std::uint64_t seed) {
    next = random_direction<T>(n, seed, steps());
    orthogonalise(), orthogonalise();
    auto const length = std::sqrt(dot<T>(next, next));
    for (auto& x : next) x = static_cast<T>(static_cast<double>(x) / length);
  }
  /// The eigendecomposition of T, in double.
  eigen_decomposition<double> ritz() const {
    auto d = zeros<double>(steps()), e = zeros<double>(off_diagonal.size());
    std::ranges::copy(alpha, d.data());
    std::ranges::copy(off_diagonal, e.data());
    return lapack::tridiagonal_eigen(std::move(d), std::move(e));
  }
  /// Σ y_j v_j, to unit length.
  void combine(double const* y, std::span<T> v) const {
    std::vector<T> weights(steps());
    std::transform(y, y + steps(), weights.begin(), [](double x) { return static_cast<T>(x); });
    lapack::gemv(true, steps(), n, basis.data(), weights.data(), v.data());
    auto const length = std::sqrt(dot<T>(v, v));
    for (auto& x : v) x = static_cast<T>(static_cast<double>(x) / length);
  }

 private:
  void orthogonalise() {
    auto const kept = basis.size() / n;
    std::vector<T> c(kept), part(n);
    lapack::gemv(false, kept, n, basis.data(), next.data(), c.data());
    lapack::gemv(true, kept, n, basis.data(), c.data(), part.data());
    for (std::size_t i = 0; i < n; ++i) next[i] -= part[i];
  }

  Op const& a;
  std::size_t n;
  std::vector<T> next, basis;
  std::vector<double> alpha, off_diagonal;
  double beta = 0, norm = 0;
};

template <linear_operator Op>
eigenpairs<value_t<Op>> extreme_eigenpairs(Op const& op, std::size_t k, lanczos const& method, bool top) {
  using T = value_t<Op>;
  static_assert(symmetric_v<Op>, "lanczos takes symmetric operators: a product is not");
  auto const n = static_cast<std::size_t>(op.size());
  if (k > n)
    throw invalid_value(std::to_string(k) + " eigenpairs were asked for, the operator has " + std::to_string(n));
  auto const most = std::min(n, method.max_steps ? std::max(method.max_steps, k) : 10 * k + 300);
  krylov_space<Op> space(op, random_direction<T>(n, method.seed, 0));
  eigen_decomposition<T> pairs{zeros<T>(k), zeros<T>(k, n)};
  if (k == 0) return certified(op, std::move(pairs));
  for (;;) {
    space.step();
    auto const m = space.steps();
    auto const last = m == most;
    if (last || (m >= k && (m - k) % 8 == 0)) {
      auto const ritz = space.ritz();
      auto const scale = std::max(std::abs(ritz.values(0)), std::abs(ritz.values(m - 1)));
      double worst = 0;
      for (std::size_t r = 0; r < k; ++r)
        worst = std::max(worst, space.remainder() * std::abs(ritz.vectors(top ? r : m - 1 - r, m - 1)));
      // An invariant space that is not yet everything may hide further copies of an eigenvalue: go on.
      auto const complete = m == n || (space.remainder() > 0 && worst <= method.tolerance * scale);
      if (complete || (last && worst <= method.tolerance * scale)) {
        for (std::size_t r = 0; r < k; ++r) {
          auto const row = top ? r : m - 1 - r;
          pairs.values(r) = static_cast<T>(ritz.values(row));
          space.combine(ritz.vectors.data() + row * m, std::span<T>{pairs.vectors.data() + r * n, n});
        }
        return certified(op, std::move(pairs));
      }
      if (last)
        throw not_converged("lanczos: after " + std::to_string(m) + " steps the largest relative residual of " +
                            std::to_string(k) + " eigenpairs is " + number(worst / scale) + ", the tolerance " +
                            number(method.tolerance));
    }
    if (space.remainder() == 0) space.restart(method.seed);
  }
}

}  // namespace detail

/// The k largest eigenvalues, descending, with unit eigenvectors (rows, [k, n]) and true residuals, of any symmetric
/// operator. m steps cost m products and 4 n m² flops for the orthogonality, and keep m vectors. Copies of a
/// multiple eigenvalue come only by way of rounding or of an exhausted Krylov space, so some may be missing.
/// \throws invalid_value when k > n or a product is not finite; not_converged with the residual reached.
template <linear_operator Op>
eigenpairs<value_t<Op>> top_eigenpairs(Op const& op, std::size_t k, lanczos const& method) {
  return detail::extreme_eigenpairs(op, k, method, true);
}

/// The k smallest eigenvalues, ascending; otherwise as top_eigenpairs.
template <linear_operator Op>
eigenpairs<value_t<Op>> bottom_eigenpairs(Op const& op, std::size_t k, lanczos const& method = {}) {
  return detail::extreme_eigenpairs(op, k, method, false);
}

}  // namespace kappa::inline KAPPA_ARCH
