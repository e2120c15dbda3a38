#pragma once
/// \file
/// The smallest eigenpairs of a symmetric positive definite operator by Davidson's method with a preconditioner: where
/// Lanczos needs about √κ products for the small end, this needs as many as the preconditioner leaves to do.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/spectrum/lanczos.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The method and its settings (Davidson 1975; with restarts as in Stathopoulos, Saad and Wu 1998).
struct davidson {
  /// A pair (λ, v) has converged when ‖A v - λ v‖ <= tolerance · λ, or the residual has come down to rounding,
  /// 16 √n ε ‖A‖. The error of an isolated eigenvalue is of the order of the residual's square.
  double tolerance = 1e-6;
  /// Products with A at most.
  std::size_t max_products = 500;
  /// Vectors kept before a restart from the best quarter.
  std::size_t basis = 48;
  /// Of the random vector every search starts with, besides those given.
  std::uint64_t seed = 0;
};

namespace detail {

/// V and A V with orthonormal rows, and the projected matrix V A Vᵀ.
template <linear_operator Op>
class search_space {
 public:
  using T = value_t<Op>;
  explicit search_space(Op const& op) : a(op), n(op.size()) {}

  std::size_t size() const { return rows; }
  std::size_t products() const { return spent; }

  /// Orthogonalises against the space, twice, and adds what is left; false when nothing is.
  bool add(std::vector<T> v) {
    double const before = std::sqrt(dot<T>(v, v));
    if (!std::isfinite(before)) throw invalid_value("davidson: a vector of the search is not finite");
    for (int pass = 0; pass < 2; ++pass) {
      std::vector<T> c(rows), part(n);
      lapack::gemv(false, rows, n, basis.data(), v.data(), c.data());
      lapack::gemv(true, rows, n, basis.data(), c.data(), part.data());
      for (std::size_t i = 0; i < n; ++i) v[i] -= part[i];
    }
    double const length = std::sqrt(dot<T>(v, v));
    if (!(length > 64 * static_cast<double>(std::numeric_limits<T>::epsilon()) * before)) return false;
    for (T& x : v) x = static_cast<T>(static_cast<double>(x) / length);
    basis.insert(basis.end(), v.begin(), v.end());
    images.resize(images.size() + n);
    a.apply(std::span<T const>(basis).subspan(rows * n, n), std::span<T>(images).subspan(rows * n, n));
    ++rows, ++spent;
    projected.emplace_back();
    for (std::size_t j = 0; j < rows; ++j) projected.back().push_back(dot<T>(row(basis, j), row(images, rows - 1)));
    return true;
  }
  /// The eigendecomposition of the projected matrix, descending.
  eigen_decomposition<double> ritz() const {
    auto h = zeros<double>(rows, rows);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j <= i; ++j) h(i, j) = h(j, i) = projected[i][j];
    return lapack::symmetric_eigen(std::move(h));
  }
  /// Σ y_j v_j and Σ y_j A v_j.
  std::pair<std::vector<T>, std::vector<T>> combine(double const* y) const {
    std::vector<T> weights(rows), v(n), image(n);
    std::transform(y, y + rows, weights.begin(), [](double x) { return static_cast<T>(x); });
    lapack::gemv(true, rows, n, basis.data(), weights.data(), v.data());
    lapack::gemv(true, rows, n, images.data(), weights.data(), image.data());
    return {std::move(v), std::move(image)};
  }
  /// Keeps the span of the last `count` Ritz vectors only.
  void restart(eigen_decomposition<double> const& e, std::size_t count) {
    std::vector<T> new_basis, new_images;
    for (std::size_t r = rows - count; r < rows; ++r) {
      auto const [v, image] = combine(e.vectors.data() + r * rows);
      new_basis.insert(new_basis.end(), v.begin(), v.end());
      new_images.insert(new_images.end(), image.begin(), image.end());
    }
    basis = std::move(new_basis), images = std::move(new_images);
    projected.assign(count, {});
    for (std::size_t i = 0; i < count; ++i) {
      projected[i].assign(i + 1, 0);
      projected[i][i] = e.values(rows - count + i);
    }
    rows = count;
  }

 private:
  std::span<T const> row(std::vector<T> const& m, std::size_t i) const { return {m.data() + i * n, n}; }

  Op const& a;
  std::size_t n, rows = 0, spent = 0;
  std::vector<T> basis, images;
  std::vector<std::vector<double>> projected;  // the lower triangle of V A Vᵀ
};

}  // namespace detail

/// Eigenpairs found, and what finding them took.
template <real T>
struct davidson_eigenpairs : eigenpairs<T> {
  std::size_t products = 0;
};

/// The k smallest eigenvalues, ascending, with unit eigenvectors (rows, [k, n]) and true residuals, of a symmetric
/// positive definite operator. `precondition(r, t)` writes t ≈ A⁻¹ r; `first` may hold vectors near the ones sought,
/// [count, n]. Each step costs one product, one call of `precondition` and 4 n · basis flops for every pair not yet
/// converged. That nothing smaller exists rests on the random vector the search starts with.
/// \throws invalid_value when k > n or a product is not finite; not_converged with the residual reached.
template <linear_operator Op, class Precondition>
requires std::invocable < Precondition const&, std::span < value_t<Op>
const >, std::span < value_t < Op >>>
             davidson_eigenpairs<value_t<Op>> bottom_eigenpairs(Op const& op, std::size_t k, davidson const& method,
                                                                Precondition const& precondition,
                                                                matrix<value_t<Op>> const& first = {}) {
  using T = value_t<Op>;
  static_assert(detail::symmetric_v<Op>, "davidson takes symmetric operators: a product is not");
  auto const n = static_cast<std::size_t>(op.size());
  if (k > n)
    throw invalid_value(std::to_string(k) + " eigenpairs were asked for, the operator has " + std::to_string(n));
  if (first.size() > 0) detail::require_length("davidson: a first vector", n, first.shape(1));
  if (k == 0) return {};
  detail::search_space<Op> space(op);
  for (std::size_t i = 0; first.size() > 0 && i < first.shape(0); ++i)
    space.add({first.data() + i * n, first.data() + (i + 1) * n});
  for (std::uint64_t i = 0; space.size() < k || i < 1; ++i) {
    if (space.size() == n) break;
    std::vector<T> t(n);
    auto const r = detail::random_direction<T>(n, method.seed, i);
    precondition(std::span<T const>(r), std::span<T>(t));
    space.add(std::move(t));
  }
  auto const largest_basis = std::min(n, std::max(method.basis, 2 * k + 4));
  double norm = 0;
  for (;;) {
    auto e = space.ritz();
    norm = std::max(norm, e.values(0));
    double const rounding =
        16 * std::sqrt(static_cast<double>(n)) * static_cast<double>(std::numeric_limits<T>::epsilon()) * norm;
    if (largest_basis < n && space.size() + k > largest_basis) {
      space.restart(e, std::max(k + 1, largest_basis / 4));
      e = space.ritz();
    }
    auto const m = space.size();
    double worst = 0;
    std::vector<std::vector<T>> residuals;
    eigen_decomposition<T> pairs{zeros<T>(k), zeros<T>(k, n)};
    for (std::size_t i = 0; i < k; ++i) {
      double const value = e.values(m - 1 - i);
      auto [v, r] = space.combine(e.vectors.data() + (m - 1 - i) * m);
      pairs.values(i) = static_cast<T>(value);
      std::ranges::copy(v, pairs.vectors.data() + i * n);
      for (std::size_t j = 0; j < n; ++j) r[j] -= static_cast<T>(value) * v[j];
      double const size = std::sqrt(detail::dot<T>(r, r));
      if (!std::isfinite(size)) throw invalid_value("davidson: a product with the operator is not finite");
      if (size <= std::max(method.tolerance * std::abs(value), rounding)) continue;
      worst = std::max(worst, size / std::abs(value));
      residuals.push_back(std::move(r));
    }
    bool grown = false;
    if (!residuals.empty() && space.products() < method.max_products)
      for (auto const& r : residuals) {
        std::vector<T> t(n);
        precondition(std::span<T const>(r), std::span<T>(t));
        if (space.size() < n) grown = space.add(std::move(t)) || grown;
      }
    if (residuals.empty() || space.size() == n) {
      if (!residuals.empty() && grown) continue;  // the whole space: one last decomposition
      davidson_eigenpairs<T> found;
      found.products = space.products();
      static_cast<eigenpairs<T>&>(found) = detail::certified(op, std::move(pairs));
      return found;
    }
    if (!grown)
      throw not_converged("davidson: after " + std::to_string(space.products()) +
                          " products the largest relative residual of " + std::to_string(k) + " eigenpairs is " +
                          detail::number(worst) + ", the tolerance " + detail::number(method.tolerance));
  }
}

}  // namespace kappa::inline KAPPA_ARCH
