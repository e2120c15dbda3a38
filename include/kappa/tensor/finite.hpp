#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

template <class T>
using bits_of = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// The exponent's bits, all of which are set in NaN and infinities only.
template <class T>
inline constexpr bits_of<T> exponent_bits = sizeof(T) == 4 ? bits_of<T>(0x7f800000u)
                                                           : static_cast<bits_of<T>>(0x7ff0000000000000u);

/// Whether the n >= 32 / sizeof(T) numbers from p are finite: three integer operations per 32 bytes, whatever the
/// compiler was told about NaN.
template <class T>
bool all_finite(T const* p, std::size_t n) {
  using bits = bits_of<T>;
  constexpr bits carry = exponent_bits<T> & (~exponent_bits<T> + 1);  // makes an exponent of ones reach the sign
  constexpr std::size_t lanes = 32 / sizeof(T), chains = 4;
  typedef bits vector __attribute__((vector_size(32)));
  bits const volatile in_register = exponent_bits<T>;  // else g++ reads the mask from memory once an element
  vector const mask = vector{} + in_register;
  vector seen[chains] = {};
  auto const see = [&](std::size_t chain, std::size_t i) {
    vector v;
    std::memcpy(&v, p + i, sizeof v);
    seen[chain] |= (v & mask) + carry;
  };
  std::size_t i = 0;
  for (; i + chains * lanes <= n; i += chains * lanes)
    for (std::size_t k = 0; k < chains; ++k) see(k, i + k * lanes);
  for (; i + lanes <= n; i += lanes) see(0, i);
  see(1, n - lanes);  // the rest, and some once more
  vector const all = (seen[0] | seen[1]) | (seen[2] | seen[3]);
  bits any = 0;
  for (std::size_t k = 0; k < lanes; ++k) any |= all[k];
  return (any & ~(~bits(0) >> 1)) == 0;
}

template <class T>
bool is_finite(T v) {
  return (std::bit_cast<bits_of<T>>(v) & exponent_bits<T>) != exponent_bits<T>;
}

template <class T>
[[noreturn, gnu::cold, gnu::noinline]] void throw_not_finite(char const* what, std::span<T const> values) {
  std::size_t i = 0;
  while (is_finite(values[i])) ++i;
  throw invalid_value(std::string(what) + ": element " + std::to_string(i) + " is " + std::to_string(values[i]) +
                      ", a finite number was expected");
}

}  // namespace detail

/// Throws invalid_value, naming `what` and the first offending index, when an element is NaN or infinite.
template <real T>
void check_finite(char const* what, std::span<T const> values) {
  bool finite = true;
  if (values.size() < 32 / sizeof(T))
    for (T const& v : values) finite &= detail::is_finite(v);
  else
    finite = detail::all_finite(values.data(), values.size());
  if (!finite) detail::throw_not_finite(what, values);
}

}  // namespace kappa::inline KAPPA_ARCH
