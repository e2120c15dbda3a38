#pragma once
/// \file
/// The dense twin of an embedding: what it reads instead of tokens, and its parameters in the embedding's order.

#include <cstddef>
#include <span>
#include <vector>

namespace kappa::one_hot {

/// A row of `vocabulary` numbers for every token: one where it is, else zero.
inline std::vector<double> rows_of(std::vector<double> const& tokens, int vocabulary) {
  std::vector<double> rows;
  for (double token : tokens)
    for (int v = 0; v < vocabulary; ++v) rows.push_back(v == static_cast<int>(token) ? 1 : 0);
  return rows;
}

/// Parameters, or anything in their order, of a network that begins with a weight [features, vocabulary], in the order
/// of one that begins with a table [vocabulary, features].
inline std::vector<double> as_table(std::span<double const> twin, int vocabulary, int features) {
  std::vector<double> all(twin.begin(), twin.end());
  auto const rows = static_cast<std::size_t>(vocabulary), width = static_cast<std::size_t>(features);
  for (std::size_t v = 0; v < rows; ++v)
    for (std::size_t o = 0; o < width; ++o) all[v * width + o] = twin[o * rows + v];
  return all;
}

}  // namespace kappa::one_hot
