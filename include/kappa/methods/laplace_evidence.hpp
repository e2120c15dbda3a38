#pragma once
/// \file
/// The Laplace approximation of a network's log marginal likelihood from a block-diagonal curvature (MacKay 1992; Immer
/// et al. 2021), for choosing prior precisions without validation data.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/block_diagonal.hpp>
#include <kappa/algebra/operations.hpp>

namespace kappa::inline KAPPA_ARCH {

/// Parameters that share a prior N(0, I/δ).
struct evidence_group {
  std::vector<double> eigenvalues;  ///< of the curvature of the summed negative log-likelihood, all of them
  double squared_norm = 0;          ///< ‖θ‖² at the maximum of the posterior

  double count() const { return static_cast<double>(eigenvalues.size()); }
};

struct evidence_options {
  std::size_t iterations = 1000;
  double tolerance = 1e-10;  ///< relative, on every precision
};

/// With one precision δ_l for each group l of P_l parameters, at the maximum θ of the posterior,
///
///     log Z ≈ log p(D | θ) - ½ Σ_l [δ_l ‖θ_l‖² + Σ_i log(λ_li + δ_l) - P_l log δ_l],
///
/// exact when the likelihood is Gaussian in θ and the curvature is the whole Hessian. The eigenvalues are found once;
/// everything afterwards is O(P) for any number of precisions. θ is held fixed: where it depends on δ, train and
/// evaluate in turns.
class laplace_evidence {
 public:
  /// From groups at hand. \throws invalid_value when an eigenvalue is negative beyond rounding or something is not
  /// finite; eigenvalues that rounding made negative are zero.
  laplace_evidence(double log_likelihood_at_mode, std::vector<evidence_group> all)
      : log_likelihood(log_likelihood_at_mode), parts(std::move(all)) {
    for (std::size_t l = 0; l < parts.size(); ++l) check_group(l);
    if (!std::isfinite(log_likelihood)) refuse("the log-likelihood is", log_likelihood);
  }
  /// A group for every block of `curvature` (kfac_matrix, ekfac_matrix, or any block_diagonal whose blocks know all
  /// their eigenvalues), over theta [P]. `scale` makes the curvature that of the *summed* negative log-likelihood: 1 /
  /// ρ of the objective it was derived from (N for `mean`), and divided by σ² for squared errors with noise variance
  /// σ². \throws shape_mismatch when theta's length is not the curvature's; as the other constructor.
  template <linear_operator Curvature>
  laplace_evidence(double log_likelihood_at_mode, Curvature const& curvature, std::span<value_t<Curvature> const> theta,
                   double scale)
      : laplace_evidence(log_likelihood_at_mode, groups_of(curvature, theta, scale)) {}

  std::vector<evidence_group> const& groups() const { return parts; }
  /// The same with one precision for all parameters.
  laplace_evidence merged() const {
    evidence_group one;
    for (auto const& g : parts) {
      one.eigenvalues.insert(one.eigenvalues.end(), g.eigenvalues.begin(), g.eigenvalues.end());
      one.squared_norm += g.squared_norm;
    }
    return {log_likelihood, {std::move(one)}};
  }

  /// log Z at these precisions, one for each group. \throws shape_mismatch; invalid_value when one is not positive.
  double operator()(std::span<double const> precisions) const {
    check(precisions);
    double total = log_likelihood;
    for (std::size_t l = 0; l < parts.size(); ++l) {
      double const delta = precisions[l];
      double logs = -parts[l].count() * std::log(delta);
      for (double v : parts[l].eigenvalues) logs += std::log(v + delta);
      total -= 0.5 * (delta * parts[l].squared_norm + logs);
    }
    return total;
  }

  /// ∂ log Z / ∂ δ_l = ½ [P_l / δ_l - ‖θ_l‖² - Σ_i 1 / (λ_li + δ_l)], θ fixed. \throws as operator().
  std::vector<double> gradient(std::span<double const> precisions) const {
    check(precisions);
    std::vector<double> g(parts.size());
    for (std::size_t l = 0; l < parts.size(); ++l) {
      g[l] = parts[l].count() / precisions[l] - parts[l].squared_norm;
      for (double v : parts[l].eigenvalues) g[l] -= 1 / (v + precisions[l]);
      g[l] *= 0.5;
    }
    return g;
  }

  /// γ_l = Σ_i λ_li / (λ_li + δ_l): how many parameters the data determine. \throws as operator().
  std::vector<double> effective_dimensions(std::span<double const> precisions) const {
    check(precisions);
    std::vector<double> gamma(parts.size());
    for (std::size_t l = 0; l < parts.size(); ++l)
      for (double v : parts[l].eigenvalues) gamma[l] += v / (v + precisions[l]);
    return gamma;
  }

  /// One step of MacKay's fixed point: δ_l ← γ_l / ‖θ_l‖². \throws as operator(); invalid_value when a group has no
  /// length or no curvature, because its evidence grows with δ or 1 / δ without bound.
  std::vector<double> updated(std::span<double const> precisions) const {
    auto next = effective_dimensions(precisions);
    for (std::size_t l = 0; l < parts.size(); ++l) {
      if (!(parts[l].squared_norm > 0 && next[l] > 0))
        throw invalid_value("evidence: group " + std::to_string(l) +
                            " has ‖θ‖² = " + detail::number(parts[l].squared_norm) + " and effective dimension " +
                            detail::number(next[l]) + ": both were expected positive");
      next[l] /= parts[l].squared_norm;
    }
    return next;
  }

  /// The fixed point for this θ, from these precisions: there the gradient is zero.
  /// \throws as `updated`; not_converged.
  std::vector<double> fitted(std::vector<double> precisions, evidence_options o = {}) const {
    for (std::size_t i = 0; i < o.iterations; ++i) {
      auto next = updated(precisions);
      double change = 0;
      for (std::size_t l = 0; l < next.size(); ++l) change = std::max(change, std::abs(next[l] / precisions[l] - 1));
      precisions = std::move(next);
      if (change <= o.tolerance) return precisions;
    }
    throw not_converged("the prior precisions still change by more than a part of " + detail::number(o.tolerance) +
                        " after " + std::to_string(o.iterations) + " iterations");
  }

 private:
  template <class Curvature>
  static std::vector<evidence_group> groups_of(Curvature const& curvature, std::span<value_t<Curvature> const> theta,
                                               double scale) {
    detail::require_length("theta", curvature.size(), theta.size());
    if (!(scale > 0 && std::isfinite(scale))) refuse("the scale is", scale);
    std::vector<evidence_group> groups;
    std::size_t at = 0;
    detail::for_each_block(curvature.blocks(), [&](auto const& block) {
      auto const values = eigenvalues(block);
      detail::require_length("the list of a block's eigenvalues", block.size(), values.size());
      evidence_group g;
      for (auto v : values) g.eigenvalues.push_back(scale * static_cast<double>(v));
      auto const part = theta.subspan(at, block.size());
      g.squared_norm = detail::dot<value_t<Curvature>>(part, part);
      groups.push_back(std::move(g));
      at += block.size();
    });
    return groups;
  }

  [[noreturn]] static void refuse(char const* what, double value) {
    throw invalid_value(std::string("evidence: ") + what + " " + detail::number(value));
  }
  void check_group(std::size_t l) {
    auto& g = parts[l];
    double largest = 0;
    for (double v : g.eigenvalues) {
      if (!std::isfinite(v)) refuse("an eigenvalue is", v);
      largest = std::max(largest, v);
    }
    for (double& v : g.eigenvalues) {
      if (v < -1e-5 * largest) refuse("the curvature is not positive semidefinite: an eigenvalue is", v);
      v = std::max(v, 0.0);
    }
    if (!(g.squared_norm >= 0 && std::isfinite(g.squared_norm))) refuse("a squared norm is", g.squared_norm);
  }
  void check(std::span<double const> precisions) const {
    if (precisions.size() != parts.size())
      throw shape_mismatch("evidence: " + std::to_string(parts.size()) + " precisions were expected, " +
                           std::to_string(precisions.size()) + " came");
    for (double delta : precisions)
      if (!(delta > 0 && std::isfinite(delta))) refuse("a precision is not positive:", delta);
  }

  double log_likelihood;
  std::vector<evidence_group> parts;
};

/// The log-likelihood of `count` numbers with Gaussian noise of variance σ² and a sum of squared errors (not halved):
/// -sse / (2 σ²) - count/2 · log(2πσ²). \throws invalid_value when σ² is not positive.
inline double gaussian_log_likelihood(double sse, double count, double variance) {
  if (!(variance > 0)) throw invalid_value("a noise variance of " + detail::number(variance));
  return -0.5 * (sse / variance + count * std::log(2 * std::numbers::pi * variance));
}

/// ∂ log Z / ∂ log σ² = ½ [sse / σ² - count + Σ λ / (λ + δ)] for an evidence whose eigenvalues are already divided by
/// σ², θ fixed. \throws as laplace_evidence::operator().
inline double noise_gradient(laplace_evidence const& evidence, std::span<double const> precisions, double sse,
                             double count, double variance) {
  double total = sse / variance - count;
  for (double gamma : evidence.effective_dimensions(precisions)) total += gamma;
  return 0.5 * total;
}

}  // namespace kappa::inline KAPPA_ARCH
