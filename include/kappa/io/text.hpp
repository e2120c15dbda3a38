#pragma once
/// \file
/// Sentences, and numbers as people read them.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

namespace detail {

/// The arguments written one after the other: how every message of this room is put together.
template <class... Parts>
std::string say(Parts const&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// A shape as it is written in messages: [60000, 28, 28].
inline std::string shape_text(std::vector<std::size_t> const& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += say(i ? ", " : "", shape[i]);
  return text + "]";
}

/// How many columns UTF-8 text takes on a terminal, if every code point takes one.
inline std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// An exponent in superscript digits.
inline std::string superscript(int exponent) {
  static constexpr std::array<char const*, 10> digits{"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "⁻" : "";
  for (char c : std::to_string(exponent < 0 ? -exponent : exponent)) text += digits[static_cast<std::size_t>(c - '0')];
  return text;
}

/// Digits in groups of three: 101,770. A sign and a fraction stay as they are.
inline std::string grouped(std::string_view digits) {
  auto const begin = static_cast<std::size_t>(digits.starts_with('-'));
  auto const end = std::min(digits.find('.'), digits.size());
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > begin && i < end && (end - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

inline std::string fixed(double value, int decimals) {
  std::array<char, 400> buffer{};  // the longest double has 309 digits before the point
  auto const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed,
                                 std::clamp(decimals, 0, 60));
  return {buffer.data(), end.ptr};
}

}  // namespace detail

/// A number for people: integers with thousands separators; other values with `digits` significant digits, as
/// 0.00123 or 1,234.5 where that is short and as 1.23·10⁻⁷ where it is not; "NaN", "∞" and "-∞" by name.
template <class Number>
requires std::is_arithmetic_v<Number> std::string format_number(Number number, int digits = 4) {
  if constexpr (std::integral<Number>) {
    return detail::grouped(std::to_string(number));
  } else {
    auto const value = static_cast<double>(number);
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-∞" : "∞";
    if (value == 0) return "0";
    digits = std::clamp(digits, 1, 17);
    std::array<char, 40> buffer{};
    auto const end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific, digits - 1);
    std::string_view const text(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
    auto const at = text.find('e');
    int exponent = 0;
    std::from_chars(text.data() + at + (text[at + 1] == '+' ? 2 : 1), text.data() + text.size(), exponent);
    auto const trimmed = [](std::string s) {
      if (s.find('.') == std::string::npos) return s;
      s.erase(s.find_last_not_of('0') + 1);
      if (s.back() == '.') s.pop_back();
      return s;
    };
    if (exponent >= -4 && exponent < std::max(digits, 6))
      return detail::grouped(trimmed(detail::fixed(value, std::max(0, digits - 1 - exponent))));
    auto const mantissa = trimmed(std::string(text.substr(0, at)));
    auto const power = detail::say("10", detail::superscript(exponent));
    return mantissa == "1" ? power : mantissa == "-1" ? detail::say("-", power) : detail::say(mantissa, "·", power);
  }
}

/// A duration for people: "850 ms", "12.3 s", "4 min 05 s", "2 h 07 min".
inline std::string format_seconds(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "?";
  if (seconds < 0.9995) return format_number(seconds * 1e3, 3) + " ms";
  if (seconds < 59.95) return detail::fixed(seconds, 1) + " s";
  auto const two = [](std::int64_t n) { return detail::say(n < 10 ? "0" : "", n); };
  auto const whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 3600) return std::to_string(whole / 60) + " min " + two(whole % 60) + " s";
  auto const minutes = static_cast<std::int64_t>(seconds / 60 + 0.5);
  return std::to_string(minutes / 60) + " h " + two(minutes % 60) + " min";
}

/// A count of bytes for people: "512 B", "1.6 MB" (powers of 1000).
inline std::string format_bytes(double bytes) {
  static constexpr std::array<char const*, 6> units{"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  for (; bytes >= 999.5 && unit + 1 < units.size(); ++unit) bytes /= 1000;
  return format_number(bytes, 3) + " " + units[unit];
}

}
}  // namespace kappa::io
