#pragma once
/// \file
/// The worst of several errors.

/// The larger of two errors. A NaN is larger than any number and stays: std::max would forget it.
template <class T>
constexpr T worst_of(T before, T error) {
  return before != before || error <= before ? before : error;
}
