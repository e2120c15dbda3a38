#pragma once
/// \file
/// One hidden linear layer with batch normalisation: the exact Gauss-Newton matrix through the batch's statistics, and
/// with frozen ones, each as a small matrix with its non-zero spectrum.

#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/finite.hpp>
#include <kappa/theory/covariance.hpp>
#include <kappa/theory/gauss_newton.hpp>
#include <kappa/theory/value_statement.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// A trainable gain and shift behind a normalisation, [m] each.
struct batch_norm_affine {
  vector<double> gain;
  vector<double> shift;
};

/// F(x) = W (gain ∘ (V x - μ) / √(σ² + ε) + shift), unit by unit; without `affine` the gain is 1, the shift 0, and
/// neither is a parameter. W is [k, m], V [m, d].
struct batch_norm_network {
  matrix<double> output_weight;
  matrix<double> hidden_weight;
  double epsilon = 0;
  std::optional<batch_norm_affine> affine{};
};

/// Statistics that do not depend on the parameters: [m] each. `deviation` is √(σ² + ε).
struct frozen_statistics {
  vector<double> mean;
  vector<double> deviation;
};

namespace detail {

inline void check_batch_norm(batch_norm_network const& net, std::size_t features) {
  auto const m = net.hidden_weight.shape(0);
  if (net.output_weight.shape(1) != m)
    throw shape_mismatch("batch norm: W takes " + std::to_string(net.output_weight.shape(1)) +
                         " hidden units, V gives " + std::to_string(m));
  if (net.hidden_weight.shape(1) != features)
    throw shape_mismatch("batch norm: V takes " + std::to_string(net.hidden_weight.shape(1)) +
                         " features, the inputs have " + std::to_string(features));
  if (!(net.epsilon >= 0)) throw invalid_value("batch norm: epsilon is " + std::to_string(net.epsilon));
  check_finite("batch norm: W", std::span<double const>(elements(net.output_weight)));
  check_finite("batch norm: V", std::span<double const>(elements(net.hidden_weight)));
  if (net.affine) {
    if (net.affine->gain.size() != m || net.affine->shift.size() != m)
      throw shape_mismatch("batch norm: gain and shift of " + std::to_string(m) + " units were expected, came " +
                           std::to_string(net.affine->gain.size()) + " and " +
                           std::to_string(net.affine->shift.size()));
    check_finite("batch norm: gain", std::span<double const>(elements(net.affine->gain)));
    check_finite("batch norm: shift", std::span<double const>(elements(net.affine->shift)));
  }
}

/// Adds w wᵀ ⊗ B to g: w column `column` of the matrix [k, m], B of order r, g of order k r.
inline void add_kronecker(matrix<double>& g, matrix<double> const& w, std::size_t column, matrix<double> const& b) {
  auto const r = b.shape(0);
  for (std::size_t i = 0; i < w.shape(0); ++i)
    for (std::size_t j = 0; j < w.shape(0); ++j) {
      double const factor = w(i, column) * w(j, column);
      for (std::size_t p = 0; p < r; ++p)
        for (std::size_t q = 0; q < r; ++q) g(i * r + p, j * r + q) += factor * b(p, q);
    }
}

/// Adds I_k ⊗ b bᵀ.
inline void add_readout(matrix<double>& g, std::size_t k, std::span<double const> b) {
  auto const r = b.size();
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t p = 0; p < r; ++p)
      for (std::size_t q = 0; q < r; ++q) g(i * r + p, i * r + q) += b[p] * b[q];
}

/// A small matrix with the non-zero spectrum of a Gauss-Newton matrix.
class small_matrix {
 public:
  matrix<double> const& dense() const { return g; }
  std::size_t order() const { return g.shape(0); }
  /// All eigenvalues, descending.
  vector<double> eigenvalues() const { return lapack::symmetric_eigenvalues(g); }
  /// κ(G) over non-zero eigenvalues. \throws singular_matrix when F does not depend on the parameters.
  double condition_number() const { return theory::condition_number(ends_of(elements(eigenvalues()))); }

 protected:
  matrix<double> g;
};

inline covariance centred_covariance(matrix<double> const& inputs) {
  auto const n = inputs.shape(0), d = inputs.shape(1);
  auto centred = inputs;
  for (std::size_t j = 0; j < d; ++j) {
    double mean = 0;
    for (std::size_t q = 0; q < n; ++q) mean += inputs(q, j) / static_cast<double>(n);
    for (std::size_t q = 0; q < n; ++q) centred(q, j) -= mean;
  }
  return covariance_of(centred);
}

/// The covariance of (x, 1), of order d + 1.
inline covariance covariance_with_constant(matrix<double> const& inputs) {
  auto const n = inputs.shape(0), d = inputs.shape(1);
  auto longer = zeros<double>(n, d + 1);
  for (std::size_t q = 0; q < n; ++q) {
    for (std::size_t j = 0; j < d; ++j) longer(q, j) = inputs(q, j);
    longer(q, d) = 1;
  }
  return covariance_of(longer);
}

}  // namespace detail

/// G = 1/n Σ J_qᵀ J_q of F(x) = W BN(V x) in training mode, differentiated through the batch's mean and variance. With
/// Σ_c the centred covariance, u_i = Σ_c^½ v_i, σ_i² = ‖u_i‖² + ε and P_i = I - u_i u_iᵀ / σ_i², its non-zero
/// eigenvalues are, with multiplicity, those of
///
///     Ĝ = Σ_i [ w_i w_iᵀ ⊗ P_i Σ_c P_i / σ_i² + I_k ⊗ u_i u_iᵀ / σ_i² ],
///
/// of order k rank Σ_c. At ε = 0, u_i / σ_i is a unit vector and P_i the projector along it. A gain g and a shift b
/// that are trained too multiply the first term by g_i², put (g_i u_i / σ_i, b_i) in place of u_i / σ_i in the second,
/// and add w_i w_iᵀ ⊗ (u_i u_iᵀ / σ_i² ⊕ 1); the space has one more direction then, the constant. Source: kappa,
/// docs/conditioning/batch_norm.md.
class batch_norm_gauss_newton : public detail::small_matrix {
 public:
  /// The batch is `inputs` [n, d], one sample a row. Cost: m r² (2 r + 2 k²) flops with r = rank Σ_c.
  /// \throws shape_mismatch when shapes do not fit; invalid_value when a number is not finite, ε is negative, or all
  /// samples are equal; singular_matrix when a hidden unit does not vary over the batch and ε is 0.
  batch_norm_gauss_newton(batch_norm_network const& net, matrix<double> const& inputs)
      : centred(detail::centred_covariance(inputs)) {
    detail::check_batch_norm(net, inputs.shape(1));
    auto const k = net.output_weight.shape(0), m = net.hidden_weight.shape(0), r = centred.rank();
    auto const& s = centred.eigenvalues();
    auto const width = r + (net.affine ? 1 : 0);
    // u [m, r] in the eigenbasis of Σ_c.
    auto u = detail::product(false, true, net.hidden_weight, centred.basis());
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < r; ++j) u(i, j) *= std::sqrt(s(j));
    g = zeros<double>(k * width, k * width);
    auto direction = zeros<double>(width);
    auto block = zeros<double>(width, width), projected = zeros<double>(r, r);
    for (std::size_t i = 0; i < m; ++i) {
      double norm = 0;
      for (std::size_t j = 0; j < r; ++j) norm += u(i, j) * u(i, j);
      double const variance = norm + net.epsilon;
      if (!(variance > 0)) throw singular_matrix("batch norm: hidden unit " + std::to_string(i) + " does not vary");
      double const gain = net.affine ? net.affine->gain(i) : 1;
      // P Σ_c P as the square of P Σ_c^½: where P leaves little of Σ_c, its three terms would cancel.
      for (std::size_t p = 0; p < r; ++p)
        for (std::size_t q = 0; q < r; ++q)
          projected(p, q) = ((p == q ? 1 : 0) - u(i, p) * u(i, q) / variance) * std::sqrt(s(q));
      auto const square = detail::product(false, true, projected, projected);
      for (std::size_t p = 0; p < r; ++p)
        for (std::size_t q = 0; q < r; ++q)
          block(p, q) = gain * gain * square(p, q) / variance + (net.affine ? u(i, p) * u(i, q) / variance : 0);
      if (net.affine) block(r, r) = 1;
      detail::add_kronecker(g, net.output_weight, i, block);
      for (std::size_t p = 0; p < r; ++p) direction(p) = gain * u(i, p) / std::sqrt(variance);
      if (net.affine) direction(r) = net.affine->shift(i);
      detail::add_readout(g, k, elements(direction));
    }
  }

  /// Σ_c.
  covariance const& data() const { return centred; }

 private:
  covariance centred;
};

/// The same with frozen statistics: F(x) = W (gain ∘ (V x - μ) / D + shift) with μ and D constants, as in evaluation.
/// With Σ̃ the covariance of (x, 1) and h_i = (g_i v_i / D_i, b_i - g_i μ_i / D_i),
///
///     Ĝ = Σ̃^½ Σ_i [ w_i w_iᵀ ⊗ (g_i² / D_i²) (I_d ⊕ 0) + I_k ⊗ h_i h_iᵀ ] Σ̃^½,
///
/// of order k rank Σ̃: the one-hidden-layer matrix of W D⁻¹ and D⁻¹ V on data with a constant. A trained gain and shift
/// add w_i w_iᵀ ⊗ [ (v_i, -μ_i) (v_i, -μ_i)ᵀ / D_i² + 0 ⊕ 1 ] inside the brackets.
class frozen_batch_norm_gauss_newton : public detail::small_matrix {
 public:
  /// \throws shape_mismatch when shapes do not fit; invalid_value when a number is not finite or a deviation is not
  /// positive.
  frozen_batch_norm_gauss_newton(batch_norm_network const& net, frozen_statistics const& statistics,
                                 matrix<double> const& inputs)
      : with_constant(detail::covariance_with_constant(inputs)) {
    detail::check_batch_norm(net, inputs.shape(1));
    auto const k = net.output_weight.shape(0), m = net.hidden_weight.shape(0), d = inputs.shape(1);
    if (statistics.mean.size() != m || statistics.deviation.size() != m)
      throw shape_mismatch("batch norm: statistics of " + std::to_string(m) + " units were expected, came " +
                           std::to_string(statistics.mean.size()) + " and " +
                           std::to_string(statistics.deviation.size()));
    check_finite("batch norm: mean", std::span<double const>(elements(statistics.mean)));
    check_finite("batch norm: deviation", std::span<double const>(elements(statistics.deviation)));
    auto const& s = with_constant.eigenvalues();
    auto const& basis = with_constant.basis();
    auto const r = with_constant.rank();
    auto const root = [&](std::span<double const> v) {  // Σ̃^½ v in the eigenbasis, v [d + 1]
      auto y = zeros<double>(r);
      for (std::size_t p = 0; p < r; ++p) {
        for (std::size_t j = 0; j <= d; ++j) y(p) += basis(p, j) * v[j];
        y(p) *= std::sqrt(s(p));
      }
      return y;
    };
    auto constant = zeros<double>(d + 1);
    constant(d) = 1;
    auto const one = root(elements(constant));
    // Σ̃^½ (I_d ⊕ 0) Σ̃^½ = Σ̃ - one oneᵀ.
    g = zeros<double>(k * r, k * r);
    auto direction = zeros<double>(d + 1);
    auto block = zeros<double>(r, r);
    for (std::size_t i = 0; i < m; ++i) {
      double const deviation = statistics.deviation(i);
      if (!(deviation > 0))
        throw invalid_value("batch norm: the deviation of unit " + std::to_string(i) + " is " +
                            std::to_string(deviation));
      double const gain = net.affine ? net.affine->gain(i) : 1, shift = net.affine ? net.affine->shift(i) : 0;
      for (std::size_t j = 0; j < d; ++j) direction(j) = net.hidden_weight(i, j) / deviation;
      direction(d) = -statistics.mean(i) / deviation;
      auto const normalised = root(elements(direction));
      for (std::size_t p = 0; p < r; ++p)
        for (std::size_t q = 0; q < r; ++q) {
          double const inputs_only = (p == q ? s(p) : 0) - one(p) * one(q);
          block(p, q) = gain * gain / (deviation * deviation) * inputs_only;
          if (net.affine) block(p, q) += normalised(p) * normalised(q) + one(p) * one(q);
        }
      detail::add_kronecker(g, net.output_weight, i, block);
      auto readout = normalised;
      for (std::size_t p = 0; p < r; ++p) readout(p) = gain * normalised(p) + shift * one(p);
      detail::add_readout(g, k, elements(readout));
    }
  }

  /// Σ̃, the covariance of (x, 1).
  covariance const& data() const { return with_constant; }

 private:
  covariance with_constant;
};

/// κ(G) in training mode.
struct exact_batch_norm_t : detail::value_statement<exact_batch_norm_t, batch_norm_gauss_newton> {
  static constexpr char const* name = "batch norm, training mode";
  static constexpr char const* hypotheses =
      "one hidden linear layer with batch normalisation, derivatives through the batch's statistics, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/batch_norm.md";
  static constexpr relation claims = relation::equality;

  static double value(batch_norm_gauss_newton const& g) { return g.condition_number(); }
};
inline constexpr exact_batch_norm_t exact_batch_norm{};

/// κ(G) with frozen statistics.
struct exact_frozen_batch_norm_t : detail::value_statement<exact_frozen_batch_norm_t, frozen_batch_norm_gauss_newton> {
  static constexpr char const* name = "batch norm, frozen statistics";
  static constexpr char const* hypotheses = "one hidden linear layer with batch normalisation by constants, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/batch_norm.md";
  static constexpr relation claims = relation::equality;

  static double value(frozen_batch_norm_gauss_newton const& g) { return g.condition_number(); }
};
inline constexpr exact_frozen_batch_norm_t exact_frozen_batch_norm{};

/// The statements about batch normalisation, each called on its own matrix.
inline constexpr std::tuple batch_norm_statements{exact_batch_norm, exact_frozen_batch_norm};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
