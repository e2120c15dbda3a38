#pragma once
/// \file
/// The Gauss-Newton matrix of a linear network under squared error, through the small matrix that has its non-zero
/// spectrum. Order k r, with k outputs and data that span r directions, instead of the number of parameters.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
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

/// The ends of a symmetric matrix's spectrum.
inline spectrum_ends ends_of_matrix(matrix<double> m) {
  return ends_of(elements(lapack::symmetric_eigenvalues(std::move(m))));
}

inline double trace_of(matrix<double> const& m) {
  double sum = 0;
  for (std::size_t i = 0; i < m.shape(0); ++i) sum += m(i, i);
  return sum;
}

/// tr(a b) of symmetric matrices.
inline double trace_of_product(matrix<double> const& a, matrix<double> const& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a.data()[i] * b.data()[i];
  return sum;
}

/// Σ_l w_l m_l of matrices m(l) of one order.
inline matrix<double> weighted_sum(std::span<double const> weights, auto const& m) {
  matrix<double> sum = m(0);
  for (double& x : elements(sum)) x *= weights[0];
  for (std::size_t l = 1; l < weights.size(); ++l) {
    auto const& term = m(l);
    for (std::size_t i = 0; i < sum.size(); ++i) sum.data()[i] += weights[l] * term.data()[i];
  }
  return sum;
}

/// Lists of values made at first need, once, under a lock; copies share them.
template <class V>
class table_at_need {
 public:
  explicit table_at_need(std::size_t size) : state(std::make_shared<shared>()) { state->values.resize(size); }
  template <class Make>
  V const& get(std::size_t i, Make&& make) const {
    std::lock_guard const lock(state->mutex);
    if (!state->values[i]) state->values[i].emplace(make());
    return *state->values[i];
  }

 private:
  struct shared {
    std::mutex mutex;
    std::vector<std::optional<V>> values;
  };
  std::shared_ptr<shared> state;
};

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
///
/// Spectra of the factors are computed when first asked for, once.
class small_gauss_newton {
 public:
  /// What its quantities are: statements written for any number may ask.
  using number = double;

  /// `matrices` and `gains` of the layers, the first one first. Cost: 3L products.
  /// \throws shape_mismatch when two neighbours, or the first layer and the data, do not fit.
  small_gauss_newton(std::vector<matrix<double>> matrices, std::span<double const> given_gains, covariance data)
      : data_covariance(std::move(data)),
        chain(std::move(matrices)),
        layer_gains(given_gains.begin(), given_gains.end()),
        ends(4 * chain.size()) {
    auto const depth = chain.size();
    if (depth == 0 || layer_gains.size() != depth)
      throw shape_mismatch(std::to_string(depth) + " layers and " + std::to_string(layer_gains.size()) + " gains");
    for (std::size_t l = 0; l < depth; ++l) {
      auto const before = l == 0 ? data_covariance.dimension() : chain[l - 1].shape(0);
      if (chain[l].shape(1) != before)
        throw shape_mismatch("layer " + std::to_string(l) + " takes " + std::to_string(chain[l].shape(1)) +
                             " features, came " + std::to_string(before));
    }
    left_factors.resize(depth);
    right_factors.resize(depth);
    auto const k = chain.back().shape(0);
    auto suffix = detail::unit(k);  // M^{L:l+1}
    for (std::size_t l = depth; l-- > 0;) {
      left_factors[l] = detail::product(false, true, suffix, suffix);
      for (double& x : elements(left_factors[l])) x *= layer_gains[l] * layer_gains[l];
      if (l > 0) suffix = detail::product(false, false, suffix, chain[l]);
    }
    right_factors[0] = detail::unit(data_covariance.rank());
    matrix<double> prefix;  // M^{l-1:1} Sᵀ
    for (std::size_t l = 1; l < depth; ++l) {
      auto const& step = chain[l - 1];
      prefix = l == 1 ? detail::product(false, true, step, data_covariance.basis())
                      : detail::product(false, false, step, prefix);
      right_factors[l] = detail::product(true, false, prefix, prefix);
    }
    weighted_factors.reserve(depth);
    for (std::size_t l = 0; l < depth; ++l) weighted_factors.push_back(weighted(right_factors[l]));
  }

  std::size_t depth() const { return left_factors.size(); }
  /// k.
  std::size_t outputs() const { return left_factors.front().shape(0); }
  /// k r, the order of Ĝ.
  std::size_t order() const { return outputs() * data().rank(); }
  covariance const& data() const { return data_covariance; }
  /// κ(Σ) over the directions the data span.
  double data_condition() const { return data().condition_number(); }
  /// M^l [outputs, inputs] and a_l of layer l.
  matrix<double> const& layer(std::size_t l) const { return chain[l]; }
  double gain(std::size_t l) const { return layer_gains[l]; }
  std::vector<double> const& gains() const { return layer_gains; }
  /// A_l [k, k] and B_l [r, r].
  matrix<double> const& left(std::size_t l) const { return left_factors[l]; }
  matrix<double> const& right(std::size_t l) const { return right_factors[l]; }
  /// C_l = diag(√s) B_l diag(√s), [r, r].
  matrix<double> const& weighted_right(std::size_t l) const { return weighted_factors[l]; }

  /// The ends of the spectra of A_l, B_l and C_l.
  spectrum_ends const& left_spectrum(std::size_t l) const {
    return ends.get(l, [&] { return detail::ends_of_matrix(left_factors[l]); });
  }
  spectrum_ends const& right_spectrum(std::size_t l) const {
    return ends.get(depth() + l, [&] {
      return l == 0 ? spectrum_ends{1, 1, 1, data().rank()} : detail::ends_of_matrix(right_factors[l]);
    });
  }
  spectrum_ends const& weighted_right_spectrum(std::size_t l) const {
    return ends.get(2 * depth() + l, [&] {
      return l == 0 ? ends_of(elements(data().eigenvalues())) : detail::ends_of_matrix(weighted_factors[l]);
    });
  }
  /// The ends of the squares of the min(outputs, inputs) singular values of M^l; of M^1 Sᵀ for the first layer.
  spectrum_ends const& layer_spectrum(std::size_t l) const {
    return ends.get(3 * depth() + l, [&] {
      auto const m = l == 0 ? detail::product(false, true, chain[0], data_covariance.basis()) : chain[l];
      bool const tall = m.shape(0) >= m.shape(1);
      return detail::ends_of_matrix(detail::product(tall, !tall, m, m));
    });
  }

  /// The ends of the spectra of Σ_l w_l A_l and of Σ_l w_l C_l. \pre one weight a layer.
  spectrum_ends left_sum(std::span<double const> weights) const {
    return detail::ends_of_matrix(detail::weighted_sum(
        weights, [&](std::size_t l) -> auto const& { return left_factors[l]; }));
  }
  spectrum_ends right_sum(std::span<double const> weights) const {
    return detail::ends_of_matrix(detail::weighted_sum(
        weights, [&](std::size_t l) -> auto const& { return weighted_factors[l]; }));
  }

  /// Unit vectors u [count, k] for Rayleigh quotients: the eigenvectors of the two ends of every A_l and of
  /// Σ_l tr(C_l) A_l. Multiples of I have no ends of their own and are left out, unless nothing else is there.
  matrix<double> rayleigh_directions() const {
    auto const k = outputs();
    std::vector<double> rows;
    auto const add = [&](matrix<double> const& a) {
      auto const e = lapack::symmetric_eigen(a);
      rows.insert(rows.end(), e.vectors.data(), e.vectors.data() + k);
      if (k > 1) rows.insert(rows.end(), e.vectors.data() + (k - 1) * k, e.vectors.data() + k * k);
    };
    std::vector<double> traces;
    for (std::size_t l = 0; l < depth(); ++l) traces.push_back(detail::trace_of(weighted_factors[l]));
    add(detail::weighted_sum(
        traces, [&](std::size_t l) -> auto const& { return left_factors[l]; }));
    for (std::size_t l = 0; l + 1 < depth(); ++l) add(left_factors[l]);
    auto directions = zeros<double>(rows.size() / k, k);
    std::copy(rows.begin(), rows.end(), directions.data());
    return directions;
  }
  /// uᵀA_l u / uᵀu for every l.
  std::vector<double> rayleigh_quotients(std::span<double const> u) const {
    std::vector<double> quotients;
    for (auto const& a : left_factors) {
      double over = 0, under = 0;
      for (std::size_t i = 0; i < u.size(); ++i) {
        double row = 0;
        for (std::size_t j = 0; j < u.size(); ++j) row += a(i, j) * u[j];
        over += u[i] * row;
        under += u[i] * u[i];
      }
      quotients.push_back(over / under);
    }
    return quotients;
  }

  /// tr Ĝ = Σ_l tr A_l tr C_l and tr Ĝ² = Σ_{l,m} tr(A_l A_m) tr(C_l C_m). L² (k² + r²) flops.
  double trace() const {
    double sum = 0;
    for (std::size_t l = 0; l < depth(); ++l)
      sum += detail::trace_of(left_factors[l]) * detail::trace_of(weighted_factors[l]);
    return sum;
  }
  double squared_trace() const {
    double sum = 0;
    for (std::size_t l = 0; l < depth(); ++l)
      for (std::size_t m = 0; m <= l; ++m)
        sum += (m == l ? 1 : 2) * detail::trace_of_product(left_factors[l], left_factors[m]) *
               detail::trace_of_product(weighted_factors[l], weighted_factors[m]);
    return sum;
  }

  /// Ĝ, [k r, k r].
  matrix<double> dense() const {
    auto const k = outputs(), r = data().rank();
    auto g = zeros<double>(k * r, k * r);
    for (std::size_t l = 0; l < depth(); ++l) {
      auto const& b = weighted_factors[l];
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
  /// ranges of the A_l grow with l and those of the B_l shrink. Costs the spectra of the factors, no eigenproblem of
  /// order k r.
  std::size_t rank() const {
    std::size_t total = 0, before = 0;
    for (std::size_t l = 0; l < depth(); ++l) {
      // Growing ranges cannot lose rank; a rank near the threshold may seem to.
      auto const p = std::max(before, left_spectrum(l).rank);
      total += (p - before) * right_spectrum(l).rank;
      before = p;
    }
    return total;
  }
  /// G has its full rank k r: some A_l and B_l are both nonsingular. Cheaper than the rank; for networks no narrower
  /// than their output it costs the spectrum of A_1.
  bool full_rank() const {
    for (std::size_t l = 0; l < depth(); ++l)
      if (left_spectrum(l).rank == outputs() && right_spectrum(l).rank == data().rank()) return true;
    return false;
  }

 private:
  matrix<double> weighted(matrix<double> b) const {
    auto const& s = data().eigenvalues();
    for (std::size_t i = 0; i < s.size(); ++i)
      for (std::size_t j = 0; j < s.size(); ++j) b(i, j) *= std::sqrt(s(i)) * std::sqrt(s(j));
    return b;
  }

  covariance data_covariance;
  std::vector<matrix<double>> chain;
  std::vector<double> layer_gains;
  std::vector<matrix<double>> left_factors, right_factors, weighted_factors;
  detail::table_at_need<spectrum_ends> ends;
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
      : small_gauss_newton(detail::checked_layer_matrices<Net>(theta), gains_of(), std::move(data)) {}
  template <real T>
  linear_gauss_newton(vector<T> const& theta, covariance data)
      : linear_gauss_newton(elements(theta), std::move(data)) {}

 private:
  static std::span<double const> gains_of() {
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
