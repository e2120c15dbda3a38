#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {

/// Throws invalid_value, naming `what` and the first offending index, when an element is NaN or infinite. One
/// integer comparison per element.
template <real T>
void check_finite(char const* what, std::span<T const> values) {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr bits exponent = sizeof(T) == 4 ? bits(0x7f800000u) : static_cast<bits>(0x7ff0000000000000u);
  bits largest = 0;
  for (T const& v : values) {
    bits const e = std::bit_cast<bits>(v) & exponent;
    largest = e > largest ? e : largest;
  }
  if (largest != exponent) return;
  std::size_t i = 0;
  while ((std::bit_cast<bits>(values[i]) & exponent) != exponent) ++i;
  throw invalid_value(std::string(what) + ": element " + std::to_string(i) + " is " + std::to_string(values[i]) +
                      ", a finite number was expected");
}

}  // namespace kappa::inline KAPPA_ARCH
