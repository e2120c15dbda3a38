#pragma once
/// \file
/// The identity, which takes the size of whatever it is added to, and its multiples.

#include <type_traits>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {

/// λ I of any size: what damping is made of.
struct scaled_identity {
  double value = 1;
};

/// I of any size.
inline constexpr scaled_identity identity{1};

template <class S>
requires std::is_arithmetic_v<S>
constexpr scaled_identity operator*(S scale, scaled_identity i) { return {static_cast<double>(scale) * i.value}; }
template <class S>
requires std::is_arithmetic_v<S>
constexpr scaled_identity operator*(scaled_identity i, S scale) { return scale * i; }
constexpr scaled_identity operator+(scaled_identity a, scaled_identity b) { return {a.value + b.value}; }
constexpr scaled_identity operator-(scaled_identity a) { return {-a.value}; }

}  // namespace kappa::inline KAPPA_ARCH
