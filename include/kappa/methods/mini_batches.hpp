#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <kappa/derive/derive.hpp>
#include <kappa/tensor/batch.hpp>
#include <kappa/tensor/random.hpp>
#include <kappa/tensor/sub_batch.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {

/// Fills `order` with a random permutation of 0, 1, ... that depends on the seed, the index and the length only
/// (Fisher and Yates).
inline void shuffle(std::span<std::size_t> order, std::uint64_t seed, std::uint64_t index = 0) {
  std::iota(order.begin(), order.end(), std::size_t{0});
  counter_random random(seed, index);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random.below(i))]);
}

/// Data cut into mini-batches in an order that is new for each epoch, and the same for the same seed. Each batch is
/// gathered into one contiguous buffer, and what lies beside its samples with it; the last one of an epoch holds what
/// is left. Each batch of each epoch has a seed of its own for dropout where the data has one. The data must stay
/// alive. Allocates in the constructor, and while masks or graphs are larger than in any batch before.
template <objective_type Objective, real T>
class mini_batches {
 public:
  /// \throws what derive throws about the data; capacity_exceeded when there are no samples or `size` is 0.
  mini_batches(batch<T> const& all, std::size_t size, std::uint64_t seed_)
      : data(all), seed(seed_), order(detail::checked_samples<Objective>(all)), most(std::min(size, order.size())) {
    if (most == 0)
      throw capacity_exceeded("mini-batches of " + std::to_string(size) + " of " + std::to_string(order.size()) +
                              " samples: at least 1 of 1 was expected");
    inputs.resize(most * features);
    if (data.labels.data() != nullptr) {
      labels.resize(most * terms);
    } else {
      targets.resize(most * terms * target_size);
    }
    begin_epoch(0);
  }

  std::size_t samples() const { return order.size(); }
  /// Batches of one epoch.
  std::size_t count() const { return (order.size() + most - 1) / most; }

  /// Puts the samples into the order of an epoch.
  void begin_epoch(std::size_t number) {
    epoch = number;
    shuffle(order, seed, epoch);
  }

  /// Batch i of the epoch, as views of the buffer: valid until the next call.
  batch<T> gather(std::size_t i) {
    std::size_t const first = i * most, n = std::min(most, order.size() - first);
    parallel_ranges(n, 1 + (std::size_t{1} << 15) / features, 1, [&](std::size_t k, std::size_t end) {
      for (; k < end; ++k) {
        std::size_t const from = order[first + k];
        std::copy_n(data.inputs.data() + from * features, features, inputs.data() + k * features);
        if (!labels.empty()) {
          std::copy_n(data.labels.data() + from * terms, terms, labels.data() + k * terms);
        } else {
          std::copy_n(data.targets.data() + from * terms * target_size, terms * target_size,
                      targets.data() + k * terms * target_size);
        }
      }
    });
    std::span<T const> const x(inputs.data(), n * features);
    auto b = !labels.empty() ? batch<T>(x, std::span<int const>(labels.data(), n * terms))
                             : batch<T>(x, std::span<T const>(targets.data(), n * terms * target_size));
    beside.gather(data.side, order.size(), {order.data() + first, n});
    b.side = beside.view(data.side.seed == 0 ? 0 : counter_random(data.side.seed, epoch * count() + i).bits() | 1,
                         data.side.statistics);
    return b;
  }

 private:
  static constexpr auto features = static_cast<std::size_t>(Objective::network::input_shape.size());
  static constexpr auto terms = static_cast<std::size_t>(Objective::terms);
  static constexpr auto target_size = static_cast<std::size_t>(Objective::target_size);

  batch<T> data;
  std::uint64_t seed;
  std::vector<std::size_t> order;
  std::size_t most;
  std::vector<T> inputs, targets;
  std::vector<int> labels;
  gathered_side<T> beside;
  std::size_t epoch = 0;
};

}  // namespace kappa::inline KAPPA_ARCH
