#pragma once

#include <cstddef>
#include <span>

#include <kappa/tensor/array.hpp>

namespace kappa::inline KAPPA_ARCH {

/// A read-only view of a row-major matrix [rows, columns] that lies elsewhere.
template <class T>
struct matrix_view {
  T const* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;

  T const& operator()(std::size_t i, std::size_t j) const { return data[i * columns + j]; }
  std::span<T const> row(std::size_t i) const { return {data + i * columns, columns}; }
  std::span<T const> elements() const { return {data, rows * columns}; }
  /// A copy that owns its elements.
  matrix<T> copy() const {
    auto m = zeros<T>(rows, columns);
    for (std::size_t i = 0; i < rows * columns; ++i) m.data()[i] = data[i];
    return m;
  }
};

}  // namespace kappa::inline KAPPA_ARCH
