#pragma once

#include <cstddef>
#include <span>

#include <kappa/tensor/array.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The weight of an exponential running average that is right from the first value on: with w ← β w + 1 and
/// F ← F + (F̂ - F) / w, F is the mean of all values so far with weights 1, β, β², ... from the newest back. It needs
/// neither an initial value nor a correction afterwards; β may change between values.
class running_weight {
 public:
  /// The part 1 / w with which the next value enters; β in [0, 1].
  double next(double decay) {
    w = decay * w + 1;
    return 1 / w;
  }
  /// w, the sum of the weights; 0 before the first value.
  double value() const { return w; }

 private:
  double w = 0;
};

/// average ← average + part (value - average).
template <real T>
void move_towards(std::span<T> average, std::span<T const> value, double part) {
  T const p = static_cast<T>(part);
  for (std::size_t i = 0; i < value.size(); ++i) average[i] += p * (value[i] - average[i]);
}

}  // namespace kappa::inline KAPPA_ARCH
