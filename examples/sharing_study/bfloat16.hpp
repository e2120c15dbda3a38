#pragma once
/// \file
/// Numbers rounded to bfloat16: a float with 8 bits of significand.

#include <bit>
#include <cstdint>

#include <kappa/tensor/array.hpp>

namespace sharing_study {

/// The nearest bfloat16, to even where two are as near; as a float. For finite numbers.
inline float bfloat16(float value) {
  auto const bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
}

inline kappa::matrix<float> bfloat16(kappa::matrix<float> m) {
  for (float& v : kappa::elements(m)) v = bfloat16(v);
  return m;
}

}  // namespace sharing_study
