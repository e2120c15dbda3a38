#pragma once
/// \file
/// The Kronecker factors of a layer that are nearest to its Gauss-Newton block in the Frobenius norm, from the layer's
/// vectors: what K-FAC's factors are measured against.

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/nearest_kronecker.hpp>
#include <kappa/derive/kfac_matrix.hpp>
#include <kappa/derive/layer_vectors.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// Of a table, among the products B ⊗ A with A diagonal.
template <real T>
nearest_kronecker_result<T> nearest_of_table(layer_vectors<T> const& vectors, layer_vector<T> const& table, T factor,
                                             nearest_kronecker_options const& o) {
  std::size_t const out = table.outputs;
  double const f = static_cast<double>(factor);
  // visit(row, t [out]) for every row that a column has.
  auto const each = [&](auto&& visit) {
    each_column(vectors, table, [&](std::vector<std::size_t> const& rows, std::vector<T> const& t) {
      for (std::size_t i = 0; i < rows.size(); ++i) visit(rows[i], t.data() + i * out);
    });
  };
  return nearest_by_contractions<T, true>(
      out, table.inputs,
      [&](std::vector<double> const& a, std::vector<double>& b) {
        std::ranges::fill(b, 0.0);
        each([&](std::size_t row, T const* t) {
          for (std::size_t x = 0; x < out; ++x)
            for (std::size_t y = 0; y < out; ++y)
              b[x * out + y] += f * a[row] * static_cast<double>(t[x]) * static_cast<double>(t[y]);
        });
      },
      [&](std::vector<double> const& b, std::vector<double>& a) {
        std::ranges::fill(a, 0.0);
        each([&](std::size_t row, T const* t) {
          for (std::size_t x = 0; x < out; ++x)
            for (std::size_t y = 0; y < out; ++y)
              a[row] += f * b[x * out + y] * static_cast<double>(t[x]) * static_cast<double>(t[y]);
        });
      },
      o);
}

/// Of factor · Σ_nk vec(T_nk) vec(T_nk)ᵀ; one T_nk [out, in (+ 1)] at a time is formed, the block never.
template <real T>
nearest_kronecker_result<T> nearest_of_layer(layer_vectors<T> const& vectors, layer_vector<T> const& layer, T factor,
                                             nearest_kronecker_options const& o) {
  if (!layer.uses.empty()) return nearest_of_table(vectors, layer, factor, o);
  std::size_t const in = layer.inputs + (layer.bias ? 1 : 0), out = layer.outputs, r = layer.positions;
  std::vector<double> t(out * in), half(out * in);
  auto const each = [&](auto&& visit) {
    for (std::size_t n = 0; n < vectors.samples; ++n)
      for (std::size_t k = 0; k < vectors.per_sample; ++k) {
        std::ranges::fill(t, 0.0);
        for (std::size_t p = 0; p < layer.places_of_vectors(); ++p) {
          T const* const s = layer.s + ((n * vectors.per_sample + k) * layer.places_of_vectors() + p) * out;
          for (std::size_t x = 0; x < out; ++x) {
            T const* const a = layer.a + (n * r + layer.position(n, p, x)) * layer.inputs;
            for (std::size_t i = 0; i < in; ++i)
              t[x * in + i] += static_cast<double>(s[x]) * (i < layer.inputs ? static_cast<double>(a[i]) : 1.0);
          }
        }
        visit();
      }
  };
  double const f = static_cast<double>(factor);
  return nearest_by_contractions<T>(
      out, in,
      [&](std::vector<double> const& a, std::vector<double>& b) {
        std::ranges::fill(b, 0.0);
        each([&] {
          lapack::gemm<double>(false, false, out, in, in, 1, t.data(), a.data(), 0, half.data());
          lapack::gemm<double>(false, true, out, out, in, f, half.data(), t.data(), 1, b.data());
        });
      },
      [&](std::vector<double> const& b, std::vector<double>& a) {
        std::ranges::fill(a, 0.0);
        each([&] {
          lapack::gemm<double>(false, false, out, in, out, 1, b.data(), t.data(), 0, half.data());
          lapack::gemm<double>(true, false, in, in, out, f, t.data(), half.data(), 1, a.data());
        });
      },
      o);
}

template <real T>
kfac_matrix<T> nearest_kfac_of(std::vector<kfac_block> const& blocks, layer_vectors<T> const& vectors, T factor,
                               nearest_kronecker_options const& o) {
  std::vector<kronecker<T>> products;
  std::vector<kfac_factors<T>> factors;
  for (std::size_t p = 0; p < blocks.size(); ++p) {
    try {
      products.push_back(nearest_of_layer(vectors, vectors.layers[p], factor, o).product);
    } catch (not_converged const& e) {
      throw not_converged(titles_of(blocks)[p] + ": " + e.what());
    }
    auto const view = [](symmetric<T> const& m) { return matrix_view<T>{m.entries().data(), m.size(), m.size()}; };
    kronecker_factor<T> const& a = products.back().right();
    factors.push_back({blocks[p].parameter,
                       a.is_diagonal() ? matrix_view<T>{a.diagonal_entries().data(), 1, a.size()} : view(a),
                       view(products.back().left()), blocks[p].part});
  }
  return kfac_matrix<T>(factors);
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
