#pragma once

#include <cstddef>
#include <cstdint>

#include <kappa/derive/layout.hpp>
#include <kappa/tensor/array.hpp>

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

  bool continues = false;  ///< adds to the gradient of the samples before

  T* per_sample = nullptr;
  std::size_t capacity = 0;
  T* fixed = nullptr;
  T* gram = nullptr;
  T* scratch = nullptr;

  /// A buffer of the plan.
  T* at(int place) const { return per_sample + static_cast<std::size_t>(place) * capacity; }
  /// A value: a buffer of the plan or the batch's inputs.
  T const* value(int place) const { return place == place_of::batch_inputs ? inputs : at(place); }
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
