#pragma once
/// \file
/// Norms, pooling, padding, the order of axes, dropout and softmax by their definitions.

#include <cmath>
#include <vector>

#include <kappa/tensor/random.hpp>

#include "textbook_convolution.hpp"
#include "textbook_scalar.hpp"

namespace kappa::reference::textbook {

/// A value as [rows, columns, channels]: a sequence has one row, a vector one position.
struct as_image {
  int rows, columns, channels;
  explicit as_image(shape const& s)
      : rows(s.rank == 3 ? s.extent[0] : 1), columns(s.rank == 1 ? 1 : s.extent[s.rank - 2]), channels(s.features()) {}
  std::size_t operator()(int i, int j, int c) const {
    return static_cast<std::size_t>((i * columns + j) * channels + c);
  }
};

/// y_e = gain (x_e - mean) / sqrt(variance + epsilon) + shift, the mean and the variance over the elements that
/// `together` says belong with e; about zero where `centred` is false.
template <class N, class Together>
void normalised(place const& at, N const* own, std::vector<N> const& x, std::vector<N>& y, bool centred,
                Together&& together) {
  using std::sqrt;
  int const channels = at.in.features();
  for (int e = 0; e < at.in.size(); ++e) {
    N mean(0), square(0);
    int count = 0;
    for (int i = 0; i < at.in.size(); ++i)
      if (together(i, e)) mean += x[static_cast<std::size_t>(i)], ++count;
    mean = centred ? mean / N(count) : N(0);
    for (int i = 0; i < at.in.size(); ++i)
      if (together(i, e)) {
        N const off = x[static_cast<std::size_t>(i)] - mean;
        square += off * off;
      }
    N z = (x[static_cast<std::size_t>(e)] - mean) / sqrt(square / N(count) + N(at.set[0]) / N(at.set[1]));
    if (at.set[2] != 0) z = z * own[e % channels];
    if (at.set[3] != 0) z = z + own[(at.set[2] != 0 ? channels : 0) + e % channels];
    y[static_cast<std::size_t>(e)] = z;
  }
}

/// The same with numbers that are given, and for padding zero where it is left out of the statistics.
template <class N, class Sample>
void batch_normalised(place const& at, Sample const& sample, N const* own, std::vector<N> const& x, std::vector<N>& y) {
  using std::sqrt;
  int const channels = at.in.features(), of_a_row = at.in.size() / at.in.extent[0];
  if (at.set[4] == 1) {
    auto const seen = [&](int i) {
      return !at.ragged || sample.beside.mask == nullptr || sample.beside.mask[i / of_a_row];
    };
    normalised(at, own, x, y, true, [&](int i, int e) { return i % channels == e % channels && seen(i); });
    for (int e = 0; e < at.in.size(); ++e)
      if (!seen(e)) y[static_cast<std::size_t>(e)] = N(0);
    return;
  }
  auto const* const mean = sample.beside.statistics + at.shift;
  for (int e = 0; e < at.in.size(); ++e) {
    int const c = e % channels;
    N z = (x[static_cast<std::size_t>(e)] - N(mean[c])) / sqrt(N(mean[channels + c]) + N(at.set[0]) / N(at.set[1]));
    if (at.set[2] != 0) z = z * own[c];
    if (at.set[3] != 0) z = z + own[(at.set[2] != 0 ? channels : 0) + c];
    y[static_cast<std::size_t>(e)] = z;
  }
}

template <class N, class Sample>
bool norms(place const& at, Sample const& sample, N const* own, std::vector<N> const& x, std::vector<N>& y) {
  int const channels = at.in.features();
  auto const same_position = [&](int i, int e) { return i / channels == e / channels; };
  if (at.name == "layer_norm") {
    normalised(at, own, x, y, true, same_position);
  } else if (at.name == "rms_norm") {
    normalised(at, own, x, y, false, same_position);
  } else if (at.name == "group_norm") {
    int const each = channels / at.set[4];
    normalised(at, own, x, y, true, [&](int i, int e) { return i % channels / each == e % channels / each; });
  } else if (at.name == "batch_norm") {
    batch_normalised(at, sample, own, x, y);
  } else {
    return false;
  }
  return true;
}

/// Settings: window, stride, (above, left, below, right), dilation, circular, of two numbers each; padding is not
/// counted where the last one asks for it.
template <class N>
bool pools(place const& at, std::vector<N> const& x, std::vector<N>& y) {
  layer_settings const& s = at.set;
  as_image const in(at.in), out(at.out);
  bool const largest = at.name == "max_pool", average = at.name == "average_pool";
  bool const adaptive = at.name == "adaptive_average_pool";
  if (!largest && !average && !adaptive) return false;
  for (int i = 0; i < out.rows; ++i)
    for (int j = 0; j < out.columns; ++j)
      for (int c = 0; c < in.channels; ++c) {
        std::vector<N> seen;
        if (adaptive) {  // all elements that overlap the window [i H / H', (i + 1) H / H')
          for (int a = 0; a < in.rows; ++a)
            for (int b = 0; b < in.columns; ++b)
              if ((a + 1) * out.rows > i * in.rows && a * out.rows < (i + 1) * in.rows &&
                  (b + 1) * out.columns > j * in.columns && b * out.columns < (j + 1) * in.columns)
                seen.push_back(x[in(a, b, c)]);
        } else {
          for (int a = 0; a < s[0]; ++a)
            for (int b = 0; b < s[1]; ++b) {
              int const row = tap(i, a, s[2], s[4], s[8], in.rows, s[10] != 0);
              int const column = tap(j, b, s[3], s[5], s[9], in.columns, s[10] != 0);
              if (row >= 0 && column >= 0) seen.push_back(x[in(row, column, c)]);
            }
        }
        N result = largest ? seen.at(0) : N(0);
        for (N const& v : seen) {
          if (!largest) result += v;
          if (largest && result < v) result = v;
        }
        bool const counts_all = average && s[11] == 0;
        if (!largest) result = result / N(counts_all ? s[0] * s[1] : static_cast<int>(seen.size()));
        y[out(i, j, c)] = result;
      }
  return true;
}

/// Layers that only move elements: y = x at the element of the operand that belongs to each one of the result.
template <class N>
bool moves(place const& at, std::vector<N> const& x, std::vector<N>& y) {
  layer_settings const& s = at.set;
  as_image const in(at.in), out(at.out);
  bool const zero = at.name == "zero_pad", circular = at.name == "circular_pad", up = at.name == "upsample";
  bool const last = at.name == "channels_last", first = at.name == "channels_first", part = at.name == "slice";
  if (!zero && !circular && !up && !last && !first && !part) return false;
  if (last || first) {
    int const channels = last ? at.in.extent[0] : at.in.features();
    int const positions = at.in.size() / channels;
    for (int p = 0; p < positions; ++p)
      for (int c = 0; c < channels; ++c) {
        auto const channel_first = static_cast<std::size_t>(c * positions + p);
        auto const channel_last = static_cast<std::size_t>(p * channels + c);
        y[last ? channel_last : channel_first] = x[last ? channel_first : channel_last];
      }
    return true;
  }
  int const top = at.in.rank == 3 ? s[0] : 0;
  for (int i = 0; i < out.rows; ++i)
    for (int j = 0; j < out.columns; ++j)
      for (int c = 0; c < out.channels; ++c) {
        int a = i, b = j, from = c;
        if (up) a = i * in.rows / out.rows, b = j * in.columns / out.columns;
        if (zero || circular) a = i - top, b = j - s[2];
        if (circular) a = (a + in.rows) % in.rows, b = (b + in.columns) % in.columns;
        if (part) {
          int const axis = (s[0] + at.in.rank) % at.in.rank, from_last = at.in.rank - 1 - axis;
          (from_last == 0 ? from : from_last == 1 ? b : a) += s[1];
        }
        bool const outside = a < 0 || a >= in.rows || b < 0 || b >= in.columns;
        if (!outside) y[out(i, j, c)] = x[in(a, b, from)];
      }
  return true;
}

/// Dropout by the numbers it documents: a stream of the seed and the sample, of that one of the node.
template <class N, class Sample>
bool drops(place const& at, Sample const& sample, std::vector<N> const& x, std::vector<N>& y) {
  if (at.name != "dropout") return false;
  y = x;
  if (sample.beside.seed == 0) return true;
  counter_random of_sample(sample.beside.seed, static_cast<std::uint64_t>(sample.number));
  counter_random random(of_sample.bits(), static_cast<std::uint64_t>(at.node));
  for (N& v : y)
    v = random.uniform() < static_cast<double>(at.set[0]) / at.set[1] ? N(0)
                                                                      : v * N(at.set[1]) / N(at.set[1] - at.set[0]);
  return true;
}

template <class N>
bool softmaxes(place const& at, std::vector<N> const& x, std::vector<N>& y) {
  using std::exp, std::log;
  if (at.name != "softmax" && at.name != "log_softmax") return false;
  int const n = at.in.features();
  for (int e = 0; e < at.in.size(); ++e) {
    N total(0);
    for (int i = e / n * n; i < e / n * n + n; ++i) total += exp(x[static_cast<std::size_t>(i)]);
    N const p = exp(x[static_cast<std::size_t>(e)]) / total;
    y[static_cast<std::size_t>(e)] = at.name == "softmax" ? p : log(p);
  }
  return true;
}

template <class N, class Sample>
bool images(place const& at, Sample const& sample, N const* own, std::vector<N> const& x, std::vector<N>& y) {
  return norms(at, sample, own, x, y) || pools(at, x, y) || moves(at, x, y) || drops(at, sample, x, y) ||
         softmaxes(at, x, y);
}

}  // namespace kappa::reference::textbook
