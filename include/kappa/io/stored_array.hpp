#pragma once
/// \file
/// Arrays as files hold them: an element type, a byte order and a shape, decoded into numbers kappa computes in.
/// What IDX and NPY have in common.

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include <boost/endian/conversion.hpp>

#include <kappa/io/file.hpp>
#include <kappa/tensor/array.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

/// What an array's elements may become in memory: a real number, a byte, or an int (labels).
template <class T>
concept element = real<T> || std::same_as<T, std::uint8_t> || std::same_as<T, int>;

/// An array of any rank, row-major. A scalar has the empty shape and one value.
template <element T>
struct stored_array {
  std::vector<std::size_t> shape;
  std::vector<T> values;
};

namespace detail {

enum class element_type { u1, i1, u2, i2, u4, i4, u8, i8, f4, f8 };

inline std::size_t bytes_of(element_type type) {
  static constexpr std::array<std::size_t, 10> sizes{1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
  return sizes[static_cast<std::size_t>(type)];
}

inline std::string_view name_of(element_type type) {
  static constexpr std::array<std::string_view, 10> names{"uint8", "int8",   "uint16", "int16",   "uint32",
                                                          "int32", "uint64", "int64",  "float32", "float64"};
  return names[static_cast<std::size_t>(type)];
}

/// What a file's header announces.
struct array_header {
  element_type type = element_type::u1;
  boost::endian::order order = boost::endian::order::little;
  std::vector<std::size_t> shape;

  /// The number of elements; 0 if some extent is 0. `checked_header` has seen to it that this does not overflow.
  std::size_t size() const {
    std::size_t n = 1;
    for (auto const extent : shape) n *= extent;
    return n;
  }
};

/// Refuses a header that announces more than the file can hold, before anything is allocated for it.
inline array_header checked_header(array_header header, input_file const& file) {
  bool const empty = std::ranges::find(header.shape, std::size_t{0}) != header.shape.end();
  std::uintmax_t const most = empty ? std::uintmax_t{1} << 32U : file.most_bytes() / bytes_of(header.type);
  std::uintmax_t n = 1;
  for (auto const extent : header.shape) {
    if (extent > most / n)
      file.fail("the header announces shape ", shape_text(header.shape), " of ", name_of(header.type),
                ", but a file of this size holds at most ", most, " elements");
    n *= std::max<std::size_t>(extent, 1);
  }
  return header;
}

/// One element, as T; says why where that cannot be.
template <element T, class Stored>
T converted(Stored value, std::size_t index, input_file const& file) {
  auto const refuse = [&](auto const&... why) {
    throw invalid_value(say(file.path().string(), ": element ", index, " is ", +value, ", ", why...));
  };
  if constexpr (real<T>) {
    if constexpr (std::floating_point<Stored>) {
      if (!std::isfinite(value)) refuse("expected a finite number");
      if constexpr (sizeof(Stored) > sizeof(T))
        if (std::abs(value) > static_cast<Stored>(std::numeric_limits<T>::max())) refuse("which float cannot hold");
    }
    return static_cast<T>(value);
  } else if constexpr (std::floating_point<Stored>) {
    constexpr int most = std::same_as<T, int> ? 1 << 24 : 255;  // float tells all whole numbers apart up to 2²⁴
    constexpr int least = std::same_as<T, int> ? -most : 0;
    if (!(value >= Stored(least) && value <= Stored(most) && value == std::floor(value)))
      refuse("expected a whole number between ", least, " and ", most);
    return static_cast<T>(value);
  } else {
    if (!std::in_range<T>(value))
      refuse("expected a number between ", +std::numeric_limits<T>::min(), " and ", +std::numeric_limits<T>::max());
    return static_cast<T>(value);
  }
}

template <class Stored, element T>
void read_elements_as(input_file& file, boost::endian::order order, std::span<T> into) {
  std::array<std::byte, std::size_t{1} << 14U> buffer;
  for (std::size_t done = 0; done < into.size();) {
    auto const count = std::min(into.size() - done, buffer.size() / sizeof(Stored));
    auto const got = file.read_some(std::span(buffer).first(count * sizeof(Stored)));
    if (got < count * sizeof(Stored))
      file.fail("truncated: expected ", into.size(), " elements of ", sizeof(Stored),
                " bytes, but the file ends after ", done + got / sizeof(Stored));
    for (std::size_t i = 0; i < count; ++i) {
      auto const* const at = reinterpret_cast<unsigned char const*>(buffer.data() + i * sizeof(Stored));
      auto const value = order == boost::endian::order::big
                             ? boost::endian::endian_load<Stored, sizeof(Stored), boost::endian::order::big>(at)
                             : boost::endian::endian_load<Stored, sizeof(Stored), boost::endian::order::little>(at);
      into[done + i] = converted<T>(value, done + i, file);
    }
    done += count;
  }
}

/// Reads the elements the header announces; `into` has exactly that many.
template <element T>
void read_elements(input_file& file, array_header const& header, std::span<T> into) {
  switch (header.type) {
    case element_type::u1:
      return read_elements_as<std::uint8_t>(file, header.order, into);
    case element_type::i1:
      return read_elements_as<std::int8_t>(file, header.order, into);
    case element_type::u2:
      return read_elements_as<std::uint16_t>(file, header.order, into);
    case element_type::i2:
      return read_elements_as<std::int16_t>(file, header.order, into);
    case element_type::u4:
      return read_elements_as<std::uint32_t>(file, header.order, into);
    case element_type::i4:
      return read_elements_as<std::int32_t>(file, header.order, into);
    case element_type::u8:
      return read_elements_as<std::uint64_t>(file, header.order, into);
    case element_type::i8:
      return read_elements_as<std::int64_t>(file, header.order, into);
    case element_type::f4:
      return read_elements_as<float>(file, header.order, into);
    case element_type::f8:
      return read_elements_as<double>(file, header.order, into);
  }
}

/// Everything the header announces, then the end of the file.
template <element T>
stored_array<T> read_array(input_file& file, array_header const& header) {
  stored_array<T> array{header.shape, std::vector<T>(header.size())};
  read_elements<T>(file, header, array.values);
  file.expect_end();
  return array;
}

/// The same with the first axis as rows and all others flattened into columns. Rank 0 is refused; rank 1 is one column.
template <real T>
matrix<T> read_rows(input_file& file, array_header const& header) {
  if (header.shape.empty()) file.fail("expected rows of features (rank 1 or more), but the array is a scalar");
  std::size_t columns = 1;
  for (std::size_t i = 1; i < header.shape.size(); ++i) columns *= header.shape[i];
  matrix<T> rows(typename matrix<T>::shape_type{header.shape[0], columns});
  read_elements<T>(file, header, std::span<T>(rows.data(), rows.size()));
  file.expect_end();
  return rows;
}

/// Appends a number's bytes in the given order.
template <boost::endian::order Order, class Number>
void append(std::string& out, Number number) {
  std::array<unsigned char, sizeof(Number)> bytes{};
  boost::endian::endian_store<Number, sizeof(Number), Order>(bytes.data(), number);
  out.append(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

/// The shape must describe exactly the values given.
template <class T>
void expect_size(std::vector<std::size_t> const& shape, std::span<T> values) {
  std::size_t n = 1;
  for (auto const extent : shape) n *= extent;
  if (n != values.size())
    throw shape_mismatch(
        say("an array of shape ", shape_text(shape), " has ", n, " elements, but ", values.size(), " were given"));
}

}  // namespace detail
}
}  // namespace kappa::io
