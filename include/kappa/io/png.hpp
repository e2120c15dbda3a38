#pragma once
/// \file
/// Matrices as small PNG pictures for a page: grey values, or a diverging scale for signed ones.
/// Source: W3C, "Portable Network Graphics", second edition.

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <boost/endian/conversion.hpp>

#include <kappa/io/text.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {
namespace detail {

using color = std::array<std::uint8_t, 3>;

/// From blue through near-white to red; readable without colour vision, as blue and red differ from white in
/// lightness and from each other in hue along the axis that the common deficiencies keep. `value` in [-1, 1].
inline color diverging(double value) {
  static constexpr std::array<color, 5> stops{
      {{5, 48, 97}, {67, 147, 195}, {247, 247, 247}, {214, 96, 77}, {103, 0, 31}}};
  auto const at = (std::clamp(value, -1.0, 1.0) + 1) * 2;
  auto const below = std::min<std::size_t>(3, static_cast<std::size_t>(at));
  color mixed{};
  for (std::size_t i = 0; i < 3; ++i)
    mixed[i] = static_cast<std::uint8_t>(
        std::lround(stops[below][i] + (at - static_cast<double>(below)) * (stops[below + 1][i] - stops[below][i])));
  return mixed;
}

/// Black at 0, white at 1.
inline color grey(double value) {
  auto const level = static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0, 1.0)));
  return {level, level, level};
}

/// A PNG file's bytes for rows × columns pixels, row-major.
inline std::string png(std::size_t rows, std::size_t columns, std::span<color const> pixels) {
  if (rows == 0 || columns == 0 || pixels.size() != rows * columns || rows > 16384 || columns > 16384)
    throw shape_mismatch(say("a picture of ", rows, " × ", columns, " pixels was given ", pixels.size()));
  auto const word = [](std::uint32_t value) {
    std::array<unsigned char, 4> bytes{};
    boost::endian::store_big_u32(bytes.data(), value);
    return std::string(bytes.begin(), bytes.end());
  };
  auto const chunk = [&](std::string const& name, std::string const& data) {
    auto const body = name + data;
    auto const crc = ::crc32(0, reinterpret_cast<Bytef const*>(body.data()), static_cast<uInt>(body.size()));
    return word(static_cast<std::uint32_t>(data.size())) + body + word(static_cast<std::uint32_t>(crc));
  };
  std::string lines;
  for (std::size_t i = 0; i < rows; ++i) {
    lines += '\0';  // no filter
    for (auto const& pixel : pixels.subspan(i * columns, columns)) lines.append(pixel.begin(), pixel.end());
  }
  auto size = compressBound(lines.size());
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<Bytef const*>(lines.data()),
                lines.size(), 9) != Z_OK)
    throw error("a picture could not be compressed");
  packed.resize(size);
  auto const header = word(static_cast<std::uint32_t>(columns)) + word(static_cast<std::uint32_t>(rows)) +
                      std::string("\x08\x02\x00\x00\x00", 5);  // 8 bits, RGB
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", packed) + chunk("IEND", "");
}

inline std::string base64(std::string_view bytes) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    auto const byte = [&](std::size_t k) {
      return i + k < bytes.size() ? static_cast<unsigned>(static_cast<unsigned char>(bytes[i + k])) : 0U;
    };
    auto const group = byte(0) << 16U | byte(1) << 8U | byte(2);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? letters[group >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

}
}
}  // namespace kappa::io::detail
