#pragma once
/// \file
/// The arrays a user owns: contiguous, row-major, aligned.

#include <concepts>
#include <cstddef>
#include <span>

#include <kappa/arch.hpp>
#include <kappa/tensor/xtensor.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The scalar types kappa computes in.
template <class T>
concept real = std::same_as<T, float> || std::same_as<T, double>;

/// An owning vector of shape [n].
template <class T>
using vector = xt::xtensor<T, 1>;

/// An owning matrix of shape [rows, columns], row-major.
template <class T>
using matrix = xt::xtensor<T, 2>;

/// A vector of `n` zeros.
template <class T>
vector<T> zeros(std::size_t n) {
  vector<T> v(typename vector<T>::shape_type{n});
  v.fill(T(0));
  return v;
}

/// A matrix of zeros, [rows, columns].
template <class T>
matrix<T> zeros(std::size_t rows, std::size_t columns) {
  matrix<T> m(typename matrix<T>::shape_type{rows, columns});
  m.fill(T(0));
  return m;
}

/// A matrix whose elements are yet to be written, [rows, columns].
template <class T>
matrix<T> unset(std::size_t rows, std::size_t columns) {
  return matrix<T>(typename matrix<T>::shape_type{rows, columns});
}

/// The elements of an array as one span, in row-major order. The array must outlive the span.
template <class T, std::size_t Rank>
std::span<T> elements(xt::xtensor<T, Rank>& a) {
  return {a.data(), a.size()};
}
template <class T, std::size_t Rank>
std::span<T const> elements(xt::xtensor<T, Rank> const& a) {
  return {a.data(), a.size()};
}

}  // namespace kappa::inline KAPPA_ARCH
