#pragma once
/// \file
/// IDX, the format of MNIST: two zero bytes, a type code, the rank, the extents, the elements; all big-endian.
/// Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <kappa/io/stored_array.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

namespace detail {

inline array_header read_idx_header(input_file& file) {
  std::array<std::byte, 4> magic{};
  file.read(magic, "the IDX magic number");
  auto const code = std::to_integer<int>(magic[2]);
  if (magic[0] != std::byte{0} || magic[1] != std::byte{0})
    file.fail("expected an IDX file, which begins with two zero bytes, but it begins with ",
              std::to_integer<int>(magic[0]), " and ", std::to_integer<int>(magic[1]));
  array_header header{.type = {}, .order = boost::endian::order::big, .shape = {}};
  switch (code) {
    case 0x08:
      header.type = element_type::u1;
      break;
    case 0x09:
      header.type = element_type::i1;
      break;
    case 0x0B:
      header.type = element_type::i2;
      break;
    case 0x0C:
      header.type = element_type::i4;
      break;
    case 0x0D:
      header.type = element_type::f4;
      break;
    case 0x0E:
      header.type = element_type::f8;
      break;
    default:
      file.fail("expected an IDX type code of 8, 9, 11, 12, 13 or 14, but it is ", code);
  }
  auto const rank = std::to_integer<std::size_t>(magic[3]);
  if (rank == 0 || rank > 8) file.fail("expected an IDX array of rank 1 to 8, but its rank is ", rank);
  header.shape.resize(rank);
  for (auto& extent : header.shape) {
    std::array<std::byte, 4> bytes{};
    file.read(bytes, "the IDX extents");
    extent = boost::endian::load_big_u32(reinterpret_cast<unsigned char const*>(bytes.data()));
  }
  return checked_header(std::move(header), file);
}

}  // namespace detail

/// Reads an IDX file, plain or gzipped, whatever its element type.
/// \throws format_error  truncated, corrupt, not IDX, more announced than the file can hold, or bytes left over
/// \throws invalid_value  a NaN, an infinity, or an element that T cannot hold
template <element T>
stored_array<T> read_idx(std::filesystem::path const& path) {
  detail::input_file file(path);
  auto const header = detail::read_idx_header(file);
  return detail::read_array<T>(file, header);
}

/// Writes bytes, floats, doubles or ints as an IDX file (not packed). Rank 1 to 8, each extent below 2³².
/// \throws shape_mismatch  the shape does not describe `values`, or IDX cannot say it
/// \throws write_error
template <element T>
void write_idx(std::filesystem::path const& path, std::vector<std::size_t> const& shape, std::span<T const> values) {
  detail::expect_size(shape, values);
  if (shape.empty() || shape.size() > 8)
    throw shape_mismatch(detail::say("an IDX array has rank 1 to 8, but ", shape.size(), " was given"));
  constexpr auto big = boost::endian::order::big;
  constexpr int code = std::same_as<T, std::uint8_t> ? 0x08
                       : std::same_as<T, int>        ? 0x0C
                       : sizeof(T) == 4              ? 0x0D
                                                     : 0x0E;
  std::string content{'\0', '\0', static_cast<char>(code), static_cast<char>(shape.size())};
  for (auto const extent : shape) {
    if (!std::in_range<std::uint32_t>(extent))
      throw shape_mismatch(detail::say("an IDX extent is below 4294967296, but ", extent, " was given"));
    detail::append<big>(content, static_cast<std::uint32_t>(extent));
  }
  for (auto const value : values) detail::append<big>(content, value);
  detail::write_file(path, content);
}

}
}  // namespace kappa::io
