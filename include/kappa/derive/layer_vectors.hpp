#pragma once
/// \file
/// What is left of a derivation when curvature is asked about afterwards: every layer's inputs and the vectors
/// propagated back to its outputs, with sizes known at run time, so that two batches, or two requests, can meet.

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {

/// One use of a table: the rows [N, R] that positions read, -1 for none, and the vectors s [N, K, R, outputs].
template <real T>
struct table_use {
  std::size_t positions = 1;
  std::vector<int> rows{};
  T const* s = nullptr;
};

/// One layer [outputs, inputs]: a [N, R, inputs] and s [N, K, R, outputs]. Column (n, k) of the layer's matrix is
/// T_nk = Σ_r s_nkr a_nrᵀ, with `bias` followed by Σ_r s_nkr. A bias alone has no inputs.
/// Of a convolution under a pool, for EKFAC, s [N, K, windows, outputs] are those at the positions `places` [N,
/// windows, outputs] that the pool chose; at all others they are zero. Of a table, for K-FAC, a are the unit vectors of
/// the rows read: its uses tell, and a and s are null.
template <real T>
struct layer_vector {
  std::size_t inputs = 0, outputs = 0, positions = 1;
  bool bias = false;
  std::size_t first_row = 0;  ///< of this layer among the rows of all
  T const* a = nullptr;
  T const* s = nullptr;
  std::size_t windows = 0;  ///< 0: s are those of all positions
  T const* places = nullptr;
  std::vector<table_use<T>> uses{};
  /// Elements of s for every output, sample and column.
  std::size_t places_of_vectors() const { return windows > 0 ? windows : positions; }
  /// Where element (place, output) of sample n's vectors is.
  std::size_t position(std::size_t n, std::size_t place, std::size_t output) const {
    return windows > 0 ? static_cast<std::size_t>(places[(n * windows + place) * outputs + output]) : place;
  }
};

/// The layers of one batch: a matrix [rows, N K] by its factors.
template <real T>
struct layer_vectors {
  std::size_t samples = 0;
  std::size_t per_sample = 0;  ///< K
  std::vector<layer_vector<T>> layers;
  std::size_t columns() const { return samples * per_sample; }
};

namespace detail {

template <real T>
void check_same_layers(layer_vectors<T> const& x, layer_vectors<T> const& y) {
  bool same = x.layers.size() == y.layers.size();
  for (std::size_t l = 0; same && l < x.layers.size(); ++l)
    same = x.layers[l].inputs == y.layers[l].inputs && x.layers[l].outputs == y.layers[l].outputs &&
           x.layers[l].bias == y.layers[l].bias && x.layers[l].positions == y.layers[l].positions;
  if (!same) throw shape_mismatch("vectors of two batches meet, which do not belong to the same layers");
}

/// The vectors of samples [begin, end).
template <real T>
layer_vectors<T> samples_of(layer_vectors<T> all, std::size_t begin, std::size_t end) {
  for (auto& l : all.layers) {
    l.a += begin * l.positions * l.inputs;
    l.s += begin * all.per_sample * l.positions * l.outputs;
  }
  all.samples = end - begin;
  return all;
}

/// The same with each bias as a layer of its own, after its weight.
template <real T>
layer_vectors<T> with_separate_biases(layer_vectors<T> const& all) {
  layer_vectors<T> apart{all.samples, all.per_sample, {}};
  for (auto layer : all.layers) {
    bool const has_bias = layer.bias;
    layer.bias = false;
    apart.layers.push_back(layer);
    if (!has_bias) continue;
    layer.bias = true;
    layer.first_row += layer.inputs * layer.outputs;
    layer.inputs = 0;
    apart.layers.push_back(layer);
  }
  return apart;
}

/// Calls visit(rows, t) for every column (n, k) of a table's matrix T_nk: `rows` are those that sample n reads, each
/// once, and t [rows, outputs] are T_nk's columns of them; all others are zero.
template <real T, class F>
void each_column(layer_vectors<T> const& all, layer_vector<T> const& table, F&& visit) {
  auto const out = table.outputs;
  std::vector<std::size_t> rows, place(table.inputs);  // place: 1 + where a row is among those of the sample
  std::vector<T> t;
  for (std::size_t n = 0; n < all.samples; ++n) {
    rows.clear();
    for (auto const& use : table.uses)
      for (std::size_t r = 0; r < use.positions; ++r) {
        int const row = use.rows[n * use.positions + r];
        if (row < 0 || place[static_cast<std::size_t>(row)] > 0) continue;
        rows.push_back(static_cast<std::size_t>(row));
        place[rows.back()] = rows.size();
      }
    for (std::size_t k = 0; k < all.per_sample; ++k) {
      t.assign(rows.size() * out, T(0));
      for (auto const& use : table.uses)
        for (std::size_t r = 0; r < use.positions; ++r) {
          int const row = use.rows[n * use.positions + r];
          if (row < 0) continue;
          T const* const s = use.s + ((n * all.per_sample + k) * use.positions + r) * out;
          T* const to = t.data() + (place[static_cast<std::size_t>(row)] - 1) * out;
          for (std::size_t o = 0; o < out; ++o) to[o] += s[o];
        }
      visit(rows, t);
    }
    for (std::size_t row : rows) place[row] = 0;
  }
}

}  // namespace detail

/// XᵀY, [columns of X, columns of Y], without X or Y: per layer Σ_{rr'} (a_nr·a'_mr' + bias)(s_nkr·s'_mlr'). Costs
/// 2 N M R² (inputs + K L outputs) flops a layer, and memory for the products of a block of samples of X.
/// \throws shape_mismatch when the layers differ.
template <real T>
matrix<T> cross_gram(layer_vectors<T> const& x, layer_vectors<T> const& y) {
  detail::check_same_layers(x, y);
  auto const n = x.samples, m = y.samples, k = x.per_sample, l = y.per_sample;
  auto g = zeros<T>(n * k, m * l);
  if (g.size() == 0) return g;
  std::vector<T> aa, ss;
  for (std::size_t i = 0; i < x.layers.size(); ++i) {
    auto const &p = x.layers[i], &q = y.layers[i];
    auto const r = p.positions, wide = m * l * r;
    std::size_t const block = std::max<std::size_t>(1, (std::size_t{1} << 20) / (k * r * wide));
    for (std::size_t begin = 0; begin < n; begin += block) {
      std::size_t const count = std::min(block, n - begin), rows = count * k * r;
      aa.resize(count * r * m * r);
      ss.resize(rows * wide);
      lapack::gemm(false, true, count * r, m * r, p.inputs, T(1), p.a + begin * r * p.inputs, q.a, T(0), aa.data());
      lapack::gemm(false, true, rows, wide, p.outputs, T(1), p.s + begin * k * r * p.outputs, q.s, T(0), ss.data());
      if (p.bias)
        for (T& v : aa) v += T(1);
      parallel_ranges(count, 1 + (std::size_t{1} << 18) / (k * r * wide), 1, [&](std::size_t first, std::size_t last) {
        for (std::size_t s = first; s < last; ++s)
          for (std::size_t c = 0; c < k; ++c) {
            T* const to = g.data() + ((begin + s) * k + c) * (m * l);
            if (r == 1 && l == 1) {  // by whole vectors
              T const *const from = ss.data() + (s * k + c) * wide, *const weight = aa.data() + s * m;
              for (std::size_t t = 0; t < m; ++t) to[t] += weight[t] * from[t];
              continue;
            }
            for (std::size_t u = 0; u < r; ++u) {
              T const* const from = ss.data() + ((s * k + c) * r + u) * wide;
              T const* const weight = aa.data() + (s * r + u) * (m * r);
              for (std::size_t t = 0; t < m; ++t)
                for (std::size_t d = 0; d < l; ++d) {
                  T total = 0;
                  for (std::size_t v = 0; v < r; ++v) total += weight[t * r + v] * from[(t * l + d) * r + v];
                  to[t * l + d] += total;
                }
            }
          }
      });
    }
  }
  return g;
}

}  // namespace kappa::inline KAPPA_ARCH
