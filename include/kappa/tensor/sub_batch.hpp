#pragma once
/// \file
/// Some of the samples of a batch, gathered.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <kappa/tensor/array.hpp>
#include <kappa/tensor/batch.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {

/// Copies of chosen samples: curvature may be taken from fewer samples than the gradient. Where the reduction is a
/// mean, a quantity of a sub-batch estimates that of the batch as it is; where it is a sum, after a factor N / N'.
template <real T>
class sub_batch {
 public:
  /// Samples `indices` of `all`, which holds `samples` of them, in that order.
  /// \throws invalid_value when an index is out of range or occurs twice; capacity_exceeded when there is none;
  /// shape_mismatch when the batch's arrays are not multiples of `samples`.
  sub_batch(batch<T> const& all, std::size_t samples, std::span<std::size_t const> indices) {
    if (indices.empty()) throw capacity_exceeded("a sub-batch of 0 samples: at least 1 was expected");
    std::vector<bool> seen(samples);
    for (std::size_t i : indices) {
      if (i >= samples)
        throw invalid_value("sample " + std::to_string(i) + " of a batch of " + std::to_string(samples) +
                            ": an index from 0 to " + std::to_string(samples - 1) + " was expected");
      if (seen[i]) throw invalid_value("sample " + std::to_string(i) + " occurs twice in a sub-batch");
      seen[i] = true;
    }
    gather("inputs", all.inputs, samples, indices, inputs);
    gather("labels", all.labels, samples, indices, labels);
    gather("targets", all.targets, samples, indices, targets);
  }

  /// The samples as a batch, valid as long as this object lives.
  batch<T> view() const {
    std::span<T const> const x(inputs);
    if (!labels.empty()) return {x, std::span<int const>(labels)};
    return {x, std::span<T const>(targets)};
  }

 private:
  template <class V>
  static void gather(char const* what, std::span<V const> from, std::size_t samples,
                     std::span<std::size_t const> indices, std::vector<V>& to) {
    if (from.size() % samples != 0)
      throw shape_mismatch(std::string(what) + ": a multiple of " + std::to_string(samples) +
                           " elements was expected, " + std::to_string(from.size()) + " came");
    std::size_t const size = from.size() / samples;
    for (std::size_t i : indices)
      to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(i * size),
                from.begin() + static_cast<std::ptrdiff_t>((i + 1) * size));
  }

  std::vector<T> inputs, targets;
  std::vector<int> labels;
};

}  // namespace kappa::inline KAPPA_ARCH
