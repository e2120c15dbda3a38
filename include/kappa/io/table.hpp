#pragma once
/// \file
/// Tables for the terminal; the HTML report takes the same.

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <kappa/io/text.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

/// A table of text and numbers. Numbers are formatted by `format_number`; a column is aligned right if each of its
/// cells is a number or empty. To write a number in another way, and still align it: `cell::number("…")`.
class table {
 public:
  struct cell {
    std::string text;
    bool is_number = false;

    template <class Value>
    cell(Value const& value)  // NOLINT: a value is a cell
        : text(), is_number(std::is_arithmetic_v<Value> && !std::same_as<Value, bool>) {
      if constexpr (std::same_as<Value, bool>)
        text = value ? "yes" : "no";
      else if constexpr (std::is_arithmetic_v<Value>)
        text = format_number(value);
      else
        text = value;
    }
    static cell number(std::string text) {
      cell c(std::move(text));
      c.is_number = true;
      return c;
    }
  };

  table(std::initializer_list<std::string> columns) : columns_(columns) {}
  explicit table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  /// Adds a row.
  /// \throws shape_mismatch  not one cell per column
  template <class... Values>
  table& row(Values const&... values) {
    return add(std::vector<cell>{cell(values)...});
  }
  table& add(std::vector<cell> cells) {
    if (cells.size() != columns_.size())
      throw shape_mismatch(
          detail::say("a table of ", columns_.size(), " columns was given a row of ", cells.size(), " cells"));
    rows_.push_back(std::move(cells));
    return *this;
  }

  /// A rule above the next row, as before a total.
  table& rule() {
    rules_.push_back(rows_.size());
    return *this;
  }

  std::vector<std::string> const& columns() const { return columns_; }
  std::vector<std::vector<cell>> const& rows() const { return rows_; }
  bool rule_above(std::size_t row) const { return std::ranges::find(rules_, row) != rules_.end(); }
  bool is_numeric(std::size_t column) const {
    return std::ranges::any_of(rows_, [&](auto const& row) { return row[column].is_number; }) &&
           std::ranges::all_of(rows_,
                               [&](auto const& row) { return row[column].is_number || row[column].text.empty(); });
  }

  /// Prints the table: the header, a rule, the rows, two blanks between columns.
  friend std::ostream& operator<<(std::ostream& out, table const& t) {
    std::vector<std::size_t> widths;
    for (std::size_t j = 0; j < t.columns_.size(); ++j) {
      widths.push_back(detail::width(t.columns_[j]));
      for (auto const& row : t.rows_) widths[j] = std::max(widths[j], detail::width(row[j].text));
    }
    auto const line = [&](auto const& text_of) {
      std::string text;
      for (std::size_t j = 0; j < widths.size(); ++j) {
        std::string const& word = text_of(j);
        std::string const blanks(widths[j] - detail::width(word), ' ');
        text += detail::say(j ? "  " : "", t.is_numeric(j) ? blanks : word, t.is_numeric(j) ? word : blanks);
      }
      out << text.erase(text.find_last_not_of(' ') + 1) << '\n';
    };
    auto const rule = [&] {
      std::string text;
      for (std::size_t j = 0; j < widths.size(); ++j) {
        text += j ? "  " : "";
        for (std::size_t i = 0; i < widths[j]; ++i) text += "─";
      }
      out << text << '\n';
    };
    line([&](std::size_t j) -> std::string const& { return t.columns_[j]; });
    rule();
    for (std::size_t i = 0; i < t.rows_.size(); ++i) {
      if (t.rule_above(i)) rule();
      line([&](std::size_t j) -> std::string const& { return t.rows_[i][j].text; });
    }
    return out;
  }

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<cell>> rows_;
  std::vector<std::size_t> rules_;
};

}
}  // namespace kappa::io
