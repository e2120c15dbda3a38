#pragma once
/// \file
/// Blocks of samples. Where one sample's buffers are large, as those of convolutions and of many positions are, a batch
/// outgrows the caches layer by layer; a block of a few samples goes forward and backward through all layers while its
/// buffers are near, and what is a sum over samples gathers what the blocks give. The arena then has room for one
/// block.

#include <algorithm>
#include <cstddef>

#include <kappa/derive/context.hpp>
#include <kappa/derive/layout.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

template <class T, objective_type Objective, request R>
struct sample_blocks {
  using network = typename Objective::network;
  using places = layout<Objective, R>;

  /// Whether blocks give the results of the batch: nothing but sums over samples, scaled by what is known beforehand,
  /// and results of single samples. Vectors that are kept until the end are of all samples, a variance needs the mean
  /// gradient, and means over positions that are not padding need their number.
  static constexpr bool add_up = [] {
    bool ragged = false;
    for (node const& x : network::nodes) ragged = ragged || x.ragged;
    return program<Objective, R>::streams.count > 0 && !R.keeps_vectors() && !R.gradient_variance &&
           !network::couples_samples && !(ragged && R.kfacs > 0);
  }();

  static constexpr std::size_t bytes_per_sample = sizeof(T) * places::buffers_per_sample;
  /// What every block reads and changes: the parameters and the results that are sums.
  static constexpr std::size_t bytes_shared = sizeof(T) * (places::parameter_count + places::fixed);
  /// Samples for each thread: a few, a megabyte of buffers, and several times what blocks share.
  static constexpr std::size_t own =
      bytes_per_sample == 0
          ? 1
          : std::max({std::size_t{4}, (std::size_t{1} << 20) / bytes_per_sample, 4 * bytes_shared / bytes_per_sample});
  /// Whether they pay: samples are large, and so are blocks, but not because of what they share.
  static constexpr bool pay = add_up && bytes_per_sample >= 8 * 1024 &&
                              4 * bytes_shared <= std::max(std::size_t{16} << 20, 4 * bytes_per_sample);

  /// Samples of a block when `samples` are derived on `thread_count` threads.
  static constexpr std::size_t size(std::size_t samples, int thread_count) {
    return pay ? std::min(samples, own * static_cast<std::size_t>(thread_count)) : samples;
  }
};

/// Calls run(context) for blocks of `size` samples, one after the other. All take the same place in the arena.
template <objective_type Objective, class T, class Run>
void over_blocks(context<T> const& c, std::size_t size, Run&& run) {
  constexpr auto inputs = static_cast<std::size_t>(Objective::network::input_shape.size());
  constexpr auto terms = static_cast<std::size_t>(Objective::terms);
  constexpr auto target_size = static_cast<std::size_t>(Objective::target_size);
  context<T> part = c;
  if (size < c.samples) part.room = padded(size);
  for (std::size_t first = 0; first < c.samples; first += size) {
    part.samples = std::min(size, c.samples - first);
    part.first_sample = c.first_sample + first;
    part.inputs = c.inputs + first * inputs;
    if (c.labels != nullptr) part.labels = c.labels + first * terms;
    if (c.targets != nullptr) part.targets = c.targets + first * terms * target_size;
    part.ends = first + part.samples == c.samples;
    run(part);
    part.continues = true;
  }
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
