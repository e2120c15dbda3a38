#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/kronecker_eigenbasis.hpp>
#include <kappa/derive/ggn_root.hpp>
#include <kappa/derive/kfac_matrix.hpp>
#include <kappa/kernels/chosen.hpp>

namespace kappa::inline KAPPA_ARCH {

/// EKFAC of a whole network: block diagonal in the flat parameter order, one block per dense parameter that acts on the
/// rows of [W b], or one for its weight and one for its bias; a table's has the natural basis for its rows. `solve`,
/// `factorise`, `log_det` and `inverse` of K + λ I throw singular_matrix naming the layer and the ratio of the block's
/// largest to its smallest eigenvalue.
template <real T>
class ekfac_matrix : public block_diagonal<std::vector<embedded<kronecker_eigenbasis<T>>>> {
  using block = embedded<kronecker_eigenbasis<T>>;
  using base = block_diagonal<std::vector<block>>;

 public:
  /// Whose the blocks are names them in errors.
  ekfac_matrix(std::vector<block> blocks, std::vector<kfac_block> const& whose)
      : base(std::move(blocks)), titles(std::make_shared<std::vector<std::string> const>(detail::titles_of(whose))) {}

  auto factorise(double shift) const {
    return detail::factorise_titled(this->blocks(), *titles, "EKFAC", shift, [](block const& b) {
      std::vector<double> sorted(elements(b.block().basis_eigenvalues()).begin(),
                                 elements(b.block().basis_eigenvalues()).end());
      std::ranges::sort(sorted, std::greater{});
      return "; the condition number of the block is " + detail::number(detail::condition_of<T>(sorted));
    });
  }

 private:
  std::shared_ptr<std::vector<std::string> const> titles;
};

namespace detail {

/// Vectors of D elements into a basis of order D, or D + 1 when a one is to be appended to every vector.
template <real T>
class rotation {
 public:
  rotation(matrix<T> const& basis, std::size_t features) : inputs(features), outputs(basis.shape(0)) {
    weights.reserve(outputs * inputs);
    for (std::size_t i = 0; i < outputs; ++i) {
      T const* const row = basis.data() + i * basis.shape(1);
      weights.insert(weights.end(), row, row + inputs);
      if (outputs != inputs) of_one.push_back(row[inputs]);
    }
  }
  std::size_t order() const { return outputs; }
  /// y [rows, order] = x Uᵀ for x [rows, D].
  void operator()(std::size_t rows, T const* x, T* y) const {
    if (!of_one.empty())
      for (std::size_t n = 0; n < rows; ++n) std::copy(of_one.begin(), of_one.end(), y + n * outputs);
    lapack::gemm(false, true, rows, outputs, inputs, T(1), x, weights.data(), T(of_one.empty() ? 0 : 1), y);
  }

 private:
  std::size_t inputs, outputs;
  std::vector<T> weights, of_one;
};

/// The same for all rows at once.
template <real T>
std::vector<T> rotated(std::size_t rows, std::size_t features, T const* x, matrix<T> const& u) {
  rotation<T> const rotate(u, features);
  std::vector<T> y(rows * rotate.order());
  rotate(rows, x, y.data());
  return y;
}

/// Samples whose patches are rotated together: those of two slabs of `lapack::gemm`, not a little more.
constexpr std::size_t rotated_together(std::size_t samples, std::size_t positions) {
  return std::clamp<std::size_t>(512 / positions, 1, samples);
}

/// Σ_nk (U_B T_nk U_Aᵀ)² of a convolution under a pool, added: T_nk U_Aᵀ from the elements that the pool chose, a few
/// columns at a time, which U_B turns.
template <real T>
void add_second_moments_of_chosen(layer_vectors<T> const& all, layer_vector<T> const& layer, matrix<T> const& left,
                                  rotation<T> const& of_inputs, matrix<T>& moments) {
  std::size_t const n = all.samples, k = all.per_sample, r = layer.positions, p = layer.windows;
  std::size_t const in = of_inputs.order(), out = layer.outputs, block = rotated_together(n, r);
  std::size_t const scratch = kernels::chosen<T>::turning_scratch(k, p, out);
  std::vector<T> own_scratch(static_cast<std::size_t>(threads()) * scratch), a(block * r * in);
  for (std::size_t first = 0; first < n; first += block) {
    std::size_t const samples = std::min(block, n - first);
    of_inputs(samples * r, layer.a + first * r * layer.inputs, a.data());
    parallel_ranges(in, 128, 16, [&](std::size_t column, std::size_t end) {
      for (std::size_t i = 0; i < samples; ++i)
        kernels::chosen<T>(k, p, out, layer.places + (first + i) * p * out, layer.s + (first + i) * k * p * out)
            .add_turned_squares(in, a.data() + i * r * in, left.data(), column, end, moments.data(),
                                own_scratch.data() + thread_index() * scratch);
    });
  }
}

/// Λ = factor Σ_nk (U_B T_nk U_Aᵀ)², [Out, In], for T_nk = Σ_r s_nkr a_nrᵀ. Over several positions the columns of a few
/// samples are rotated, then those of one sample formed by one product, as many together as stay in a cache.
template <real T>
matrix<T> second_moments(layer_vectors<T> const& all, layer_vector<T> const& layer, matrix<T> const& left,
                         matrix<T> const& right, T factor) {
  std::size_t const n = all.samples, k = all.per_sample, r = layer.positions;
  rotation<T> const of_inputs(right, layer.inputs), of_outputs(left, layer.outputs);
  std::size_t const in = of_inputs.order(), out = of_outputs.order();
  auto moments = zeros<T>(out, in);
  if (r == 1) {
    auto squares = rotated(n, layer.inputs, layer.a, right);
    auto const s = rotated(n * k, layer.outputs, layer.s, left);
    for (T& v : squares) v *= v;
    std::vector<T> sums(n * out);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < k; ++j)
        for (std::size_t o = 0; o < out; ++o) {
          T const v = s[(i * k + j) * out + o];
          sums[i * out + o] += v * v;
        }
    lapack::gemm(true, false, out, in, n, factor, sums.data(), squares.data(), T(0), moments.data());
    return moments;
  }
  if (layer.windows > 0) {
    add_second_moments_of_chosen(all, layer, left, of_inputs, moments);
    for (T& v : elements(moments)) v *= factor;
    return moments;
  }
  std::size_t const block = rotated_together(n, r), most = std::clamp<std::size_t>(131072 / (in * out), 1, k);
  std::vector<T> a(block * r * in), given(block * r * most * layer.outputs), s(block * r * most * out),
      formed(most * out * in);
  for (std::size_t first = 0; first < n; first += block) {
    std::size_t const samples = std::min(block, n - first);
    of_inputs(samples * r, layer.a + first * r * layer.inputs, a.data());
    for (std::size_t column = 0; column < k; column += most) {
      std::size_t const columns = std::min(most, k - column);
      T* to = given.data();  // [samples, R, columns, Out]
      for (std::size_t i = first; i < first + samples; ++i)
        for (std::size_t p = 0; p < r; ++p)
          for (std::size_t j = column; j < column + columns; ++j, to += layer.outputs)
            std::copy_n(layer.s + ((i * k + j) * r + p) * layer.outputs, layer.outputs, to);
      of_outputs(samples * r * columns, given.data(), s.data());
      for (std::size_t i = 0; i < samples; ++i) {
        lapack::gemm(true, false, columns * out, in, r, T(1), s.data() + i * r * columns * out, a.data() + i * r * in,
                     T(0), formed.data());
        for (std::size_t j = 0; j < columns; ++j)
          for (std::size_t e = 0; e < out * in; ++e) {
            T const v = formed[j * out * in + e];
            moments.data()[e] += v * v;
          }
      }
    }
  }
  for (T& v : elements(moments)) v *= factor;
  return moments;
}

/// The same of a table in the basis `u` of B and the natural one of its rows.
template <real T>
matrix<T> second_moments_of_table(layer_vectors<T> const& vectors, layer_vector<T> const& table, matrix<T> const& u,
                                  T factor) {
  auto moments = zeros<T>(table.outputs, table.inputs);
  each_column(vectors, table, [&](std::vector<std::size_t> const& rows, std::vector<T> const& t) {
    auto const z = rotated(rows.size(), table.outputs, t.data(), u);
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t o = 0; o < table.outputs; ++o) {
        T const v = z[i * table.outputs + o];
        moments(o, rows[i]) += factor * v * v;
      }
  });
  return moments;
}

/// Λ of every layer, [Out, In], in the bases given: row i of `left[p]` and `right[p]` is a basis vector of layer p.
template <real T>
std::vector<matrix<T>> second_moments_in(std::vector<matrix<T>> const& left, std::vector<matrix<T>> const& right,
                                         layer_vectors<T> const& vectors, T factor) {
  std::vector<matrix<T>> all;
  for (std::size_t p = 0; p < vectors.layers.size(); ++p) {
    auto const& layer = vectors.layers[p];
    if (!layer.uses.empty()) {
      all.push_back(second_moments_of_table(vectors, layer, left[p], factor));
      continue;
    }
    all.push_back(second_moments(vectors, layer, left[p], right[p], factor));
  }
  return all;
}

/// The operator of given bases and moments, both as above.
template <real T>
ekfac_matrix<T> ekfac_of(std::vector<kfac_block> const& whose, std::vector<matrix<T>> left,
                         std::vector<matrix<T>> right, std::vector<matrix<T>> moments) {
  std::vector<embedded<kronecker_eigenbasis<T>>> blocks;
  for (std::size_t p = 0; p < whose.size(); ++p) {
    auto order = order_in_rows(whose[p].parameter);
    auto const size = order.size();
    blocks.emplace_back(kronecker_eigenbasis<T>(std::move(left[p]), std::move(right[p]), std::move(moments[p])),
                        std::move(order), size);
  }
  return {std::move(blocks), whose};
}

/// The basis of A: of fewer inputs than half its order, from them. Over several positions they can be means.
template <real T>
matrix<T> input_basis(kfac_factors<T> const& factors, layer_vector<T> const& layer, std::size_t samples) {
  auto const order = factors.inputs.columns;
  if (factors.parameter.is_table()) return natural_basis<T>(order);
  if (layer.positions > 1 || layer.inputs == 0 || 2 * samples > order)
    return lapack::symmetric_eigen(factors.inputs.copy()).vectors;
  auto rows = zeros<T>(samples, order);
  for (std::size_t n = 0; n < samples; ++n) {
    std::copy_n(layer.a + n * layer.inputs, layer.inputs, rows.data() + n * order);
    if (layer.bias) rows(n, layer.inputs) = 1;
  }
  return lapack::eigenbasis_from_rows(std::move(rows));
}

/// The decompositions in T: any orthonormal basis will do for measuring moments in.
template <real T>
ekfac_matrix<T> ekfac_from(std::vector<kfac_factors<T>> const& factors, layer_vectors<T> const& vectors, T factor) {
  std::vector<kfac_block> whose;
  std::vector<matrix<T>> left, right;
  auto const names = titles_of(factors);
  for (std::size_t p = 0; p < factors.size(); ++p) {
    whose.push_back({factors[p].parameter, factors[p].part});
    auto const title = "EKFAC, " + names[p];
    check_finite((title + ": the factor A").c_str(), factors[p].inputs.elements());
    check_finite((title + ": the factor B").c_str(), factors[p].outputs.elements());
    try {
      right.push_back(input_basis(factors[p], vectors.layers[p], vectors.samples));
      left.push_back(lapack::symmetric_eigen(factors[p].outputs.copy()).vectors);
    } catch (not_converged const& e) {
      throw not_converged(title + ": " + e.what());
    }
  }
  auto moments = second_moments_in(left, right, vectors, factor);
  return ekfac_of(whose, std::move(left), std::move(right), std::move(moments));
}

}  // namespace detail

}  // namespace kappa::inline KAPPA_ARCH
