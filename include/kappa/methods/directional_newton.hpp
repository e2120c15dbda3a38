#pragma once
/// \file
/// Newton steps in the leading directions of a low-rank curvature matrix, each with a damping of its own (Dangel,
/// Tatzel and Hennig 2023, ViViT, section 3.3 and appendix).

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <kappa/derive/directions.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The same damping δ > 0 for every direction.
struct constant_damping {
  double value = 1;
  template <real T>
  vector<T> operator()(directional_derivatives<T> const& d) const {
    auto damping = zeros<T>(d.count());
    damping.fill(static_cast<T>(value));
    return damping;
  }
};

/// A damping per direction that would have helped most samples: slopes and curvatures are drawn anew from the batch's
/// with replacement, `resamples` times, and of a logarithmic grid of dampings the one is taken whose gain
///
///     -γ̃ τ - λ̃ τ² / 2,   τ = -γ / (λ + δ),
///
/// has the best low percentile: 1 - `confidence` of the draws do worse. A direction on which no damping gains is left
/// out (δ = +infinity). Draws depend on the seed and the direction only. (ViViT's code, appendix on damping.)
struct bootstrap_damping {
  double smallest = 1e-3, largest = 1e2;
  std::size_t grid = 100;
  std::size_t resamples = 100;
  double confidence = 0.95;
  std::uint64_t seed = 0;

  /// \throws invalid_value when the grid is empty or not positive, there are no resamples, or the confidence is not
  /// between 0 and 1.
  template <real T>
  vector<T> operator()(directional_derivatives<T> const& d) const {
    if (!(smallest > 0 && largest >= smallest && grid >= 1 && resamples >= 1 && confidence > 0 && confidence < 1))
      throw invalid_value(
          "bootstrap_damping: a grid of at least 1 damping between two positive numbers, at least 1 "
          "resample and a confidence between 0 and 1 were expected, came " +
          std::to_string(grid) + " from " + detail::number(smallest) + " to " + detail::number(largest) + ", " +
          std::to_string(resamples) + " and " + detail::number(confidence));
    auto damping = zeros<T>(d.count());
    auto const slopes = d.mean_slopes(), curvatures = d.mean_curvatures();
    std::vector<double> gamma(resamples), lambda(resamples), gain(resamples);
    for (std::size_t k = 0; k < d.count(); ++k) {
      counter_random random(seed, k);
      for (std::size_t r = 0; r < resamples; ++r) {
        gamma[r] = resampled_mean(d.slopes, k, random);
        lambda[r] = resampled_mean(d.curvatures, k, random);
      }
      double best_gain = 0, best = std::numeric_limits<double>::infinity();
      for (std::size_t i = 0; i < grid; ++i) {
        double const share = grid > 1 ? static_cast<double>(i) / static_cast<double>(grid - 1) : 0.0;
        double const delta = smallest * std::pow(largest / smallest, share);
        double const step = -static_cast<double>(slopes(k)) / (static_cast<double>(curvatures(k)) + delta);
        for (std::size_t r = 0; r < resamples; ++r) gain[r] = -gamma[r] * step - lambda[r] * step * step / 2;
        auto const rank = static_cast<std::size_t>((1 - confidence) * static_cast<double>(resamples));
        auto const low = gain.begin() + static_cast<std::ptrdiff_t>(std::min(rank, resamples - 1));
        std::nth_element(gain.begin(), low, gain.end());
        if (*low > best_gain) {
          best_gain = *low;
          best = delta;
        }
      }
      damping(k) = static_cast<T>(best);
    }
    return damping;
  }

 private:
  template <real T>
  static double resampled_mean(matrix<T> const& values, std::size_t k, counter_random& random) {
    auto const n = values.shape(0);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) total += static_cast<double>(values(random.below(n), k));
    return total / static_cast<double>(n);
  }
};

/// How the directions of a Newton step are damped: a callable that gives δ_k for every k, from everything that is known
/// about the directions. Infinity leaves a direction out.
template <class D, class T>
concept direction_damping = requires(D const& damping, directional_derivatives<T> const& d) {
  { damping(d) } -> std::convertible_to<vector<T>>;
};

/// A damped Newton step and what it came from, an entry per group of parameters (one for a whole matrix).
template <real T>
struct directional_newton_step {
  vector<T> step;  ///< to be added to the parameters, [P]
  std::vector<directional_derivatives<T>> groups;
  std::vector<vector<T>> damping;  ///< δ_k, [K] each
};

namespace detail {

/// y = Σ_k c_k e_k with c_k = -γ_k / (λ_k + δ_k), as one product with V.
template <class Root, real T>
void newton_step_in(Root const& root, directional_derivatives<T> const& d, vector<T> const& damping, double rescale,
                    std::span<T> y) {
  if (damping.size() != d.count())
    throw shape_mismatch("a damping for each of " + std::to_string(d.count()) + " directions was expected, " +
                         std::to_string(damping.size()) + " came");
  auto const slopes = d.mean_slopes(), curvatures = d.mean_curvatures();
  auto const m = d.gram_vectors.shape(1);
  std::vector<T> weights(m);
  for (std::size_t k = 0; k < d.count(); ++k) {
    double const denominator = static_cast<double>(curvatures(k)) + static_cast<double>(damping(k));
    if (!(denominator > 0))
      throw invalid_value("direction " + std::to_string(k) + " has curvature " +
                          number(static_cast<double>(curvatures(k))) + " and damping " +
                          number(static_cast<double>(damping(k))) + ": a positive sum was expected");
    // e_k = V ẽ_k / √λ_k with the λ_k of V itself, before any rescaling to another batch.
    double const length = std::sqrt(static_cast<double>(d.eigenvalues(k)) / rescale);
    auto const c = static_cast<T>(-static_cast<double>(slopes(k)) / denominator / length);
    for (std::size_t i = 0; i < m; ++i) weights[i] += c * d.gram_vectors(k, i);
  }
  root.multiply(weights, y);
}

}  // namespace detail

/// s = -Σ_k γ_k / (λ_k + δ_k) e_k over the chosen directions: gradient and curvature as in directional_derivatives_of,
/// δ from `damping`. For a partition, each group's step on its own parameters. Forms one vector of the size of the
/// parameters, the step.
/// \throws as directional_derivatives_of; invalid_value when λ_k + δ_k is not positive; shape_mismatch when a callable
/// gives another number of dampings than there are directions.
template <objective_type Objective, real T, request R, request S, quantity Q, direction_selection Selection,
          direction_damping<T> Damping>
directional_newton_step<T> directional_newton_step_of(derivation<Objective, T, R> const& curvature, Q const& which,
                                                      derivation<Objective, T, S> const& gradients,
                                                      Selection const& selection, Damping const& damping) {
  auto const matrices = curvature[which];
  directional_newton_step<T> result{zeros<T>(static_cast<std::size_t>(Objective::parameter_count)), {}, {}};
  auto const one = [&](auto const& root, int group, auto&& put) {
    auto const g = gradients.gradients_of(which, group);
    auto d = detail::derivatives_along(root, g, selection);
    vector<T> delta = damping(d);
    std::vector<T> part(root.rows());
    detail::newton_step_in(root, d, delta, detail::batch_rescale(g.scale(), g.samples(), root.scale(), root.samples()),
                           std::span<T>(part));
    put(part);
    result.groups.push_back(std::move(d));
    result.damping.push_back(std::move(delta));
  };
  if constexpr (Q::partition::kind == partition_kind::whole) {
    one(matrices.root(), 0, [&](std::vector<T> const& part) { std::ranges::copy(part, result.step.data()); });
  } else {
    for (std::size_t g = 0; g < matrices.groups(); ++g)
      one(matrices.group(g).root(), static_cast<int>(g), [&](std::vector<T> const& part) {
        auto const at = matrices.indices_of(g);
        for (std::size_t i = 0; i < at.size(); ++i) result.step(at[i]) = part[i];
      });
  }
  return result;
}

/// The same on one derivation.
template <objective_type Objective, real T, request R, quantity Q, direction_selection Selection,
          direction_damping<T> Damping>
directional_newton_step<T> directional_newton_step_of(derivation<Objective, T, R> const& q, Q const& which,
                                                      Selection const& selection, Damping const& damping) {
  return directional_newton_step_of(q, which, q, selection, damping);
}

}  // namespace kappa::inline KAPPA_ARCH
