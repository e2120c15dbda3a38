#pragma once
/// \file
/// Loops over features that layers share.

#include <cstring>
#include <type_traits>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// Partial sums side by side: the loop over them becomes vector instructions, and rounding errors stay apart.
inline constexpr int sum_lanes = 16;

/// Σ_i f(i), i < n.
template <class T, class F>
T lane_sum(int n, F&& f) {
  T lane[sum_lanes]{};
  int i = 0;
  for (; i + sum_lanes <= n; i += sum_lanes)
    for (int l = 0; l < sum_lanes; ++l) lane[l] += f(i + l);
  T total = 0;
  for (T partial : lane) total += partial;
  for (; i < n; ++i) total += f(i);
  return total;
}

/// to_i = f(i), or added to it; f does not read what `to` points at.
template <class T, class F>
void store(bool adds, int n, T* __restrict to, F&& f) {
  if (adds) {
    for (int i = 0; i < n; ++i) to[i] += f(i);
  } else {
    for (int i = 0; i < n; ++i) to[i] = f(i);
  }
}

/// to = from, for runs of a few elements, too short to call a function for: in pieces of constant length, of which the
/// last one overlaps the one before.
template <class T>
void copy_run(int count, T const* from, T* to) {
  auto const piece = [=]<int Length>(std::integral_constant<int, Length>, int at) {
    std::memcpy(to + at, from + at, Length * sizeof(T));
  };
  auto const pieces = [=]<int Length>(std::integral_constant<int, Length> length) {
    for (int at = 0; at + Length < count; at += Length) piece(length, at);
    piece(length, count - Length);
  };
  if (count >= 8)
    pieces(std::integral_constant<int, 8>{});
  else if (count >= 4)
    pieces(std::integral_constant<int, 4>{});
  else
    for (int i = 0; i < count; ++i) piece(std::integral_constant<int, 1>{}, i);
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
