#pragma once
/// \file
/// Laws of κ(G) at random initialisation of deep linear networks, and the weights for which the whole spectrum is
/// known.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/finite.hpp>
#include <kappa/theory/covariance.hpp>
#include <kappa/theory/value_statement.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// A linear network with gaussian weights: `layers` layers, all hidden widths `hidden`, and the variances of the
/// entries of the first layer, the last one, and those between. One layer alone is the first.
struct gaussian_chain {
  std::size_t inputs = 0;
  std::size_t hidden = 0;
  std::size_t outputs = 0;
  std::size_t layers = 2;
  double first_variance = 0;
  double middle_variance = 0;
  double last_variance = 0;
};

/// He's (Kaiming) variances without an activation's gain: 1 / fan-in.
inline gaussian_chain kaiming(std::size_t inputs, std::size_t hidden, std::size_t outputs, std::size_t layers) {
  auto const d = static_cast<double>(inputs), m = static_cast<double>(hidden);
  return {inputs, hidden, outputs, layers, 1 / d, 1 / m, 1 / m};
}
/// Glorot's (Xavier) variances: 2 / (fan-in + fan-out).
inline gaussian_chain xavier(std::size_t inputs, std::size_t hidden, std::size_t outputs, std::size_t layers) {
  auto const d = static_cast<double>(inputs), m = static_cast<double>(hidden), k = static_cast<double>(outputs);
  return {inputs, hidden, outputs, layers, 2 / (d + m), 1 / m, 2 / (m + k)};
}

/// A bound that holds with at least this probability over the weights.
struct probable_bound : bound {
  double probability = 0;
};

/// The ends of a limiting spectrum.
struct spectrum_edges {
  double smallest = 1;
  double largest = 1;
};

namespace detail {

inline void check_chain(char const* what, gaussian_chain const& c) {
  auto const name = std::string(what);
  if (c.layers < 1 || c.inputs < 1 || c.outputs < 1 || c.hidden < std::max(c.inputs, c.outputs))
    throw invalid_value(name + ": a hidden width of at least " + std::to_string(std::max(c.inputs, c.outputs)) +
                        " and a layer were expected, came " + std::to_string(c.hidden) + " and " +
                        std::to_string(c.layers));
  if (!(c.first_variance > 0 && c.middle_variance > 0 && c.last_variance > 0))
    throw invalid_value(name + ": positive variances were expected");
}

/// c_l, l = 0 ... L - 1: the mean size of term l of G, Π m · variance over the other layers.
inline std::vector<double> term_weights(gaussian_chain const& c) {
  auto const m = static_cast<double>(c.hidden);
  std::vector<double> weights(c.layers, 1.0);
  for (std::size_t l = 0; l < c.layers; ++l)
    for (std::size_t h = 0; h < c.layers; ++h)
      if (h != l)
        weights[l] *= m * (h == 0 ? c.first_variance : h + 1 == c.layers ? c.last_variance : c.middle_variance);
  return weights;
}

}  // namespace detail

/// For one hidden layer with gaussian weights, variances σ_w² of W and σ_v² of V, and data of condition number κ(Σ):
/// with probability at least 1 - 4 exp(-t²/2),
///
///     κ(G) <= κ(Σ) [σ_w² (√m + √k + t)² + σ_v² (√m + √d + t)²] / [σ_w² (√m - √k - t)² + σ_v² (√m - √d - t)²],
///
/// from Lemma 2 and the four one-sided bounds of Davidson and Szarek (Vershynin 2012, corollary 5.35) on the singular
/// values. The published form says 1 - 8 exp(-t²/2). It needs √m > √max(d, k) + t: otherwise a square of a negative
/// number would stand for λ_min.
struct random_matrix_bound_t {
  static constexpr char const* name = "random-matrix bound";
  static constexpr char const* hypotheses =
      "linear, one hidden layer, no bias, gaussian weights; sqrt(m) > sqrt(max(d, k)) + t";
  static constexpr char const* source =
      "after Zhao, Singh, Lucchi 2024; probability: docs/conditioning/initialisation.md";
  static constexpr relation claims = relation::upper_bound;

  /// \throws invalid_value when the hypotheses do not hold, t is not positive, or the chain has not two layers.
  probable_bound operator()(gaussian_chain const& c, double t, double data_condition = 1) const {
    detail::check_chain(name, c);
    double const m = std::sqrt(static_cast<double>(c.hidden)), k = std::sqrt(static_cast<double>(c.outputs)),
                 d = std::sqrt(static_cast<double>(c.inputs));
    if (c.layers != 2) throw invalid_value(std::string(name) + ": 2 layers, came " + std::to_string(c.layers));
    if (!(t > 0) || !(data_condition >= 1))
      throw invalid_value(std::string(name) + ": t > 0 and a condition number of at least 1 were expected, came " +
                          std::to_string(t) + " and " + std::to_string(data_condition));
    if (!(m > std::max(d, k) + t))
      throw invalid_value(std::string(name) + ": sqrt(m) = " + std::to_string(m) +
                          " must exceed sqrt(max(d, k)) + t = " + std::to_string(std::max(d, k) + t));
    auto const square = [](double x) { return x * x; };
    double const above = c.last_variance * square(m + k + t) + c.first_variance * square(m + d + t);
    double const below = c.last_variance * square(m - k - t) + c.first_variance * square(m - d - t);
    return {{data_condition * above / below, name, hypotheses, source}, std::max(0.0, 1 - 4 * std::exp(-t * t / 2))};
  }
};
inline constexpr random_matrix_bound_t random_matrix_bound{};

/// The edges e_±(p, ρ) of the limiting spectrum of (W_p ... W_1 Q)ᵀ (W_p ... W_1 Q): p square layers of width m with
/// entries N(0, 1/m) on an orthonormal frame Q of ρ m directions, m -> infinity. With
///
///     z_± = (-(p-1) ρ ± √((p-1)² ρ² + 4 p ρ)) / (2 p ρ),     e_± = (1 + z_±)(1 + ρ z_±)^p / z_±;
///
/// p = 1 gives Marchenko and Pastur's (1 ± √ρ)², p = 0 gives 1. A stationary point of the inverse of the moment
/// transform, the free multiplicative convolution of p Marchenko-Pastur laws.
/// \throws invalid_value when ρ is not in (0, 1].
inline spectrum_edges product_edges(std::size_t p, double rho) {
  if (!(rho > 0 && rho <= 1))
    throw invalid_value("product_edges: a ratio in (0, 1] was expected, came " + std::to_string(rho));
  if (p == 0) return {1, 1};
  auto const factors = static_cast<double>(p);
  double const linear = (factors - 1) * rho, root = std::sqrt(linear * linear + 4 * factors * rho);
  auto const edge = [&](double sign) {
    double const z = (-linear + sign * root) / (2 * factors * rho);
    return (1 + z) * std::pow(1 + rho * z, factors) / z;
  };
  return {std::max(0.0, edge(-1)), edge(1)};
}

/// What Eq. (7) tends to on white data at gaussian initialisation, widths growing in proportion, depth fixed:
/// Σ_l c_l e_+(L-l, k/m) e_+(l-1, d/m) / Σ_l c_l e_-(L-l, k/m) e_-(l-1, d/m), c_l the mean size of term l. At one
/// hidden layer, where Eq. (7) is exact, this is the limit of κ(G) itself.
struct eq_7_limit_t {
  static constexpr char const* name = "limit of Eq. (7)";
  static constexpr char const* hypotheses =
      "linear, no bias, gaussian weights, white data, proportional widths -> infinity";
  static constexpr char const* source = "kappa, docs/conditioning/initialisation.md";
  static constexpr relation claims = relation::equality;

  /// \throws invalid_value when the hidden width is below the others, or a variance is not positive.
  bound operator()(gaussian_chain const& c) const {
    detail::check_chain(name, c);
    auto const weights = detail::term_weights(c);
    double const left = static_cast<double>(c.outputs) / static_cast<double>(c.hidden);
    double const right = static_cast<double>(c.inputs) / static_cast<double>(c.hidden);
    double above = 0, below = 0;
    for (std::size_t l = 0; l < c.layers; ++l) {
      auto const a = product_edges(c.layers - 1 - l, left), b = product_edges(l, right);
      above += weights[l] * a.largest * b.largest;
      below += weights[l] * a.smallest * b.smallest;
    }
    return {detail::over(above, below), name, hypotheses, source};
  }
};
inline constexpr eq_7_limit_t eq_7_limit{};

/// The first order of κ(G) in a wide network on white data.
struct wide_expansion {
  double spread = 0;            ///< ε = (κ - 1) / (κ + 1)
  double condition_number = 0;  ///< (1 + ε) / (1 - ε); +infinity where ε >= 1, which the expansion does not reach
  double looseness = 0;         ///< the limit of (Eq. (7) - 1) / (κ - 1)
};

/// κ(G) of a wide network on white data, to first order in √(k/m) and √(d/m):
///
///     (κ - 1)/(κ + 1) -> ε = (2/C) [√(k/m) √(Σ_{j>=2} (Σ_{l<j} c_l)²) + √(d/m) √(Σ_{j<L} (Σ_{l>j} c_l)²)],   C = Σ_l
///     c_l:
///
/// every layer's fluctuation is a gaussian (GOE) matrix of its own, so they add in quadrature, while in Eq. (7) their
/// edges add linearly. With equal c_l, κ - 1 is near (4/√3) √(L/m) (√k + √d), and Eq. (7)'s excess over 1 is 2/√3 of
/// κ's at large depth.
struct wide_limit_t {
  static constexpr char const* name = "wide limit";
  static constexpr char const* hypotheses = "linear, no bias, gaussian weights, white data, d, k << m / L";
  static constexpr char const* source = "kappa, docs/conditioning/initialisation.md";
  static constexpr relation claims = relation::equality;

  /// `finite_size`: the edge of a gaussian matrix of order q is taken at 2 (1 - 0.6033 q^{-2/3}), the mean of the Tracy
  /// and Widom law, instead of 2. \throws as eq_7_limit.
  wide_expansion operator()(gaussian_chain const& c, bool finite_size = false) const {
    detail::check_chain(name, c);
    auto const weights = detail::term_weights(c);
    double total = 0, linear = 0, left = 0, right = 0, sum = 0;
    for (double w : weights) total += w;
    auto const m = static_cast<double>(c.hidden), k = static_cast<double>(c.outputs), d = static_cast<double>(c.inputs);
    for (std::size_t l = 0; l < c.layers; ++l) {
      linear += weights[l] *
                (std::sqrt(static_cast<double>(c.layers - 1 - l) * k / m) + std::sqrt(static_cast<double>(l) * d / m));
      if (l > 0) left += sum * sum;  // Σ_{l'<l} c_l'
      sum += weights[l];
      if (l + 1 < c.layers) right += (total - sum) * (total - sum);
    }
    auto const edge = [&](double q) { return finite_size ? 1 - 0.6033 * std::pow(q, -2.0 / 3) : 1; };
    double const first_order = std::sqrt(k / m) * std::sqrt(left) + std::sqrt(d / m) * std::sqrt(right);
    double const spread =
        2 / total * (std::sqrt(k / m) * std::sqrt(left) * edge(k) + std::sqrt(d / m) * std::sqrt(right) * edge(d));
    return {spread, spread < 1 ? (1 + spread) / (1 - spread) : std::numeric_limits<double>::infinity(),
            first_order > 0 ? linear / first_order : 1};
  }
};
inline constexpr wide_limit_t wide_limit{};

/// All k d eigenvalues of G, descending, for aligned layers W^l = U_l S_l U_{l-1}ᵀ, the U_l orthogonal, and data
/// Σ = U_0 diag(s) U_0ᵀ:
///
///     λ_ij = s_j Σ_l Π_{h>l} (s_i^(h))² Π_{h<l} (s_j^(h))²,     i = 1 ... k, j = 1 ... d.
///
/// `singular` holds the diagonals of S_1 ... S_L, in the order of the U's columns; past its end a diagonal is zero.
/// `data` is s, [d]. \throws shape_mismatch without layers or data; invalid_value when a number is not finite.
inline vector<double> aligned_spectrum(std::vector<std::vector<double>> const& singular, std::size_t outputs,
                                       std::span<double const> data) {
  if (singular.empty() || data.empty() || outputs == 0)
    throw shape_mismatch("aligned_spectrum: " + std::to_string(singular.size()) + " layers, " +
                         std::to_string(outputs) + " outputs, data of dimension " + std::to_string(data.size()));
  check_finite("aligned_spectrum: data", data);
  for (auto const& s : singular) check_finite("aligned_spectrum", std::span<double const>(s));
  auto const squared = [&](std::size_t layer, std::size_t i) {
    return i < singular[layer].size() ? singular[layer][i] * singular[layer][i] : 0.0;
  };
  auto all = zeros<double>(outputs * data.size());
  for (std::size_t i = 0; i < outputs; ++i)
    for (std::size_t j = 0; j < data.size(); ++j) {
      double sum = 0;
      for (std::size_t l = 0; l < singular.size(); ++l) {
        double term = data[j];
        for (std::size_t h = 0; h < l; ++h) term *= squared(h, j);
        for (std::size_t h = l + 1; h < singular.size(); ++h) term *= squared(h, i);
        sum += term;
      }
      all(i * data.size() + j) = sum;
    }
  std::sort(all.data(), all.data() + all.size(), [](double a, double b) { return a > b; });
  return all;
}

/// The same for a balanced network, every layer with the singular values c_i^{1/L}, c those of the product:
/// λ_ij = s_j (c_i² - c_j²) / (c_i^{2/L} - c_j^{2/L}), and L s_j c_i^{2 (L-1)/L} where c_i = c_j.
/// \throws as aligned_spectrum; invalid_value when a c is negative.
inline vector<double> balanced_spectrum(std::vector<double> const& product, std::size_t layers, std::size_t outputs,
                                        std::span<double const> data) {
  std::vector<double> each;
  for (double c : product) {
    if (c < 0) throw invalid_value("balanced_spectrum: the singular value " + std::to_string(c));
    each.push_back(std::pow(c, 1 / static_cast<double>(layers)));
  }
  return aligned_spectrum(std::vector<std::vector<double>>(layers, each), outputs, data);
}

/// κ(G) = κ(Σ) at any depth when every W^l has orthonormal rows or columns and no hidden width is below d or k: then
/// G has the eigenvalues L s_j, k times each.
struct orthogonal_law_t {
  static constexpr char const* name = "orthogonal initialisation";
  static constexpr char const* hypotheses =
      "linear, no bias, every layer with orthonormal rows or columns, hidden widths equal and not below d and k";
  static constexpr char const* source = "kappa, docs/conditioning/initialisation.md";
  static constexpr relation claims = relation::equality;

  bound operator()(covariance const& data) const { return {data.condition_number(), name, hypotheses, source}; }
};
inline constexpr orthogonal_law_t orthogonal_law{};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
