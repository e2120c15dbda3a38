#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <kappa/declare/layer_rule.hpp>
#include <kappa/derive/layout.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/batch.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// What one derivation works on: the caller's data and the arena. Trivially copyable, no ownership.
template <class T>
struct context {
  std::size_t samples = 0;
  double scale = 1;  ///< ρ
  T const* theta = nullptr;
  T const* inputs = nullptr;
  int const* labels = nullptr;
  T const* targets = nullptr;
  T const* direction[2] = {nullptr, nullptr};  ///< in the order of the tangents' columns
  std::uint64_t* seed = nullptr;               ///< of each stream, in the workspace

  batch_side<T> side{};
  std::size_t first_sample = 0;                    ///< the number of sample 0 in the batch, which `side` belongs to
  std::size_t side_positions = 0, side_nodes = 0;  ///< of one sample's mask and graph

  std::size_t all_samples = 0;  ///< of the batch, when `samples` are those of a block
  bool continues = false;       ///< adds to what the blocks before gave
  bool ends = true;             ///< the last block

  T* buffers = nullptr;
  std::size_t room = 0;  ///< samples that the buffers have room for
  T* results = nullptr;  ///< of single samples
  std::size_t capacity = 0;
  T* fixed = nullptr;
  T* gram = nullptr;
  T* scratch = nullptr;

  std::atomic<bool>* suspicion = nullptr;  ///< raised where a product is not finite, when somebody wants to know

  /// A buffer of the plan.
  T* at(int place) const { return buffers + static_cast<std::size_t>(place) * room; }
  /// Results of single samples, `size` elements each, from sample 0 on.
  T* result(std::size_t place, std::size_t size = 1) const { return results + place * capacity + first_sample * size; }
  /// A value: a buffer of the plan or the batch's inputs.
  T const* value(int place) const { return place == place_of::batch_inputs ? inputs : at(place); }
  /// What sample n has beside its input.
  sample_side<T> side_of(std::size_t n) const {
    std::size_t const i = first_sample + n;
    sample_side<T> s;
    s.seed = side.seed;
    s.statistics = side.statistics.data();
    if (!side.mask.empty()) s.mask = side.mask.data() + i * side_positions;
    if (!side.adjacency.empty()) s.adjacency = side.adjacency.data() + i * side_nodes * side_nodes;
    if (!side.row_begin.empty()) s.row_begin = side.row_begin.data() + i * side_nodes;
    s.column = side.column.data();
    s.weight = side.weight.empty() ? nullptr : side.weight.data();
    return s;
  }
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
