#pragma once
/// \file
/// Aggregations over a graph by their matrices.

#include <cmath>
#include <vector>

#include "textbook_scalar.hpp"

namespace kappa::reference::textbook {

/// y = M x with a dense matrix M made from the adjacency A of the valid nodes: A, D⁻¹ A, or D^{-1/2} (A + I) D^{-1/2}.
template <class N, class Sample>
bool graph_layers(place const& at, Sample const& sample, std::vector<N> const& x, std::vector<N>& y) {
  bool const normalised = at.name == "graph_normalised", mean = at.name == "graph_mean";
  if (!normalised && !mean && at.name != "graph_sum") return false;
  using real = std::remove_cvref_t<decltype(sample.beside.adjacency[0])>;
  auto const& side = sample.beside;
  int const n = at.in.extent[0], d = at.in.features();
  auto const e = [n](int i, int j) { return static_cast<std::size_t>(i * n + j); };
  std::vector<real> m(e(n, 0));
  for (int i = 0; i < n; ++i) {
    if (side.adjacency != nullptr) {
      for (int j = 0; j < n; ++j) m[e(i, j)] = side.adjacency[i * n + j];
    } else {
      for (int edge = side.row_begin[i]; edge < side.row_begin[i + 1]; ++edge)
        m[e(i, side.column[edge])] += side.weight != nullptr ? side.weight[edge] : real(1);
    }
    if (normalised) m[e(i, i)] += 1;
  }
  if (at.ragged && side.mask != nullptr)
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j)
        if (side.mask[i] == 0 || side.mask[j] == 0) m[e(i, j)] = 0;

  std::vector<real> degree(static_cast<std::size_t>(n));
  auto const of = [&](int i) { return degree[static_cast<std::size_t>(i)]; };
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) degree[static_cast<std::size_t>(i)] += m[e(i, j)];
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      real& a = m[e(i, j)];
      if (a != 0 && mean) a /= of(i);
      if (a != 0 && normalised) a /= std::sqrt(of(i)) * std::sqrt(of(j));
      for (int c = 0; c < d; ++c)
        y[static_cast<std::size_t>(i * d + c)] += N(a) * x[static_cast<std::size_t>(j * d + c)];
    }
  return true;
}

}  // namespace kappa::reference::textbook
