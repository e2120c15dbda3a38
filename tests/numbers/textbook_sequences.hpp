#pragma once
/// \file
/// Attention, embeddings, positions and read-outs of sequences by their definitions.

#include <cmath>
#include <vector>

#include "textbook_scalar.hpp"

namespace kappa::reference::textbook {

template <class S>
int index_of(S const& v) {
  if constexpr (requires { v.value; }) {
    return static_cast<int>(v.value);
  } else {
    return static_cast<int>(v);
  }
}

template <class N, class Sample>
bool sequences(place const& at, Sample const& sample, N const* own, std::vector<N> const& x, std::vector<N>& y) {
  using std::exp, std::sqrt;
  auto const e = [](int i) { return static_cast<std::size_t>(i); };
  int const positions = at.in.extent[0], d = at.in.features();
  auto const valid = [&](int t) { return !at.ragged || sample.beside.mask == nullptr || sample.beside.mask[t] != 0; };
  auto const row_to = [&](int from, int to) {
    for (int c = 0; c < d; ++c) y[e(to * d + c)] += x[e(from * d + c)];
  };

  if (at.name == "attention") {
    int const width = d / 3, size = width / at.set[0];
    for (int first = 0; first < width; first += size)
      for (int i = 0; i < positions; ++i) {
        if (!valid(i)) continue;
        std::vector<N> weight(e(positions), N(0));
        N total = 0;
        for (int j = 0; j < positions; ++j) {
          if (!valid(j) || (at.set[1] != 0 && j > i)) continue;
          N score = 0;
          for (int c = first; c < first + size; ++c) score += x[e(i * d + c)] * x[e(j * d + width + c)];
          weight[e(j)] = exp(score / sqrt(N(size)));
          total += weight[e(j)];
        }
        for (int j = 0; j < positions; ++j)
          for (int c = first; c < first + size; ++c)
            y[e(i * width + c)] += weight[e(j)] / total * x[e(j * d + 2 * width + c)];
      }
  } else if (at.name == "embedding") {
    for (int t = 0; t < positions; ++t)
      for (int c = 0; c < at.set[1]; ++c)
        if (valid(t)) y[e(t * at.set[1] + c)] = own[index_of(x[e(t)]) * at.set[1] + c];
  } else if (at.name == "positional_embedding") {
    for (int i = 0; i < at.in.size(); ++i) y[e(i)] = x[e(i)] + own[i];
  } else if (at.name == "sinusoidal_positions") {
    for (int t = 0; t < positions; ++t)
      for (int c = 0; c < d; ++c) {
        long double const phase = t * std::pow(10000.0L, -static_cast<long double>(c - c % 2) / d);
        long double const wave = c % 2 == 0 ? std::sin(phase) : std::cos(phase);
        y[e(t * d + c)] = x[e(t * d + c)] + N(static_cast<decltype(sample.beside.adjacency[0] + 0)>(wave));
      }
  } else if (at.name == "class_token") {
    for (int c = 0; c < d; ++c) y[e(c)] = own[c];
    for (int t = 0; t < positions; ++t) row_to(t, t + 1);
  } else if (at.name == "masked") {
    int const row = at.in.size() / positions;
    for (int i = 0; i < at.in.size(); ++i)
      if (valid(i / row)) y[e(i)] = x[e(i)];
  } else if (at.name == "masked_sum_over_positions" || at.name == "masked_mean_over_positions") {
    int count = 0;
    for (int t = 0; t < positions; ++t)
      if (valid(t)) row_to(t, 0), ++count;
    if (at.name == "masked_mean_over_positions" && count > 0)
      for (N& v : y) v = v / N(count);
  } else if (at.name == "first_position") {
    if (valid(0)) row_to(0, 0);
  } else if (at.name == "last_valid_position") {
    int last = -1;
    for (int t = 0; t < positions; ++t)
      if (valid(t)) last = t;
    if (last >= 0) row_to(last, 0);
  } else {
    return false;
  }
  return true;
}

}  // namespace kappa::reference::textbook
