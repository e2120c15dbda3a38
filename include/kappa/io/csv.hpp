#pragma once
/// \file
/// Tables of numbers as comma-separated text.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kappa/io/file.hpp>
#include <kappa/tensor/array.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

/// A table of numbers: `values` is [rows, columns]; `names` holds the header line's fields, or nothing.
template <real T>
struct csv_table {
  std::vector<std::string> names;
  matrix<T> values;
};

namespace detail {

inline std::string read_text(input_file& file) {
  std::string text;
  for (std::size_t part = std::size_t{1} << 16U, got = part; got == part; part *= 2) {
    auto const old = text.size();
    text.resize(old + part);
    got = file.read_some(std::as_writable_bytes(std::span(text).subspan(old)));
    text.resize(old + got);
  }
  return text;
}

inline std::string_view trimmed(std::string_view field) {
  auto const begin = field.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return field.substr(begin, field.find_last_not_of(" \t") - begin + 1);
}

/// The fields of one line; a field in double quotes may hold the separator.
inline void split_fields(std::string_view line, char separator, std::vector<std::string_view>& fields) {
  fields.clear();
  for (bool more = true; more;) {
    auto const begin = line.find_first_not_of(" \t");
    bool const quoted = begin != std::string_view::npos && line[begin] == '"';
    auto const close = quoted ? line.find('"', begin + 1) : std::string_view::npos;
    auto const end = line.find(separator, close == std::string_view::npos ? 0 : close);
    auto field = trimmed(line.substr(0, end));
    if (close != std::string_view::npos && field.size() >= 2 && field.back() == '"')
      field = field.substr(1, field.size() - 2);
    fields.push_back(field);
    more = end != std::string_view::npos;
    if (more) line.remove_prefix(end + 1);
  }
}

/// A field that is one number, the whole field. An overflowing one comes out infinite, to be refused as such.
template <real T>
bool parse_number(std::string_view field, T& value) {
  if (field.starts_with('+') && !field.starts_with("+-")) field.remove_prefix(1);
  auto const parsed = std::from_chars(field.data(), field.data() + field.size(), value);
  if (parsed.ptr != field.data() + field.size() || field.empty()) return false;
  if (parsed.ec == std::errc::result_out_of_range) {
    long double exact = 0;  // tells an overflow from an underflow, which is a harmless zero
    std::from_chars(field.data(), field.data() + field.size(), exact);
    value = std::abs(exact) < 1 ? T(0) : std::numeric_limits<T>::infinity();
    return true;
  }
  return parsed.ec == std::errc{};
}

}  // namespace detail

/// Reads a table of numbers, plain or gzipped. The first line is a header if one of its fields is no number. Lines
/// end in LF or CRLF; empty lines at the end, blanks around a field and quotes around it are allowed.
/// \throws format_error  empty, ragged, or a field that is no number: with file, line and column, counted from 1
/// \throws invalid_value  a NaN, or a number that is infinite or too large for T
template <real T>
csv_table<T> read_csv(std::filesystem::path const& path, char separator = ',') {
  detail::input_file file(path);
  auto const content = detail::read_text(file);
  std::string_view text = content;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty() && std::string_view("\r\n \t").find(text.back()) != std::string_view::npos)
    text.remove_suffix(1);

  csv_table<T> table;
  std::vector<T> values;
  std::vector<std::string_view> fields;
  std::size_t columns = 0, rows = 0;
  for (std::size_t line = 1; !text.empty(); ++line) {
    auto const end = text.find('\n');
    auto current = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (current.ends_with('\r')) current.remove_suffix(1);
    detail::split_fields(current, separator, fields);
    if (line == 1) {
      columns = fields.size();
      bool header = false;
      for (T value{}; auto const field : fields) header = header || !detail::parse_number(field, value);
      if (header) {
        table.names.assign(fields.begin(), fields.end());
        continue;
      }
    }
    if (fields.size() != columns)
      file.fail("line ", line, ": expected ", columns, " fields, as in line 1, but it has ", fields.size());
    for (std::size_t column = 0; column < columns; ++column) {
      T value{};
      if (!detail::parse_number(fields[column], value))
        file.fail("line ", line, ", column ", column + 1, ": expected a number, but found '",
                  fields[column].substr(0, 40), "'");
      if (!std::isfinite(value))
        throw invalid_value(detail::say(path.string(), ": line ", line, ", column ", column + 1,
                                        ": expected a finite number, but found '", fields[column].substr(0, 40), "'"));
      values.push_back(value);
    }
    ++rows;
  }
  if (rows == 0) file.fail("expected rows of numbers, but there are none");
  table.values = zeros<T>(rows, columns);
  std::ranges::copy(values, table.values.data());
  return table;
}

/// Writes a table so that `read_csv` gives back the same numbers, bit for bit.
/// \throws shape_mismatch  as many names as columns, or none
/// \throws write_error
template <real T>
void write_csv(std::filesystem::path const& path, matrix<T> const& values, std::vector<std::string> const& names = {}) {
  if (!names.empty() && names.size() != values.shape(1))
    throw shape_mismatch(detail::say("a table of ", values.shape(1), " columns was given ", names.size(), " names"));
  std::string content;
  for (std::size_t j = 0; j < names.size(); ++j) content += detail::say(j ? ",\"" : "\"", names[j], '"');
  if (!names.empty()) content += '\n';
  std::array<char, 64> buffer{};
  for (std::size_t i = 0; i < values.shape(0); ++i) {
    for (std::size_t j = 0; j < values.shape(1); ++j) {
      auto const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), values(i, j));
      if (j) content += ',';
      content.append(buffer.data(), end.ptr);
    }
    content += '\n';
  }
  detail::write_file(path, content);
}

}
}  // namespace kappa::io
