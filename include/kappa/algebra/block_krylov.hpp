#pragma once
/// \file
/// The leading eigenpairs of a dense symmetric positive semidefinite matrix by a block Krylov method with
/// Rayleigh-Ritz (Golub and Underwood 1977), every pair with its residual.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/operator.hpp>
#include <kappa/algebra/row_products.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The method and its settings.
struct block_krylov {
  /// A pair (λ, v) is accepted when ‖A v - λ v‖ <= tolerance · λ_1; 0 stands for 1e-5 in float and 1e-10 in double.
  double tolerance = 0;
  /// Vectors a step; 0 stands for 4: narrower blocks want fewer products, wider ones make them faster.
  std::size_t block = 0;
  /// The first block's.
  std::uint64_t seed = 0;
};

/// Eigenpairs, descending, the vectors as unit rows [k, n], with what certifies them: residuals(i) = ‖A v_i - λ_i v_i‖,
/// computed from the product A v_i. An eigenvalue of A lies within it of λ_i.
template <real T>
struct certified_eigenpairs {
  vector<T> values;
  matrix<T> vectors;
  vector<T> residuals;
  matrix<T> images;          ///< A v_i as rows
  std::size_t products = 0;  ///< columns that A was multiplied with; 0 for a full decomposition
};

namespace detail {

/// An orthonormal basis, row by row, with its images under a symmetric matrix and the projected matrix.
template <real T>
class ritz_space {
 public:
  ritz_space(std::size_t order, T const* matrix) : n(order), a(matrix) {}

  std::size_t dimension() const { return m; }
  T const* image(std::size_t row) const { return images.data() + row * n; }

  /// Adds what of `rows` [count, n] is not in the space yet. Directions that are rounding are dropped; the number
  /// added is returned.
  std::size_t extend(std::vector<T> rows, std::size_t count) {
    auto const length_of = [&](std::size_t i) {
      std::span<T const> const row(rows.data() + i * n, n);
      return std::sqrt(dot<T>(row, row));
    };
    std::vector<double> before(count);
    for (std::size_t i = 0; i < count; ++i) before[i] = length_of(i);
    for (int pass = 0; pass < 2; ++pass) {
      project_out(rows, count);
      if (pass == 0)
        for (std::size_t i = 0; i < count; ++i)
          if (length_of(i) <= 256 * static_cast<double>(std::numeric_limits<T>::epsilon()) * before[i])
            std::fill_n(rows.data() + i * n, n, T(0));
      count = orthonormalise(rows, count);
      if (count == 0) return 0;
    }
    basis.insert(basis.end(), rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count * n));
    images.resize((m + count) * n);
    symmetric_times_rows(n, a, count, rows.data(), images.data() + m * n);
    std::vector<T> corner(count * (m + count));
    rows_times_rows(n, count, images.data() + m * n, m + count, basis.data(), corner.data());
    std::vector<double> grown((m + count) * (m + count));
    for (std::size_t i = 0; i < m; ++i) std::copy_n(projected.data() + i * m, m, grown.data() + i * (m + count));
    for (std::size_t i = 0; i < m + count; ++i)
      for (std::size_t j = 0; j < count; ++j) {
        double const v = static_cast<double>(corner[j * (m + count) + i]);
        grown[i * (m + count) + m + j] = v;
        grown[(m + j) * (m + count) + i] = i < m ? v : grown[(m + j) * (m + count) + i];
      }
    for (std::size_t i = m; i < m + count; ++i)
      for (std::size_t j = m; j < i; ++j)
        grown[i * (m + count) + j] = grown[j * (m + count) + i] =
            (static_cast<double>(corner[(j - m) * (m + count) + i]) +
             static_cast<double>(corner[(i - m) * (m + count) + j])) /
            2;
    projected = std::move(grown);
    m += count;
    return count;
  }

  /// Adds the images of basis vectors [first, last).
  std::size_t extend_by_images(std::size_t first, std::size_t last) {
    return extend({images.begin() + static_cast<std::ptrdiff_t>(first * n),
                   images.begin() + static_cast<std::ptrdiff_t>(last * n)},
                  last - first);
  }

  /// The Ritz values alone, descending.
  vector<double> ritz_values() const { return lapack::symmetric_eigenvalues(projection()); }

  /// The k leading Ritz pairs with residuals. \pre k <= dimension().
  certified_eigenpairs<T> ritz(std::size_t k) const {
    auto const all = lapack::symmetric_eigen(projection());  // all: the partial routine loses pairs of a cluster
    certified_eigenpairs<T> pairs{zeros<T>(k), zeros<T>(k, n), zeros<T>(k), zeros<T>(k, n), 0};
    std::vector<T> weights(k * m);
    std::transform(all.vectors.data(), all.vectors.data() + k * m, weights.data(),
                   [](double v) { return static_cast<T>(v); });
    lapack::gemm(false, false, k, n, m, T(1), weights.data(), basis.data(), T(0), pairs.vectors.data());
    lapack::gemm(false, false, k, n, m, T(1), weights.data(), images.data(), T(0), pairs.images.data());
    for (std::size_t i = 0; i < k; ++i) {
      double const value = all.values(i);
      double total = 0;
      for (std::size_t j = 0; j < n; ++j) {
        double const d = static_cast<double>(pairs.images(i, j)) - value * static_cast<double>(pairs.vectors(i, j));
        total += d * d;
      }
      pairs.values(i) = static_cast<T>(value);
      pairs.residuals(i) = static_cast<T>(std::sqrt(total));
    }
    return pairs;
  }

 private:
  matrix<double> projection() const {
    auto small = zeros<double>(m, m);
    std::ranges::copy(projected, small.data());
    return small;
  }

  void project_out(std::vector<T>& rows, std::size_t count) const {
    if (m == 0) return;
    std::vector<T> c(count * m);
    rows_times_rows(n, count, rows.data(), m, basis.data(), c.data());
    subtract_rows(n, count, rows.data(), m, c.data(), basis.data());
  }

  // Through the eigendecomposition of the rows' Gram matrix, which tells rank as well.
  std::size_t orthonormalise(std::vector<T>& rows, std::size_t count) const {
    std::vector<double> norms(count);
    for (std::size_t i = 0; i < count; ++i) {  // rows of very different lengths would hide the short ones
      std::span<T> const row(rows.data() + i * n, n);
      norms[i] = std::sqrt(dot<T>(row, row));
      if (norms[i] > 0)
        for (T& v : row) v = static_cast<T>(static_cast<double>(v) / norms[i]);
    }
    std::vector<T> g(count * count);
    rows_times_rows(n, count, rows.data(), count, rows.data(), g.data());
    auto wide = zeros<double>(count, count);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < count; ++j)
        wide(i, j) = (static_cast<double>(g[i * count + j]) + static_cast<double>(g[j * count + i])) / 2;
    auto const e = lapack::symmetric_eigen(std::move(wide));
    double const floor = 64 * static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(count);
    std::size_t kept = 0;
    while (kept < count && e.values(kept) > floor * std::max(e.values(0), 1.0)) ++kept;
    std::vector<T> weights(kept * count), result(kept * n);
    for (std::size_t i = 0; i < kept; ++i)
      for (std::size_t j = 0; j < count; ++j)
        weights[i * count + j] = static_cast<T>(e.vectors(i, j) / std::sqrt(e.values(i)));
    if (kept > 0) subtract_rows(n, kept, result.data(), count, weights.data(), rows.data());  // either sign will do
    rows = std::move(result);
    return kept;
  }

  std::size_t n, m = 0;
  T const* a;
  std::vector<T> basis, images;
  std::vector<double> projected;
};

template <real T>
std::vector<T> random_rows(std::size_t count, std::size_t n, std::uint64_t seed, std::uint64_t index) {
  std::vector<T> rows(count * n);
  counter_random random(seed, index);
  for (T& v : rows) v = static_cast<T>(2 * random.uniform() - 1);
  return rows;
}

/// All pairs from a full decomposition, with the images that certify them.
template <real T>
certified_eigenpairs<T> certified_by_lapack(std::size_t n, T const* a, std::size_t k) {
  auto const copy = [&] {
    auto m = zeros<T>(n, n);
    std::copy_n(a, n * n, m.data());
    return m;
  };
  eigen_decomposition<T> e;
  try {
    e = lapack::symmetric_top_eigen(copy(), k);
  } catch (not_converged const&) {  // LAPACK's method for some of the pairs may lose members of a cluster
    auto const all = lapack::symmetric_eigen(copy());
    e = {zeros<T>(k), zeros<T>(k, n)};
    std::copy_n(all.values.data(), k, e.values.data());
    std::copy_n(all.vectors.data(), k * n, e.vectors.data());
  }
  auto const found = e.values.size();
  certified_eigenpairs<T> pairs{std::move(e.values), std::move(e.vectors), zeros<T>(found), zeros<T>(found, n), 0};
  lapack::gemm(false, false, found, n, n, T(1), pairs.vectors.data(), a, T(0), pairs.images.data());
  for (std::size_t i = 0; i < found; ++i) {
    double total = 0;
    for (std::size_t j = 0; j < n; ++j) {
      double const d = static_cast<double>(pairs.images(i, j)) -
                       static_cast<double>(pairs.values(i)) * static_cast<double>(pairs.vectors(i, j));
      total += d * d;
    }
    pairs.residuals(i) = static_cast<T>(std::sqrt(total));
  }
  return pairs;
}

/// The largest residual, as a part of the largest eigenvalue.
template <real T>
double worst_residual(certified_eigenpairs<T> const& pairs) {
  double most = 0;
  for (T r : elements(pairs.residuals)) most = std::max(most, static_cast<double>(r));
  double const top = static_cast<double>(pairs.values(0));
  return top > 0 ? most / top : 0.0;
}

/// By the Krylov method alone; nothing when the subspace has grown to a third of n without convergence. \pre 0 < k.
template <real T>
std::optional<certified_eigenpairs<T>> leading_by_krylov(std::size_t n, T const* a, std::size_t k, double tolerance,
                                                         block_krylov const& method) {
  std::size_t const block = std::min(n, method.block > 0 ? method.block : std::size_t{4});
  ritz_space<T> space(n, a);
  std::uint64_t drawn = 0;
  // Adds a random block, or the images of the newest one: [frontier, dimension) are those without images in the
  // space.
  auto const draw = [&] { space.extend(random_rows<T>(block, n, method.seed, drawn++), block); };
  auto const step = [&](std::size_t& frontier) {
    std::size_t const last = space.dimension();
    if (space.extend_by_images(frontier, last) == 0) draw();  // invariant: what is missing is orthogonal to it
    frontier = last;
  };
  draw();
  std::size_t frontier = 0;
  // Rayleigh-Ritz costs as much as several products, so the next one waits until the residuals' decay so far says
  // that it will be worth it.
  std::size_t look_at = std::max(2 * k, 6 * block), looked_at = 0;
  double before = 0;
  while (space.dimension() < n / 3) {
    step(frontier);
    std::size_t m = space.dimension();
    if (m < look_at || m < k) continue;
    auto pairs = space.ritz(k);
    double now = worst_residual(pairs);
    if (now <= tolerance) {
      // A block of b vectors finds b copies of an eigenvalue. Others would show in a Krylov space of their own.
      std::size_t const waiting = frontier;
      std::size_t fresh = space.dimension();
      draw();
      for (int steps = 0; steps < 3; ++steps) step(fresh);
      auto const again = space.ritz_values();
      double change = 0;
      for (std::size_t i = 0; i < k; ++i)
        change = std::max(change, std::abs(again(i) - static_cast<double>(pairs.values(i))));
      m = space.dimension();
      if (change <= 2 * tolerance * again(0)) {
        pairs.products = m;
        return pairs;
      }
      frontier = waiting;  // both chains go on
      before = 0;
    }
    std::size_t wait = m / 4;
    if (looked_at > 0 && before > 0 && now < before) {
      double const columns = static_cast<double>(m - looked_at) * std::log(now / tolerance) / std::log(before / now);
      wait = static_cast<std::size_t>(std::clamp(0.7 * columns, 1.0, static_cast<double>(m)));
    }
    look_at = m + wait;
    looked_at = m;
    before = now;
    if (look_at > n / 3 + block) break;  // even a fast decay would come too late
  }
  return std::nullopt;
}

/// When the Krylov method is worth a try. LAPACK's reduction to tridiagonal form takes n³ and little else up to a few
/// hundred rows, where the method's many small steps do not pay; for larger n the method wants some 6 to 12 blocks, and
/// more dimensions than a third of n when k is large. Measured: docs/performance.md, `bench/run/growth`.
constexpr bool krylov_pays(std::size_t n, std::size_t k) { return n >= 208 + 20 * k; }

}  // namespace detail

/// The k leading eigenpairs of the symmetric positive semidefinite A [n, n], row-major. A step costs one product of A
/// with a block, 2 n² b flops, and 8 n m b for orthogonality against the m vectors so far. Where k is not small beside
/// n, or when the subspace has grown to a third of n without convergence, LAPACK decomposes A.
/// \throws invalid_value when k > n or A is not finite; not_converged when rounding keeps a residual above the
/// tolerance, with both numbers.
template <real T>
certified_eigenpairs<T> leading_eigenpairs(std::span<T const> a, std::size_t n, std::size_t k,
                                           block_krylov const& method = {}) {
  detail::require_length("the matrix", n * n, a.size());
  if (k > n) throw invalid_value(std::to_string(k) + " eigenpairs were asked for, the matrix has " + std::to_string(n));
  check_finite<T>("the matrix", a);
  double const tolerance = method.tolerance > 0 ? method.tolerance : std::is_same_v<T, float> ? 1e-5 : 1e-10;
  if (k == 0) return {};
  if (detail::krylov_pays(n, k))
    if (auto pairs = detail::leading_by_krylov(n, a.data(), k, tolerance, method)) return *std::move(pairs);
  auto pairs = detail::certified_by_lapack(n, a.data(), k);
  if (double const reached = detail::worst_residual(pairs); reached > tolerance)
    throw not_converged("leading_eigenpairs: the largest residual of " + std::to_string(k) + " eigenpairs is " +
                        detail::number(reached) + " of the largest eigenvalue, the tolerance " +
                        detail::number(tolerance));
  return pairs;
}

}  // namespace kappa::inline KAPPA_ARCH
