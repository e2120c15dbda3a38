#pragma once
/// \file
/// The Gauss-Newton matrix of a linear network under squared error, through the small matrix that has its non-zero
/// spectrum. Order k r, with k outputs and data that span r directions, instead of the number of parameters.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/finite.hpp>
#include <kappa/theory/covariance.hpp>
#include <kappa/theory/linear_network.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

namespace detail {

inline matrix<double> product(bool transpose_a, bool transpose_b, matrix<double> const& a, matrix<double> const& b) {
  auto const m = a.shape(transpose_a ? 1 : 0), k = a.shape(transpose_a ? 0 : 1), n = b.shape(transpose_b ? 0 : 1);
  auto c = zeros<double>(m, n);
  lapack::gemm(transpose_a, transpose_b, m, n, k, 1.0, a.data(), b.data(), 0.0, c.data());
  return c;
}

inline matrix<double> unit(std::size_t n) {
  auto m = zeros<double>(n, n);
  for (std::size_t i = 0; i < n; ++i) m(i, i) = 1;
  return m;
}

/// The matrices a W^l + b I in double.
template <real T>
std::vector<matrix<double>> layer_matrices(std::span<linear_layer const> layers, std::span<T const> theta) {
  std::vector<matrix<double>> matrices;
  for (linear_layer const& layer : layers) {
    auto const rows = static_cast<std::size_t>(layer.outputs), columns = static_cast<std::size_t>(layer.inputs);
    auto m = zeros<double>(rows, columns);
    for (std::size_t i = 0; i < rows * columns; ++i)
      m.data()[i] = layer.gain * static_cast<double>(theta[static_cast<std::size_t>(layer.offset) + i]);
    if (layer.shift != 0)
      for (std::size_t i = 0; i < rows; ++i) m(i, i) += layer.shift;
    matrices.push_back(std::move(m));
  }
  return matrices;
}

template <network_type Net, real T>
std::vector<matrix<double>> checked_layer_matrices(std::span<T const> theta) {
  if (theta.size() != static_cast<std::size_t>(Net::parameter_count))
    throw shape_mismatch("the network has " + std::to_string(Net::parameter_count) + " parameters, came " +
                         std::to_string(theta.size()));
  check_finite("theta", theta);
  auto const& reading = reading_of<Net>;
  return layer_matrices(std::span(reading.layers.data(), reading.depth), theta);
}

struct the_layer_matrices {
  static constexpr char const* name = "the list of layers";
};

}  // namespace detail

/// The matrices M^l = a W^l + b I of a linear network, the first layer first, each [outputs, inputs].
/// \throws shape_mismatch when theta has not `Net::parameter_count` elements; invalid_value when one is not finite.
template <network_type Net, real T>
std::vector<matrix<double>> layer_matrices(std::span<T const> theta) {
  static_assert(detail::refuse_unless_covered<Net, detail::the_layer_matrices>());
  return detail::checked_layer_matrices<Net>(theta);
}
template <network_type Net, real T>
std::vector<matrix<double>> layer_matrices(vector<T> const& theta) {
  return layer_matrices<Net>(elements(theta));
}

/// G = 1/n Σ_i J_iᵀ J_i of F(x) = M^L ... M^1 x, known through its factors
///
///     A_l = a_l² M^{L:l+1} (M^{L:l+1})ᵀ  [k, k],     B_l = S (M^{l-1:1})ᵀ M^{l-1:1} Sᵀ  [r, r],
///     Ĝ   = Σ_l A_l ⊗ diag(√s) B_l diag(√s)  [k r, k r],          Σ = Sᵀ diag(s) S the covariance of the data.
///
/// Ĝ has the non-zero eigenvalues of G, with multiplicity. Layers are numbered from 0. (G itself is singular for two
/// layers or more: W^{l+1} T⁻¹, T W^l give the same map; its condition number counts non-zero eigenvalues only.)
class small_gauss_newton {
 public:
  /// `matrices` and `gains` of the layers, the first one first. Cost: 2L products and 2L symmetric eigenproblems of
  /// orders k and r.
  /// \throws shape_mismatch when two neighbours, or the first layer and the data, do not fit.
  small_gauss_newton(std::vector<matrix<double>> const& matrices, std::span<double const> gains, covariance data)
      : data_covariance(std::move(data)) {
    auto const depth = matrices.size();
    if (depth == 0 || gains.size() != depth)
      throw shape_mismatch(std::to_string(depth) + " layers and " + std::to_string(gains.size()) + " gains");
    for (std::size_t l = 0; l < depth; ++l) {
      auto const before = l == 0 ? data_covariance.dimension() : matrices[l - 1].shape(0);
      if (matrices[l].shape(1) != before)
        throw shape_mismatch("layer " + std::to_string(l) + " takes " + std::to_string(matrices[l].shape(1)) +
                             " features, came " + std::to_string(before));
    }
    left_factors.resize(depth);
    right_factors.resize(depth);
    auto const k = matrices.back().shape(0);
    auto suffix = detail::unit(k);  // M^{L:l+1}
    for (std::size_t l = depth; l-- > 0;) {
      left_factors[l] = detail::product(false, true, suffix, suffix);
      for (double& x : elements(left_factors[l])) x *= gains[l] * gains[l];
      if (l > 0) suffix = detail::product(false, false, suffix, matrices[l]);
    }
    right_factors[0] = detail::unit(data_covariance.rank());
    matrix<double> prefix;  // M^{l-1:1} Sᵀ
    for (std::size_t l = 1; l < depth; ++l) {
      auto const& step = matrices[l - 1];
      prefix = l == 1 ? detail::product(false, true, step, data_covariance.basis())
                      : detail::product(false, false, step, prefix);
      right_factors[l] = detail::product(true, false, prefix, prefix);
    }
    for (std::size_t l = 0; l < depth; ++l) {
      left_ends.push_back(ends_of(elements(lapack::symmetric_eigenvalues(left_factors[l]))));
      right_ends.push_back(ends_of(elements(lapack::symmetric_eigenvalues(right_factors[l]))));
    }
  }

  std::size_t depth() const { return left_factors.size(); }
  /// k.
  std::size_t outputs() const { return left_factors.front().shape(0); }
  /// k r, the order of Ĝ.
  std::size_t order() const { return outputs() * data().rank(); }
  covariance const& data() const { return data_covariance; }
  /// A_l [k, k] and B_l [r, r].
  matrix<double> const& left(std::size_t l) const { return left_factors[l]; }
  matrix<double> const& right(std::size_t l) const { return right_factors[l]; }
  spectrum_ends const& left_spectrum(std::size_t l) const { return left_ends[l]; }
  spectrum_ends const& right_spectrum(std::size_t l) const { return right_ends[l]; }

  /// B_l between the roots of the data's eigenvalues: diag(√s) B_l diag(√s), [r, r].
  matrix<double> weighted_right(std::size_t l) const { return weighted(right_factors[l]); }

  /// Ĝ, [k r, k r].
  matrix<double> dense() const {
    auto const k = outputs(), r = data().rank();
    auto g = zeros<double>(k * r, k * r);
    for (std::size_t l = 0; l < depth(); ++l) {
      auto const b = weighted_right(l);
      for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = 0; j < k; ++j)
          for (std::size_t p = 0; p < r; ++p)
            for (std::size_t q = 0; q < r; ++q) g(i * r + p, j * r + q) += left_factors[l](i, j) * b(p, q);
    }
    return g;
  }

  /// All k r eigenvalues of Ĝ, descending. With one hidden layer from k problems of order r: with A_0 = P diag(λ) Pᵀ
  /// the matrix is block diagonal, the blocks being diag(√s) (λ_i I + A_1(0, 0) B_1) diag(√s). Else 4/3 (k r)³ flops.
  vector<double> eigenvalues() const {
    if (depth() != 2) return lapack::symmetric_eigenvalues(dense());
    auto const lambda = lapack::symmetric_eigenvalues(left_factors[0]);
    auto const r = data().rank();
    auto all = zeros<double>(order());
    for (std::size_t i = 0; i < outputs(); ++i) {
      auto const block = lapack::symmetric_eigenvalues(hidden_layer_block(lambda(i)));
      std::copy_n(block.data(), r, all.data() + i * r);
    }
    std::sort(all.data(), all.data() + all.size(), [](double a, double b) { return a > b; });
    return all;
  }

  /// One diagonal block of Ĝ for one hidden layer, at the eigenvalue `lambda` of A_0. \pre depth() == 2.
  matrix<double> hidden_layer_block(double lambda) const {
    auto block = right_factors[1];
    for (double& x : elements(block)) x *= left_factors[1](0, 0);  // A_1 is a multiple of the identity
    for (std::size_t i = 0; i < block.shape(0); ++i) block(i, i) += lambda;
    return weighted(std::move(block));
  }

  /// The ends of Ĝ's spectrum; costs `eigenvalues()`.
  spectrum_ends spectrum() const { return ends_of(elements(eigenvalues())); }
  /// κ(G): the largest eigenvalue over the smallest non-zero one; costs `eigenvalues()`.
  double condition_number() const { return theory::condition_number(spectrum()); }

  /// rank G = Σ_l (p_l - p_{l-1}) q_l with p_l = rank A_l, q_l = rank B_l, p_{-1} = 0: for any weights, because the
  /// ranges of the A_l grow with l and those of the B_l shrink. Free: no eigenproblem of order k r.
  std::size_t rank() const {
    std::size_t total = 0, before = 0;
    for (std::size_t l = 0; l < depth(); ++l) {
      // Growing ranges cannot lose rank; a rank near the threshold may seem to.
      auto const p = std::max(before, left_ends[l].rank);
      total += (p - before) * right_ends[l].rank;
      before = p;
    }
    return total;
  }

 private:
  matrix<double> weighted(matrix<double> b) const {
    auto const& s = data().eigenvalues();
    for (std::size_t i = 0; i < s.size(); ++i)
      for (std::size_t j = 0; j < s.size(); ++j) b(i, j) *= std::sqrt(s(i)) * std::sqrt(s(j));
    return b;
  }

  covariance data_covariance;
  std::vector<matrix<double>> left_factors, right_factors;
  std::vector<spectrum_ends> left_ends, right_ends;
};

/// The Gauss-Newton matrix of the linear network `Net` at the parameters theta, on data with the given covariance.
/// The type remembers the network, so that statements can refuse what they do not cover.
template <network_type Net>
class linear_gauss_newton : public small_gauss_newton {
 public:
  using network = Net;
  static constexpr char const* name = "the small Gauss-Newton matrix";
  static_assert(detail::refuse_unless_covered<Net, linear_gauss_newton>());

  /// \throws shape_mismatch when theta has not `Net::parameter_count` elements or the covariance is not of the input's
  /// size; invalid_value when a parameter is not finite.
  template <real T>
  linear_gauss_newton(std::span<T const> theta, covariance data)
      : small_gauss_newton(detail::checked_layer_matrices<Net>(theta), gains(), std::move(data)) {}
  template <real T>
  linear_gauss_newton(vector<T> const& theta, covariance data)
      : linear_gauss_newton(elements(theta), std::move(data)) {}

 private:
  static std::span<double const> gains() {
    static constexpr auto all = [] {
      auto const& reading = detail::reading_of<Net>;
      std::array<double, Net::parameters.size() + 1> g{};
      for (std::size_t l = 0; l < reading.depth; ++l) g[l] = reading.layers[l].gain;
      return g;
    }();
    return {all.data(), detail::reading_of<Net>.depth};
  }
};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
