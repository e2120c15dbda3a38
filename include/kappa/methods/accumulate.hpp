#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <string>

#include <kappa/derive/accumulated_ggn.hpp>
#include <kappa/tensor/batch.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/sub_batch.hpp>

namespace kappa::inline KAPPA_ARCH {

/// Something that takes one batch after the other: appended_ggn, truncated_ggn.
template <class A, class T>
concept batch_accumulator = requires(A& accumulator, batch<T> const& b) {
  accumulator.append(b);
};

/// Appends a data set of `samples` samples, with what lies beside them, in batches of `size`, in order; `progress(done,
/// samples)` is called after each, as `io::progress` likes it: `[&](std::size_t done, std::size_t) { bar.advance(done -
/// before); ... }`. \throws as the accumulator, with what was appended before kept; capacity_exceeded when `size` is 0;
/// shape_mismatch when the data's arrays are not multiples of `samples`.
template <real T, batch_accumulator<T> Accumulator, class Progress>
requires std::invocable<Progress&, std::size_t, std::size_t>
void accumulate(Accumulator& accumulator, batch<T> const& data, std::size_t samples, std::size_t size,
                Progress&& progress) {
  if (size == 0 || samples == 0)
    throw capacity_exceeded("batches of " + std::to_string(size) + " of " + std::to_string(samples) +
                            " samples: at least 1 of 1 was expected");
  for (std::size_t first = 0; first < samples; first += size) {
    std::size_t const count = std::min(size, samples - first);
    accumulator.append(sub_batch<T>(data, samples, first, count).view());
    progress(first + count, samples);
  }
}

/// The same without a report on the way.
template <real T, batch_accumulator<T> Accumulator>
void accumulate(Accumulator& accumulator, batch<T> const& data, std::size_t samples, std::size_t size) {
  accumulate(accumulator, data, samples, size, [](std::size_t, std::size_t) {});
}

}  // namespace kappa::inline KAPPA_ARCH
