#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include <kappa/derive/run.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/threads.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {
struct aligned_delete {
  void operator()(void* p) const { ::operator delete(p, std::align_val_t(64)); }
};

/// A request for quantities of single samples where there are none.
template <network_type Network, request R>
inline constexpr diagnosis coupling_fault = [] {
  constexpr int at = Network::coupling_node;
  if constexpr (at >= 0 && !R.whole_batch_only()) {
    return diagnosis{fault::samples_are_coupled, at, 0, 0, {Network::nodes[static_cast<unsigned>(at)].title()}};
  } else {
    return diagnosis{};
  }
}();
}  // namespace detail

/// The memory of derivations of one request on one objective, up to `capacity` samples: a single allocation,
/// aligned to 64 bytes, made by the constructor; `derive` into it allocates nothing. Holds the results until the
/// next derivation. One thread at a time.
template <objective_type Objective, real T, request R>
class basic_workspace {
  static_assert(static_detail::refuse<detail::coupling_fault<typename Objective::network, R>>());

 public:
  using objective = Objective;
  using value_type = T;
  using runner = detail::runner<T, Objective, R>;
  using places = layout<Objective, R>;
  static constexpr request wanted = R;

  /// Bytes that `capacity` samples need on `thread_count` threads: linear in the capacity, or, where large samples go
  /// through the layers in blocks, independent of it but for the results of single samples; plus the square of capacity
  /// times root columns for every Gram matrix, of which a Gauss-Newton matrix has one per group.
  static constexpr std::size_t bytes(std::size_t capacity, int thread_count = threads()) {
    return sizeof(T) * elements(rounded(capacity), thread_count);
  }

  /// \throws capacity_exceeded when `capacity` is 0.
  explicit basic_workspace(std::size_t capacity) : most(capacity), padded(rounded(capacity)), thread_count(threads()) {
    if (capacity == 0) throw capacity_exceeded("a workspace wants a capacity of at least 1 sample, got 0");
    arena.reset(static_cast<T*>(::operator new(bytes(capacity, thread_count), std::align_val_t(64))));
  }

  std::size_t capacity() const { return most; }

  /// A context on this arena for `samples` samples; grows the scratch when more threads were set since.
  detail::context<T> context_for(std::size_t samples) {
    if (samples > most) detail::fail<capacity_exceeded>("a batch of ", samples, " samples in a workspace for ", most);
    if (threads() > thread_count) grow();
    std::size_t const room_now = room(padded, thread_count);
    T* const results = arena.get() + places::buffers_per_sample * room_now;
    T* const fixed = results + places::results_per_sample * padded;
    T* const gram = fixed + places::fixed;
    seeds.fill(0);
    // All at once: members set one by one are cleared by a call before.
    return {.samples = samples,
            .seed = seeds.data(),
            .all_samples = samples,
            .buffers = arena.get(),
            .room = room_now,
            .results = results,
            .capacity = padded,
            .fixed = fixed,
            .gram = gram,
            .scratch = gram + places::quadratic(padded)};
  }
  /// Counts derivations, and losses of their results, so that those of an earlier one can be told.
  std::size_t generation = 0;

 private:
  [[gnu::cold, gnu::noinline]] void grow() {
    std::size_t const derivations = generation;
    *this = basic_workspace(most);
    generation = derivations + 1;
  }
  static constexpr std::size_t rounded(std::size_t capacity) { return detail::padded(capacity); }
  /// Samples that the buffers have room for.
  static constexpr std::size_t room(std::size_t capacity, int thread_count) {
    return rounded(runner::room_for(capacity, thread_count));
  }
  static constexpr std::size_t elements(std::size_t capacity, int thread_count) {
    std::size_t const of_buffers = room(capacity, thread_count);
    return places::buffers_per_sample * of_buffers + places::results_per_sample * capacity + places::fixed +
           places::quadratic(capacity) + runner::scratch_elements(of_buffers, thread_count);
  }

  std::array<std::uint64_t, 1 + static_cast<std::size_t>(program<Objective, R>::streams.count)> seeds{};
  std::size_t most;
  std::size_t padded;
  int thread_count;
  std::unique_ptr<T[], detail::aligned_delete> arena;
};

/// The workspace of a list of quantities: `workspace<digits, float, gradient_t, ggn_t> work(128);`.
template <objective_type Objective, real T, class... Quantities>
using workspace = basic_workspace<Objective, T, request_of<Quantities...>()>;

/// `workspace_for<digits, float>(128, gradient, ggn)`.
template <objective_type Objective, real T, quantity... Quantities>
auto workspace_for(std::size_t capacity, Quantities const&...) {
  return workspace<Objective, T, Quantities...>(capacity);
}

}  // namespace kappa::inline KAPPA_ARCH
