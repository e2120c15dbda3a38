#pragma once
/// \file
/// Residual connections of strength β, F(x) = (W^L + β I) ... (W^1 + β I) x: when they are known to help, and what they
/// do to gaussian layers. (The exact κ and the bounds for linear networks take W + β I as they are, gauss_newton.hpp.)

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/finite.hpp>
#include <kappa/theory/covariance.hpp>
#include <kappa/theory/gauss_newton.hpp>
#include <kappa/theory/initialisation.hpp>
#include <kappa/theory/value_statement.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// W + β I for a W of any shape, I having ones on its main diagonal.
inline matrix<double> shifted(matrix<double> w, double beta) {
  for (std::size_t i = 0; i < std::min(w.shape(0), w.shape(1)); ++i) w(i, i) += beta;
  return w;
}

namespace detail {

/// s_1(W)² and s_min(W)² over the smaller side.
inline spectrum_ends squared_singular_ends(matrix<double> const& w) {
  bool const wide = w.shape(0) <= w.shape(1);
  return ends_of(elements(lapack::symmetric_eigenvalues(product(!wide, wide, w, w))));
}

}  // namespace detail

/// κ(W) = s_1 / s_min of a matrix, s_min over its smaller side; +infinity when that is 0 to working precision.
inline double singular_condition_number(matrix<double> const& w) {
  auto const e = detail::squared_singular_ends(w);
  return std::sqrt(detail::over(e.largest, e.smallest));
}

/// A chain of layers W^l + β I, the first one first, each W^l [outputs, inputs], on data of a covariance.
class residual_chain {
 public:
  using number = double;

  /// \throws shape_mismatch when there is no layer, or two neighbours or the first one and the data do not fit;
  /// invalid_value when a number is not finite.
  residual_chain(std::vector<matrix<double>> first_to_last, double strength, covariance data)
      : layers(std::move(first_to_last)),
        shift(strength),
        small(with_shift(layers, strength), ones(layers), std::move(data)) {
    for (auto const& w : layers) check_finite("residual_chain", std::span<double const>(elements(w)));
  }

  std::size_t depth() const { return layers.size(); }
  double beta() const { return shift; }
  /// W^l, without β I.
  matrix<double> const& weight(std::size_t l) const { return layers[l]; }
  /// ‖W^l‖, its largest singular value: an eigenproblem of its smaller side.
  double weight_norm(std::size_t l) const { return std::sqrt(detail::squared_singular_ends(layers[l]).largest); }
  /// κ(Σ) over the directions the data span.
  double data_condition() const { return small.data().condition_number(); }
  /// The small Gauss-Newton matrix, exact: κ(G), Eq. (7) and the other bounds of linear chains hold for it as they
  /// stand.
  small_gauss_newton const& gauss_newton() const { return small; }

 private:
  static std::vector<matrix<double>> with_shift(std::vector<matrix<double>> all, double beta) {
    check_finite("residual_chain: beta", std::span<double const>(&beta, 1));
    for (auto& w : all) w = shifted(std::move(w), beta);
    return all;
  }
  static std::vector<double> ones(std::vector<matrix<double>> const& all) {
    return std::vector<double>(all.size(), 1.0);
  }

  std::vector<matrix<double>> layers;
  double shift;
  small_gauss_newton small;
};

/// κ(W + β I) <= (|β| + ‖W‖) / (|β| - ‖W‖) for |β| > ‖W‖, +infinity else: singular values move by at most ‖W‖ (Weyl).
struct residual_layer_bound_t {
  static constexpr char const* name = "residual layer bound";
  static constexpr char const* hypotheses = "one layer W + beta I of any shape; |beta| > ||W||";
  static constexpr char const* source = "kappa, docs/conditioning/residual.md";
  static constexpr relation claims = relation::upper_bound;

  bound operator()(matrix<double> const& w, double beta) const {
    double const norm = std::sqrt(detail::squared_singular_ends(w).largest);
    return {detail::over(std::abs(beta) + norm, std::abs(beta) - norm), name, hypotheses, source};
  }
};
inline constexpr residual_layer_bound_t residual_layer_bound{};

/// The same for the whole chain, through Eq. (7):
///
///     κ(G) <= κ(Σ) Σ_l Π_{h≠l} (|β| + ‖W^h‖)² / Σ_l Π_{h≠l} (|β| - ‖W^h‖)²
///
/// for |β| > max ‖W^h‖, the lower sum over the l whose earlier layers have no more inputs than outputs and whose later
/// ones no more outputs than inputs; +infinity when there is none. It tends to κ(Σ) as β grows, with an excess of order
/// 1/β: a strong skip connection is linear regression.
struct residual_norm_bound_t : detail::value_statement<residual_norm_bound_t, residual_chain> {
  static constexpr char const* name = "residual norm bound";
  static constexpr char const* hypotheses = "linear chain of layers W + beta I, no bias; |beta| > max ||W||";
  static constexpr char const* source = "kappa, docs/conditioning/residual.md";

  static auto value(auto const& c) {
    using number = detail::number_t<decltype(c)>;
    using arithmetic = detail::arithmetic_of<decltype(c)>;
    number const beta = std::abs(c.beta());
    std::vector<number> norms;
    for (std::size_t l = 0; l < c.depth(); ++l) {
      norms.push_back(c.weight_norm(l));
      if (!arithmetic::positive(beta - norms.back())) return arithmetic::infinite();
    }
    number above = 0, below = 0;
    for (std::size_t l = 0; l < c.depth(); ++l) {
      number most = 1, least = 1;
      for (std::size_t h = 0; h < c.depth(); ++h) {
        if (h == l) continue;
        auto const rows = c.weight(h).shape(0), columns = c.weight(h).shape(1);
        most *= (beta + norms[h]) * (beta + norms[h]);
        least *= (h < l ? rows >= columns : rows <= columns) ? (beta - norms[h]) * (beta - norms[h]) : number(0);
      }
      above += most;
      below += least;
    }
    return c.data_condition() * arithmetic::quotient(above, below);
  }
};
inline constexpr residual_norm_bound_t residual_norm_bound{};

/// κ(W + β I) = (λ_max(W) + β) / (λ_min(W) + β) for a symmetric positive semidefinite W and β >= 0: there, and only
/// there, s_i(W + β I) = s_i(W) + β for all i, and κ falls as β grows. (If all s_i grow by β, the nuclear norm grows by
/// m β, which makes tr W = ‖W‖_*, and W symmetric positive semidefinite.)
struct semidefinite_shift_t {
  static constexpr char const* name = "shift of a semidefinite layer";
  static constexpr char const* hypotheses = "W symmetric positive semidefinite, beta >= 0";
  static constexpr char const* source = "kappa, docs/conditioning/residual.md";
  static constexpr relation claims = relation::equality;

  /// \throws shape_mismatch when W is not square; invalid_value when it is not symmetric positive semidefinite to
  /// working precision, or β is negative.
  bound operator()(matrix<double> const& w, double beta) const {
    auto const n = lapack::detail::order_of(w);
    double largest = 0;
    for (std::size_t i = 0; i < w.size(); ++i) largest = std::max(largest, std::abs(w.data()[i]));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (std::abs(w(i, j) - w(j, i)) > zero_threshold * largest)
          throw invalid_value(std::string(name) + ": not symmetric at (" + std::to_string(i) + ", " +
                              std::to_string(j) + ")");
    auto const e = lapack::symmetric_eigenvalues(w);
    if (n > 0 && e(n - 1) < -zero_threshold * std::max(largest, std::abs(e(0))))
      throw invalid_value(std::string(name) + ": the eigenvalue " + std::to_string(e(n - 1)) + " is negative");
    if (!(beta >= 0)) throw invalid_value(std::string(name) + ": beta is " + std::to_string(beta));
    if (n == 0) throw shape_mismatch(std::string(name) + ": a matrix of order 0");
    return {detail::over(e(0) + beta, std::max(0.0, e(n - 1)) + beta), name, hypotheses, source};
  }
};
inline constexpr semidefinite_shift_t semidefinite_shift{};

/// g(β) = √(1 + 2β²) / (1 + β²): by how much a residual connection reduces the spread of one gaussian layer's squared
/// singular values on a small frame, in units of the layer's scale (entries N(0, 1/m)). In the wide limit
/// log κ(G)(β) / log κ(G)(0) -> g(β). It is 1 - β⁴/2 + O(β⁶): flat at 0, so that β = 1/√L does nothing at
/// initialisation; g(1) = 0.866, g(2) = 0.6, and √2/β for large β.
struct residual_spread_t : detail::law<residual_spread_t> {
  static constexpr char const* name = "residual spread factor";
  static constexpr char const* hypotheses = "gaussian layers W + beta I, entries of W N(0, 1/m), d, k << m / L";
  static constexpr char const* source = "kappa, docs/conditioning/residual.md";
  static constexpr relation claims = relation::equality;

  static double value(double beta) { return std::sqrt(1 + 2 * beta * beta) / (1 + beta * beta); }
};
inline constexpr residual_spread_t residual_spread{};

/// The limiting range of the squared singular values of W + β I for a square gaussian W, entries N(0, 1/m), m ->
/// infinity:
/// [(a - 3)³ / (8 (a - 1)), (a + 3)³ / (8 (a + 1))] with a = √(1 + 8β²), the lower end 0 for |β| <= 1. A square
/// residual layer at initialisation has a smallest singular value away from 0 only for |β| > 1. The law of a shifted
/// Ginibre matrix (Dozier and Silverstein 2007).
inline spectrum_edges shifted_ginibre_edges(double beta) {
  double const a = std::sqrt(1 + 8 * beta * beta);
  return {std::abs(beta) > 1 ? std::pow(a - 3, 3) / (8 * (a - 1)) : 0, std::pow(a + 3, 3) / (8 * (a + 1))};
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
