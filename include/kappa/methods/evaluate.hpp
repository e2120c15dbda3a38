#pragma once

#include <algorithm>
#include <cstddef>

#include <kappa/derive/predict.hpp>
#include <kappa/tensor/batch.hpp>
#include <kappa/tensor/sub_batch.hpp>

namespace kappa::inline KAPPA_ARCH {

/// L(θ) on all of `data`, as if it were one batch; `chunk` samples at a time, or all where samples act on one another.
/// For the `mean` reductions this is the mean loss. What lies beside the data is cut with it.
/// \throws shape_mismatch, invalid_value, capacity_exceeded as derive does.
template <objective_type Objective, real T, class Theta>
double evaluate(Theta const& theta, batch<T> const& data, std::size_t chunk = 256) {
  using part_objective = detail::before_reduction<Objective>;  // all terms of a part may be ignored
  std::size_t const samples = detail::checked_samples<Objective>(data);
  double const rho = detail::scale_of<Objective>(data, samples);
  std::size_t const at_once = Objective::network::couples_samples ? samples : std::min(chunk, samples);
  auto work = workspace_for<part_objective, T>(at_once, loss_value);
  double total = 0;  // Σ ℓ, without ρ
  for (std::size_t first = 0; first < samples; first += work.capacity()) {
    std::size_t const n = std::min(work.capacity(), samples - first);
    sub_batch<T> const part(data, samples, first, n);
    total += derive(work, theta, part.view(), loss_value)[loss_value] / part_objective::scale(n);
  }
  return rho * total;
}

/// The fraction of loss terms of labelled data at which the network's largest output is the label's, among those that
/// are not ignored. Of equal outputs the first counts.
/// \throws as evaluate, and invalid_value when the data has no labels or all are ignored.
template <objective_type Objective, real T, class Theta>
double accuracy(Theta const& theta, batch<T> const& data, std::size_t chunk = 256) {
  constexpr auto outputs = static_cast<std::size_t>(Objective::outputs);
  detail::checked_samples<Objective>(data);
  if (data.labels.data() == nullptr) throw invalid_value("accuracy wants data with class labels, target vectors came");
  auto const rows = predict<typename Objective::network, T>(theta, data.inputs, chunk, data.side);
  std::size_t right = 0, counted = 0;
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    if (detail::ignores<typename Objective::loss>(data.labels[i])) continue;
    ++counted;
    T const* const f = rows.data() + i * outputs;
    right += std::max_element(f, f + outputs) - f == data.labels[i] ? 1 : 0;
  }
  if (counted == 0) throw invalid_value("accuracy wants labels that are not ignored, all of them are");
  return static_cast<double>(right) / static_cast<double>(counted);
}

}  // namespace kappa::inline KAPPA_ARCH
