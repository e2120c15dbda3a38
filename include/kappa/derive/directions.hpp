#pragma once
/// \file
/// What each sample says about the leading directions of a low-rank curvature matrix (Dangel, Tatzel and Hennig 2023,
/// ViViT, section 3), from Gram matrices alone: neither V, nor an eigenvector, nor a sample's gradient is formed.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/block_krylov.hpp>
#include <kappa/algebra/low_rank.hpp>
#include <kappa/derive/derivation.hpp>

namespace kappa::inline KAPPA_ARCH {

/// A choice of directions: the `count` leading ones; fewer when the matrix has fewer non-zero eigenvalues.
struct leading {
  std::size_t count = 0;
};
/// All with an eigenvalue of at least `threshold`, which `relative` makes a fraction of the largest one.
struct eigenvalues_from {
  double threshold = 0;
  bool relative = false;
};

/// How directions are chosen: by count, by threshold, or by a predicate on an eigenvalue, `bool(double)`. A predicate
/// is asked about every non-zero eigenvalue, so it costs a full decomposition.
template <class S>
concept direction_selection =
    std::same_as<S, leading> || std::same_as<S, eigenvalues_from> || std::predicate<S const&, double>;

/// Slopes and curvatures per sample along the eigenvectors e_k of a low-rank curvature matrix, [K] of them.
template <real T>
struct directional_derivatives {
  vector<T> eigenvalues;   ///< λ_k, descending, [K]
  vector<T> residuals;     ///< of the Gram matrix's pairs: ‖G̃ ẽ_k - λ_k ẽ_k‖, [K]
  matrix<T> gram_vectors;  ///< ẽ_k, unit rows, [K, columns]: e_k = V ẽ_k / √λ_k
  matrix<T> slopes;  ///< γ_nk = e_kᵀ g_n with g_n as in gradient_variance: their mean over n is e_kᵀ∇L, [N, K]
  matrix<T> curvatures;  ///< λ_nk = e_kᵀ G_n e_k, G_n sample n's own matrix; their mean over n is λ_k, [N', K]

  std::size_t count() const { return eigenvalues.size(); }
  /// γ_k = e_kᵀ∇L, [K].
  vector<T> mean_slopes() const { return means(slopes); }
  /// λ_k again, [K].
  vector<T> mean_curvatures() const { return means(curvatures); }

 private:
  static vector<T> means(matrix<T> const& m) {
    auto mean = zeros<T>(m.shape(1));
    for (std::size_t k = 0; k < mean.size(); ++k) {
      double total = 0;
      for (std::size_t n = 0; n < m.shape(0); ++n) total += static_cast<double>(m(n, k));
      mean(k) = static_cast<T>(total / static_cast<double>(m.shape(0)));
    }
    return mean;
  }
};

/// mean² / variance over the samples of every column of [N, K]: how far one sample can be trusted along a direction
/// (population variance; infinite where all samples agree).
template <real T>
vector<T> signal_to_noise(matrix<T> const& values) {
  auto const n = values.shape(0);
  auto ratio = zeros<T>(values.shape(1));
  for (std::size_t k = 0; k < ratio.size(); ++k) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < n; ++i) mean += static_cast<double>(values(i, k)) / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) {
      double const d = static_cast<double>(values(i, k)) - mean;
      variance += d * d / static_cast<double>(n);
    }
    ratio(k) = static_cast<T>(mean * mean / variance);
  }
  return ratio;
}

namespace detail {

template <real T>
certified_eigenpairs<T> first_of(certified_eigenpairs<T> const& p, std::vector<std::size_t> const& kept) {
  auto const n = p.vectors.shape(1);
  certified_eigenpairs<T> some{zeros<T>(kept.size()), zeros<T>(kept.size(), n), zeros<T>(kept.size()),
                               zeros<T>(kept.size(), n), p.products};
  for (std::size_t i = 0; i < kept.size(); ++i) {
    some.values(i) = p.values(kept[i]);
    some.residuals(i) = p.residuals(kept[i]);
    std::copy_n(p.vectors.data() + kept[i] * n, n, some.vectors.data() + i * n);
    std::copy_n(p.images.data() + kept[i] * n, n, some.images.data() + i * n);
  }
  return some;
}

/// The chosen pairs of a Gram matrix [m, m] whose eigenvalue is above m ε times the largest.
template <real T, direction_selection Selection>
certified_eigenpairs<T> selected_pairs(std::span<T const> gram, std::size_t m, Selection const& selection) {
  std::size_t wanted = m;
  if constexpr (std::same_as<Selection, leading>) wanted = std::min(m, selection.count);
  if constexpr (std::same_as<Selection, eigenvalues_from>) wanted = std::min<std::size_t>(m, 16);
  for (;;) {
    auto pairs = leading_eigenpairs(gram, m, wanted);
    auto const found = pairs.values.size();
    if (found == 0) return pairs;
    double const top = static_cast<double>(pairs.values(0));
    double const floor = static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(m) * top;
    if constexpr (std::same_as<Selection, eigenvalues_from>) {
      double const threshold = selection.threshold * (selection.relative ? top : 1.0);
      if (wanted < m && static_cast<double>(pairs.values(found - 1)) >= std::max(threshold, floor)) {
        wanted = std::min(m, 4 * wanted);
        continue;
      }
    }
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < found; ++i) {
      double const value = static_cast<double>(pairs.values(i));
      bool take = value > floor;
      if constexpr (std::same_as<Selection, eigenvalues_from>)
        take = take && value >= selection.threshold * (selection.relative ? top : 1.0);
      else if constexpr (!std::same_as<Selection, leading>)
        take = take && selection(value);
      if (take) kept.push_back(i);
    }
    return kept.size() == found ? pairs : first_of(pairs, kept);
  }
}

/// What L's scale does when the curvature's batch has another size than the gradient's: nothing for a mean, N / N' for
/// a sum; for a weighted mean, the mean weight of a sample in the curvature's batch over that in the gradient's, so
/// that the loss terms' sum is what is estimated.
inline double batch_rescale(double scale, std::size_t samples, double curvature_scale, std::size_t curvature_samples) {
  return scale * static_cast<double>(samples) / (curvature_scale * static_cast<double>(curvature_samples));
}

/// Whether inner products of a root's vectors and the gradients' take less time than k directions in parameter space,
/// formed and applied. In flops of products; passes over what lies in memory count as many as were measured to take
/// as long (`bench/run/growth`).
template <real T>
bool cheaper_by_pairs(layer_vectors<T> const& v, layer_vectors<T> const& g, std::size_t k) {
  constexpr double inner_product = 56, vector = 8, direction = 8;
  auto const count = [](std::size_t n) { return static_cast<double>(n); };
  double by_pairs = 2 * count(k * v.columns() * g.samples), by_directions = 0;
  for (auto const& l : v.layers) {
    double const in = count(l.inputs), out = count(l.outputs), r = count(l.positions);
    double const columns = count(v.per_sample);
    by_pairs += count(v.samples * g.samples) * r * r * (2 * in + columns * (2 * out + inner_product));
    by_directions += count(k) * (2 * r * count(v.samples + g.samples) * in * out +
                                 vector * r * count(v.columns() + g.columns()) * out + direction * in * out);
  }
  return by_pairs <= by_directions;
}

/// <row n of the gradients, V ẽ_k>, [K, N], by inner products of the two batches' layers or through the directions in
/// parameter space, whichever multiplies less.
template <class Root, class Gradients>
auto projected_gradients(Root const& root, Gradients const& gradients, matrix<typename Root::value_type> const& pairs) {
  using T = typename Root::value_type;
  auto const k = pairs.shape(0), n = gradients.samples(), m = static_cast<std::size_t>(root.columns());
  auto projections = zeros<T>(k, n);
  if (projections.size() == 0) return projections;
  auto const v = root.layer_view(), g = gradients.layer_view();
  if (cheaper_by_pairs(v, g, k)) {
    // Some samples of the root at a time: all inner products at once would be a second large matrix.
    constexpr std::size_t block = 64;
    std::vector<T> weights;
    for (std::size_t begin = 0; begin < v.samples; begin += block) {
      auto const part = samples_of(v, begin, std::min(v.samples, begin + block));
      std::size_t const first = begin * v.per_sample, width = part.columns();
      weights.resize(k * width);
      for (std::size_t i = 0; i < k; ++i) std::copy_n(pairs.data() + i * m + first, width, weights.data() + i * width);
      auto const inner = cross_gram(part, g);
      lapack::gemm(false, false, k, n, width, root.vectors_factor(), weights.data(), inner.data(), T(begin > 0 ? 1 : 0),
                   projections.data());
    }
  } else {
    auto directions = unset<T>(k, root.rows());
    root.multiply(elements(pairs), elements(directions));
    gradients.multiply(elements(std::as_const(directions)), elements(projections));
  }
  return projections;
}

template <class Root, class Gradients, direction_selection Selection>
auto derivatives_along(Root const& root, Gradients const& gradients, Selection const& selection) {
  using T = typename Root::value_type;
  auto const m = static_cast<std::size_t>(root.columns()), own = root.samples(), n = gradients.samples();
  if (root.rows() != gradients.parameters())
    throw shape_mismatch("directions in " + std::to_string(root.rows()) + " parameters meet gradients in " +
                         std::to_string(gradients.parameters()));
  auto pairs = selected_pairs(std::span<T const>(root.gram()), m, selection);
  auto const k = pairs.values.size(), per_sample = m / own;
  auto const rescale = batch_rescale(gradients.scale(), n, root.scale(), own);
  directional_derivatives<T> d{pairs.values, pairs.residuals, pairs.vectors, zeros<T>(n, k), zeros<T>(own, k)};
  auto const projections = projected_gradients(root, gradients, pairs.vectors);
  for (std::size_t i = 0; i < k; ++i) {
    double const value = static_cast<double>(pairs.values(i)), length = std::sqrt(value);
    for (std::size_t s = 0; s < n; ++s)
      d.slopes(s, i) = static_cast<T>(static_cast<double>(n) * static_cast<double>(projections(i, s)) / length);
    for (std::size_t s = 0; s < own; ++s) {
      double total = 0;
      for (std::size_t v = 0; v < per_sample; ++v) {
        double const x = static_cast<double>(pairs.images(i, s * per_sample + v));
        total += x * x;
      }
      d.curvatures(s, i) = static_cast<T>(rescale * static_cast<double>(own) * total / value);
    }
    d.eigenvalues(i) = static_cast<T>(rescale * value);
    d.residuals(i) = static_cast<T>(rescale * static_cast<double>(pairs.residuals(i)));
  }
  return d;
}

}  // namespace detail

/// The directional derivatives along the chosen eigenvectors of `curvature`'s quantity `which`, for the samples of
/// `gradients`: the same derivation, or another one of the same objective at the same parameters, on another batch.
/// Where the reduction is a sum and the batches differ in size, curvature is rescaled to the gradients' batch. One
/// result, or a vector with one for every group of a partition.
///
/// `curvature` holds `which`, a Gauss-Newton quantity; `gradients` holds `per_sample_gradient_operator`, or `gradient`
/// beside a Gauss-Newton matrix. Costs the eigenpairs of the Gram matrix and, per layer, 2 N N' (inputs + K outputs)
/// flops; memory K N N' beside the Gram matrix.
/// \throws not_converged when a pair cannot be certified.
template <objective_type Objective, real T, request R, request S, quantity Q, direction_selection Selection>
auto directional_derivatives_of(derivation<Objective, T, R> const& curvature, Q const& which,
                                derivation<Objective, T, S> const& gradients, Selection const& selection) {
  auto const matrices = curvature[which];
  if constexpr (Q::partition::kind == partition_kind::whole) {
    return detail::derivatives_along(matrices.root(), gradients.gradients_of(which, 0), selection);
  } else {
    std::vector<directional_derivatives<T>> all;
    for (std::size_t g = 0; g < matrices.groups(); ++g)
      all.push_back(detail::derivatives_along(matrices.group(g).root(),
                                              gradients.gradients_of(which, static_cast<int>(g)), selection));
    return all;
  }
}

/// The same on one derivation.
template <objective_type Objective, real T, request R, quantity Q, direction_selection Selection>
auto directional_derivatives_of(derivation<Objective, T, R> const& q, Q const& which, Selection const& selection) {
  return directional_derivatives_of(q, which, q, selection);
}

/// The same for `ggn`, along its `count` leading directions.
template <objective_type Objective, real T, request R>
directional_derivatives<T> directional_derivatives_of(derivation<Objective, T, R> const& q, std::size_t count) {
  return directional_derivatives_of(q, ggn, q, leading{count});
}

/// The directions themselves, unit rows e_k = V ẽ_k / √λ_k in parameter space, [K, P]: one product with V each.
template <low_rank_root Root, real T>
matrix<T> directions_of(low_rank<Root> const& curvature, directional_derivatives<T> const& d) {
  auto const& root = curvature.root();
  auto const m = static_cast<std::size_t>(root.columns());
  if (d.gram_vectors.shape(0) > 0 && d.gram_vectors.shape(1) != m)
    throw shape_mismatch("directions of a root with " + std::to_string(d.gram_vectors.shape(1)) +
                         " columns were asked of one with " + std::to_string(m));
  auto e = unset<T>(d.count(), root.rows());
  root.multiply(elements(d.gram_vectors), elements(e));
  for (std::size_t k = 0; k < d.count(); ++k) detail::normalise(std::span<T>(e.data() + k * e.shape(1), e.shape(1)));
  return e;
}

}  // namespace kappa::inline KAPPA_ARCH
