#pragma once
/// \file
/// Random numbers that depend on a seed and a counter only, so that results are the same whatever the thread
/// count and the order of evaluation.

#include <cmath>
#include <cstdint>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {

/// A stream of numbers for one (seed, index): splitmix64 (Steele, Lea and Flood 2014) started at a mix of both.
class counter_random {
 public:
  constexpr explicit counter_random(std::uint64_t seed, std::uint64_t index = 0)
      : state(mix(seed + 0x9e3779b97f4a7c15u) ^ mix(index * 0xd1342543de82ef95u + 0x632be59bd9b4e019u)) {}

  constexpr std::uint64_t bits() {
    state += 0x9e3779b97f4a7c15u;
    return mix(state);
  }
  /// Uniform in [0, 1), 53 bits.
  constexpr double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// Standard normal (Box and Muller 1958).
  double normal() {
    double const radius = std::sqrt(-2 * std::log1p(-uniform()));
    return radius * std::cos(6.283185307179586476925 * uniform());
  }
  /// Uniform in [0, n).
  constexpr std::uint64_t below(std::uint64_t n) {
    return static_cast<std::uint64_t>(uniform() * static_cast<double>(n));
  }

 private:
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t state;
};

}  // namespace kappa::inline KAPPA_ARCH
