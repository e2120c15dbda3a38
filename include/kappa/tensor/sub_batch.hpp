#pragma once
/// \file
/// Some of the samples of a batch, gathered.

#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <kappa/tensor/array.hpp>
#include <kappa/tensor/batch.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// Appends the rows of chosen samples to `to`. \throws shape_mismatch unless `samples` rows of one length came.
template <class V>
void gather_rows(char const* what, std::span<V const> from, std::size_t samples, std::span<std::size_t const> indices,
                 std::vector<V>& to) {
  if (from.size() % samples != 0)
    throw shape_mismatch(std::string(what) + ": a multiple of " + std::to_string(samples) + " elements was expected, " +
                         std::to_string(from.size()) + " came");
  std::size_t const size = from.size() / samples;
  for (std::size_t i : indices)
    to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(i * size),
              from.begin() + static_cast<std::ptrdiff_t>((i + 1) * size));
}

}  // namespace detail

/// What lies beside chosen samples: their masks and graphs. Gathering again takes the same memory.
template <real T>
class gathered_side {
 public:
  /// \throws shape_mismatch when an array does not belong to `samples` samples.
  void gather(batch_side<T> const& from, std::size_t samples, std::span<std::size_t const> indices) {
    mask.clear(), adjacency.clear(), row_begin.clear(), column.clear(), weight.clear();
    detail::gather_rows("mask", from.mask, samples, indices, mask);
    detail::gather_rows("adjacency", from.adjacency, samples, indices, adjacency);
    if (from.row_begin.empty()) return;
    if ((from.row_begin.size() - 1) % samples != 0)
      throw shape_mismatch("row_begin: one more than a multiple of " + std::to_string(samples) +
                           " elements was expected, " + std::to_string(from.row_begin.size()) + " came");
    std::size_t const nodes = (from.row_begin.size() - 1) / samples;
    row_begin.push_back(0);
    for (std::size_t i : indices)
      for (std::size_t v = i * nodes; v < (i + 1) * nodes; ++v) {
        for (int e = from.row_begin[v]; e < from.row_begin[v + 1]; ++e) {
          column.push_back(from.column[static_cast<std::size_t>(e)]);
          if (!from.weight.empty()) weight.push_back(from.weight[static_cast<std::size_t>(e)]);
        }
        row_begin.push_back(static_cast<int>(column.size()));
      }
  }

  /// With what belongs to no sample as it is given. Valid until the next `gather`.
  batch_side<T> view(std::uint64_t seed, std::span<T const> statistics) const {
    return {mask, adjacency, row_begin, column, weight, seed, statistics};
  }

 private:
  std::vector<unsigned char> mask;
  std::vector<T> adjacency, weight;
  std::vector<int> row_begin, column;
};

/// Copies of chosen samples: curvature may be taken from fewer samples than the gradient. Where the reduction is a
/// mean, a quantity of a sub-batch estimates that of the batch as it is; where it is a sum, after a factor N / N'. A
/// `weighted_mean` is divided by the weights of the sub-batch's own terms. Dropout draws by a sample's place in the
/// sub-batch.
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
    detail::gather_rows("inputs", all.inputs, samples, indices, inputs);
    detail::gather_rows("labels", all.labels, samples, indices, labels);
    detail::gather_rows("targets", all.targets, samples, indices, targets);
    beside.gather(all.side, samples, indices);
    seed = all.side.seed;
    statistics.assign(all.side.statistics.begin(), all.side.statistics.end());
  }
  /// Samples first to first + count - 1. \throws the same.
  sub_batch(batch<T> const& all, std::size_t samples, std::size_t first, std::size_t count)
      : sub_batch(all, samples, from(first, count)) {}

  /// The samples as a batch, valid as long as this object lives.
  batch<T> view() const {
    std::span<T const> const x(inputs);
    batch<T> b = labels.empty() ? batch<T>(x, std::span<T const>(targets)) : batch<T>(x, std::span<int const>(labels));
    b.side = beside.view(seed, statistics);
    return b;
  }

 private:
  static std::vector<std::size_t> from(std::size_t first, std::size_t count) {
    std::vector<std::size_t> indices(count);
    std::iota(indices.begin(), indices.end(), first);
    return indices;
  }

  std::vector<T> inputs, targets, statistics;
  std::vector<int> labels;
  gathered_side<T> beside;
  std::uint64_t seed = 0;
};

}  // namespace kappa::inline KAPPA_ARCH
