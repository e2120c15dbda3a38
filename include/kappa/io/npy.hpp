#pragma once
/// \file
/// NPY, numpy's array format, versions 1 to 3. xtensor's own reader is not used: it does not notice a truncated
/// file, nor a header that announces more than memory holds.
/// Source: numpy, "numpy.lib.format" (NEP 1).

#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kappa/io/stored_array.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

namespace detail {

/// The header is a Python dictionary with three known keys; this reads exactly that and refuses the rest.
class npy_dictionary {
 public:
  npy_dictionary(std::string_view text, input_file const& file) : rest_(text), file_(file) {}

  array_header parse() {
    array_header header;
    bool has_type = false, has_order = false, has_shape = false, fortran = false;
    expect('{');
    while (!accept('}')) {
      auto const key = quoted();
      expect(':');
      if (key == "descr") {
        set_type(header, quoted());
        has_type = true;
      } else if (key == "fortran_order") {
        fortran = boolean();
        has_order = true;
      } else if (key == "shape") {
        header.shape = tuple();
        has_shape = true;
      } else {
        file_.fail("the NPY header has an unknown key '", key, "'");
      }
      if (!accept(',') && !next_is('}')) malformed();
    }
    skip_space();
    if (!rest_.empty()) malformed();
    if (!has_type || !has_order || !has_shape)
      file_.fail("expected an NPY header with descr, fortran_order and shape, but one of them is missing");
    if (fortran && header.shape.size() > 1)
      file_.fail("expected an array in C order, but this one is in Fortran order (save numpy.ascontiguousarray of it)");
    return header;
  }

 private:
  [[noreturn]] void malformed() const { file_.fail("expected a Python dictionary as NPY header, but it is malformed"); }

  void skip_space() {
    while (!rest_.empty() && std::string_view(" \t\r\n").find(rest_.front()) != std::string_view::npos)
      rest_.remove_prefix(1);
  }
  bool next_is(char c) {
    skip_space();
    return !rest_.empty() && rest_.front() == c;
  }
  bool accept(char c) {
    if (!next_is(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) malformed();
  }
  std::string_view take(std::size_t n) {
    auto const taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  std::string_view quoted() {
    char const mark = next_is('"') ? '"' : '\'';
    if (next_is('[')) file_.fail("expected one number per element, but this NPY file holds records");
    expect(mark);
    auto const end = rest_.find(mark);
    if (end == std::string_view::npos) malformed();
    auto const text = take(end);
    expect(mark);
    return text;
  }
  bool boolean() {
    skip_space();
    for (std::string_view const word : {"True", "False"})
      if (rest_.starts_with(word)) return take(word.size()) == "True";
    malformed();
  }
  std::vector<std::size_t> tuple() {
    std::vector<std::size_t> shape;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::size_t extent = 0;
      auto const parsed = std::from_chars(rest_.data(), rest_.data() + rest_.size(), extent);
      if (parsed.ec != std::errc{}) file_.fail("expected whole numbers as NPY shape, but found something else");
      take(static_cast<std::size_t>(parsed.ptr - rest_.data()));
      shape.push_back(extent);
      if (shape.size() > 32) file_.fail("expected an NPY array of rank at most 32, but its rank is higher");
      if (!accept(',') && !next_is(')')) malformed();
    }
    return shape;
  }
  void set_type(array_header& header, std::string_view descr) const {
    static constexpr std::array<std::string_view, 10> names{"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"};
    if (descr.size() == 3 && (descr[0] == '<' || descr[0] == '>' || (descr[0] == '|' && descr[2] == '1')))
      for (std::size_t i = 0; i < names.size(); ++i)
        if (descr.substr(1) == names[i]) {
          header.type = static_cast<element_type>(i);
          header.order = descr[0] == '>' ? boost::endian::order::big : boost::endian::order::little;
          return;
        }
    file_.fail("expected elements of type f4, f8, or signed or unsigned integers, but its dtype is '", descr, "'");
  }

  std::string_view rest_;
  input_file const& file_;
};

inline array_header read_npy_header(input_file& file) {
  std::array<std::byte, 8> magic{};
  file.read(magic, "the NPY magic string");
  if (std::string_view(reinterpret_cast<char const*>(magic.data()), 6) != "\x93NUMPY")
    file.fail("expected an NPY file, but it does not begin with numpy's magic string");
  auto const version = std::to_integer<int>(magic[6]);
  if (version < 1 || version > 3) file.fail("expected NPY version 1, 2 or 3, but it is ", version);
  std::array<std::byte, 4> size{};  // little-endian, two bytes in version 1, four later
  file.read(std::span(size).first(version == 1 ? 2 : 4), "the NPY header's length");
  auto const length = boost::endian::load_little_u32(reinterpret_cast<unsigned char const*>(size.data()));
  if (length > 1U << 16U) file.fail("expected an NPY header of at most 65536 bytes, but it announces ", length);
  std::string text(length, ' ');
  file.read(std::as_writable_bytes(std::span(text)), "the NPY header");
  return checked_header(npy_dictionary(text, file).parse(), file);
}

template <element T>
std::string npy_bytes(std::vector<std::size_t> const& shape, std::span<T const> values) {
  expect_size(shape, values);
  std::string_view const type = std::same_as<T, std::uint8_t> ? "|u1"
                                : std::same_as<T, int>        ? "<i4"
                                : sizeof(T) == 4              ? "<f4"
                                                              : "<f8";
  std::string tuple = "(";
  for (auto const extent : shape) tuple += std::to_string(extent) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) tuple.erase(tuple.size() - 2);
  std::string header = say("{'descr': '", type, "', 'fortran_order': False, 'shape': ", tuple, "), }");
  header.append(63 - (10 + header.size()) % 64, ' ');  // the data begin at a multiple of 64
  header += '\n';
  std::string content("\x93NUMPY\x01\x00", 8);
  append<boost::endian::order::little>(content, static_cast<std::uint16_t>(header.size()));
  content += header;
  content.reserve(content.size() + values.size_bytes());
  for (auto const value : values) append<boost::endian::order::little>(content, value);
  return content;
}

}  // namespace detail

/// Reads an NPY file (plain or gzipped) of f4, f8, or integers of 1 to 8 bytes, either byte order, C order.
/// \throws format_error  truncated, corrupt, not NPY, another dtype, Fortran order, more announced than the file
///         can hold, or bytes left over
/// \throws invalid_value  a NaN, an infinity, or an element that T cannot hold
template <element T>
stored_array<T> read_npy(std::filesystem::path const& path) {
  detail::input_file file(path);
  auto const header = detail::read_npy_header(file);
  return detail::read_array<T>(file, header);
}

/// Reads an NPY file as a matrix: the first axis is the rows, all others are flattened into columns.
/// \throws as `read_npy`
template <real T>
matrix<T> read_npy_matrix(std::filesystem::path const& path) {
  detail::input_file file(path);
  auto const header = detail::read_npy_header(file);
  return detail::read_rows<T>(file, header);
}

/// Writes an NPY file, version 1, little-endian, C order: what `numpy.save` writes.
/// \throws shape_mismatch  the shape does not describe `values`
/// \throws write_error
template <element T>
void write_npy(std::filesystem::path const& path, std::vector<std::size_t> const& shape, std::span<T const> values) {
  detail::write_file(path, detail::npy_bytes(shape, values));
}
template <element T, std::size_t Rank>
void write_npy(std::filesystem::path const& path, xt::xtensor<T, Rank> const& array) {
  write_npy<T>(path, std::vector<std::size_t>(array.shape().begin(), array.shape().end()), elements(array));
}

}
}  // namespace kappa::io
