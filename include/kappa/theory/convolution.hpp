#pragma once
/// \file
/// Chains of linear one-dimensional convolutions: the Gauss-Newton matrix with weights shared over positions, in the
/// space of the data and in the much smaller one of the composite kernel; what the layers' symbols bound.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/finite.hpp>
#include <kappa/theory/covariance.hpp>
#include <kappa/theory/gauss_newton.hpp>
#include <kappa/theory/value_statement.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// The filters of one layer, element (o, i, t) of [outputs, inputs, taps] row-major. As a layer, "valid" and with
/// stride 1, they give y[o, p] = Σ_i Σ_t w[o, i, t] x[i, p + t]: `taps - 1` positions fewer than came.
struct convolution_filters {
  std::size_t outputs = 0;
  std::size_t inputs = 0;
  std::size_t taps = 0;
  std::vector<double> weights{};

  double operator()(std::size_t o, std::size_t i, std::size_t t) const { return weights[(o * inputs + i) * taps + t]; }
  double& operator()(std::size_t o, std::size_t i, std::size_t t) { return weights[(o * inputs + i) * taps + t]; }
};

/// The layer's matrix T [outputs (length - taps + 1), inputs length], channel by channel: blocks of Toeplitz form.
/// \throws shape_mismatch when the signal is shorter than the filter.
inline matrix<double> toeplitz(convolution_filters const& w, std::size_t length) {
  if (length < w.taps)
    throw shape_mismatch("toeplitz: a signal of at least " + std::to_string(w.taps) + " positions was expected, came " +
                         std::to_string(length));
  auto const positions = length - w.taps + 1;
  auto t = zeros<double>(w.outputs * positions, w.inputs * length);
  for (std::size_t o = 0; o < w.outputs; ++o)
    for (std::size_t i = 0; i < w.inputs; ++i)
      for (std::size_t p = 0; p < positions; ++p)
        for (std::size_t s = 0; s < w.taps; ++s) t(o * positions + p, i * length + p + s) = w(o, i, s);
  return t;
}

/// The filters of two layers as one, `second` after `first`: [second.outputs, first.inputs, sum of taps - 1].
/// \throws shape_mismatch when the channels do not fit.
inline convolution_filters composed(convolution_filters const& second, convolution_filters const& first) {
  if (second.inputs != first.outputs)
    throw shape_mismatch("composed: " + std::to_string(second.inputs) + " channels were expected, came " +
                         std::to_string(first.outputs));
  convolution_filters h{second.outputs, first.inputs, second.taps + first.taps - 1, {}};
  h.weights.resize(h.outputs * h.inputs * h.taps);
  for (std::size_t o = 0; o < h.outputs; ++o)
    for (std::size_t c = 0; c < first.outputs; ++c)
      for (std::size_t i = 0; i < h.inputs; ++i)
        for (std::size_t s = 0; s < second.taps; ++s)
          for (std::size_t t = 0; t < first.taps; ++t) h(o, i, s + t) += second(o, c, s) * first(c, i, t);
  return h;
}

/// The Sylvester matrix of two filters, [s_1 + s_2 - 1, s_1 + s_2]: its columns are the shifts of `second`, then those
/// of `first`. S Sᵀ is the kernel Gram matrix of the chain of two single-channel layers. S has full rank exactly when
/// the polynomials with the filters' taps as coefficients share no root (a zero last tap of both is a shared one).
/// \throws invalid_value when a filter has no tap.
inline matrix<double> sylvester_matrix(std::span<double const> second, std::span<double const> first) {
  if (second.empty() || first.empty()) throw invalid_value("sylvester_matrix: a filter with no tap");
  auto m = zeros<double>(first.size() + second.size() - 1, first.size() + second.size());
  for (std::size_t j = 0; j < first.size(); ++j)
    for (std::size_t t = 0; t < second.size(); ++t) m(j + t, j) = second[t];
  for (std::size_t j = 0; j < second.size(); ++j)
    for (std::size_t t = 0; t < first.size(); ++t) m(j + t, first.size() + j) = first[t];
  return m;
}

namespace detail {

/// The eigenvalues, descending, of M Mᴴ with M = re + i im, [rows, columns]: those of a real matrix of twice the order,
/// where each stands twice.
inline vector<double> squared_singular_values(matrix<double> const& re, matrix<double> const& im) {
  auto const rows = re.shape(0), columns = re.shape(1);
  auto g = zeros<double>(2 * rows, 2 * rows);
  for (std::size_t a = 0; a < rows; ++a)
    for (std::size_t b = 0; b < rows; ++b) {
      double real_part = 0, imaginary_part = 0;
      for (std::size_t c = 0; c < columns; ++c) {
        real_part += re(a, c) * re(b, c) + im(a, c) * im(b, c);
        imaginary_part += im(a, c) * re(b, c) - re(a, c) * im(b, c);
      }
      g(a, b) = g(rows + a, rows + b) = real_part;
      g(rows + a, b) = imaginary_part;
      g(a, rows + b) = -imaginary_part;
    }
  auto const twice = lapack::symmetric_eigenvalues(std::move(g));
  auto once = zeros<double>(rows);
  for (std::size_t i = 0; i < rows; ++i) once(i) = twice(2 * i);
  return once;
}

/// The symbol Ŵ(ω) = Σ_t w_t e^{iωt}, real and imaginary part, [outputs, inputs] each.
inline std::pair<matrix<double>, matrix<double>> symbol(convolution_filters const& w, double omega) {
  auto re = zeros<double>(w.outputs, w.inputs), im = re;
  for (std::size_t t = 0; t < w.taps; ++t) {
    double const c = std::cos(omega * static_cast<double>(t)), s = std::sin(omega * static_cast<double>(t));
    for (std::size_t o = 0; o < w.outputs; ++o)
      for (std::size_t i = 0; i < w.inputs; ++i) {
        re(o, i) += c * w(o, i, t);
        im(o, i) += s * w(o, i, t);
      }
  }
  return {std::move(re), std::move(im)};
}

}  // namespace detail

/// What a layer's symbol Ŵ(ω) = Σ_t w_t e^{iωt} says of its Toeplitz matrix at every length.
struct symbol_range {
  double largest = 0;   ///< not below sup_ω s_1(Ŵ(ω)), and so not below s_1(T)
  double smallest = 0;  ///< not above inf_ω s_min(Ŵ(ω)), s_min² = λ_min(Ŵ Ŵᴴ): λ_min(T Tᵀ) >= smallest²
};

/// Bounds on the range of a symbol's singular values, from `points` frequencies and a Lipschitz constant between them:
/// bounds, not estimates. For outputs <= inputs; else `smallest` is 0. T Tᵀ is a compression of the Toeplitz operator
/// on the integers, whose spectrum the symbol gives (Grenander and Szegő; Böttcher and Silbermann). Cost: `points`
/// eigenproblems of order 2 outputs. \throws invalid_value without points.
inline symbol_range range_of_symbol(convolution_filters const& w, std::size_t points = 1024) {
  if (points == 0) throw invalid_value("range_of_symbol: no points");
  // Multiplying by e^{-icω} changes no singular value: distances are counted from the filter's middle tap.
  double const middle = (static_cast<double>(w.taps) - 1) / 2;
  double slope = 0;
  for (std::size_t t = 0; t < w.taps; ++t) {
    double norm = 0;
    for (std::size_t o = 0; o < w.outputs; ++o)
      for (std::size_t i = 0; i < w.inputs; ++i) norm += w(o, i, t) * w(o, i, t);
    slope += std::abs(static_cast<double>(t) - middle) * std::sqrt(norm);
  }
  // Real filters: ω and -ω have equal singular values. Every ω in [0, π] is within half a step of a point.
  double const step = std::numbers::pi / static_cast<double>(points);
  symbol_range range{0, std::numeric_limits<double>::infinity()};
  for (std::size_t j = 0; j < points; ++j) {
    auto const [re, im] = detail::symbol(w, (static_cast<double>(j) + 0.5) * step);
    auto const squares = detail::squared_singular_values(re, im);
    range.largest = std::max(range.largest, std::sqrt(squares(0)));
    range.smallest = std::min(range.smallest, std::sqrt(std::max(0.0, squares(squares.size() - 1))));
  }
  double const rounding = 1e-12 * range.largest;
  range.largest += slope * step / 2 + rounding;
  range.smallest = w.outputs > w.inputs ? 0 : std::max(0.0, range.smallest - slope * step / 2 - rounding);
  return range;
}

/// F(x) = T^L ... T^1 x on signals of `length` positions, each T^l the matrix of its filters. Layers are numbered from
/// 0.
class linear_convolution_chain {
 public:
  /// \throws shape_mismatch when there is no layer, a layer's weights are not outputs · inputs · taps, channels do not
  /// fit, or the signal is shorter than the receptive field; invalid_value when a weight is not finite.
  linear_convolution_chain(std::vector<convolution_filters> layers_first_to_last, std::size_t length)
      : filters(std::move(layers_first_to_last)) {
    if (filters.empty()) throw shape_mismatch("linear_convolution_chain: no layer");
    lengths.push_back(length);
    for (std::size_t l = 0; l < filters.size(); ++l) {
      auto const& w = filters[l];
      if (w.taps == 0 || w.outputs == 0 || w.inputs == 0 || w.weights.size() != w.outputs * w.inputs * w.taps)
        throw shape_mismatch("layer " + std::to_string(l) + " has " + std::to_string(w.weights.size()) +
                             " weights for [" + std::to_string(w.outputs) + ", " + std::to_string(w.inputs) + ", " +
                             std::to_string(w.taps) + "]");
      if (l > 0 && w.inputs != filters[l - 1].outputs)
        throw shape_mismatch("layer " + std::to_string(l) + " takes " + std::to_string(w.inputs) + " channels, came " +
                             std::to_string(filters[l - 1].outputs));
      check_finite("linear_convolution_chain", std::span<double const>(w.weights));
      if (lengths.back() < w.taps)
        throw shape_mismatch("layer " + std::to_string(l) + " has " + std::to_string(w.taps) + " taps, came " +
                             std::to_string(lengths.back()) + " positions");
      lengths.push_back(lengths.back() - w.taps + 1);
    }
  }

  std::size_t depth() const { return filters.size(); }
  convolution_filters const& layer(std::size_t l) const { return filters[l]; }
  /// m_0 and m_L.
  std::size_t input_channels() const { return filters.front().inputs; }
  std::size_t output_channels() const { return filters.back().outputs; }
  /// Positions of the input, and d_l: positions behind layer l.
  std::size_t input_length() const { return lengths.front(); }
  std::size_t positions(std::size_t l) const { return lengths[l + 1]; }
  /// R: how many input positions one output position sees.
  std::size_t receptive_field() const { return lengths.front() - lengths.back() + 1; }

  /// The filters of the layers from `first` on and before `end`, as one layer; the identity when there are none.
  convolution_filters composite(std::size_t first, std::size_t end) const {
    if (first == end) {
      auto const channels = first == 0 ? input_channels() : filters[first - 1].outputs;
      convolution_filters unit{channels, channels, 1, std::vector<double>(channels * channels)};
      for (std::size_t c = 0; c < channels; ++c) unit(c, c, 0) = 1;
      return unit;
    }
    auto h = filters[first];
    for (std::size_t l = first + 1; l < end; ++l) h = composed(filters[l], h);
    return h;
  }
  /// The matrix of the same layers: T^{end-1} ... T^first, [m_end d_end, m_first d_first].
  matrix<double> toeplitz(std::size_t first, std::size_t end) const {
    return theory::toeplitz(composite(first, end), lengths[first]);
  }

  /// Σ_l F_l F_lᵀ, of order m_L m_0 R, with F_l the matrix that takes the weights of layer l to the composite kernel
  /// h [m_L, m_0, R] of the chain (row-major), the other layers fixed.
  matrix<double> kernel_gram() const {
    auto const outputs = output_channels(), inputs = input_channels(), field = receptive_field();
    auto const order = outputs * inputs * field;
    std::size_t parameters = 0;
    for (auto const& w : filters) parameters += w.weights.size();
    auto f = zeros<double>(order, parameters);
    std::size_t column = 0;
    for (std::size_t l = 0; l < depth(); ++l) {
      auto const above = composite(l + 1, depth()), below = composite(0, l);
      for (std::size_t a = 0; a < filters[l].outputs; ++a)
        for (std::size_t b = 0; b < filters[l].inputs; ++b)
          for (std::size_t t = 0; t < filters[l].taps; ++t, ++column)
            for (std::size_t o = 0; o < outputs; ++o)
              for (std::size_t i = 0; i < inputs; ++i)
                for (std::size_t u = 0; u < above.taps; ++u)
                  for (std::size_t v = 0; v < below.taps; ++v)
                    f((o * inputs + i) * field + t + u + v, column) += above(o, a, u) * below(b, i, v);
    }
    return detail::product(false, true, f, f);
  }

 private:
  std::vector<convolution_filters> filters;
  std::vector<std::size_t> lengths;  // [depth + 1]
};

/// The Gauss-Newton matrix G = 1/n Σ J_iᵀ J_i of a chain of convolutions under squared error, through two small
/// matrices with its non-zero spectrum: one in the space of the composite kernel, of order m_L rank C, and one in the
/// space of the data, of order m_L d_L rank Σ.
class convolution_gauss_newton {
 public:
  using number = double;

  /// `data` is the covariance of the inputs, one sample a row of m_0 · length elements, channel by channel.
  /// \throws shape_mismatch when its order is not m_0 · length.
  convolution_gauss_newton(linear_convolution_chain convolutions, covariance data)
      : layers(std::move(convolutions)),
        data_covariance(std::move(data)),
        patch_covariance(patches(layers, data_covariance)) {}

  linear_convolution_chain const& chain() const { return layers; }
  covariance const& data() const { return data_covariance; }
  /// C = 1/n Σ_samples Σ_positions patch patchᵀ, of order m_0 R: the sum over positions, not their mean.
  covariance const& patches() const { return patch_covariance; }

  std::size_t depth() const { return layers.depth(); }
  std::size_t positions(std::size_t l) const { return layers.positions(l); }
  /// κ(C) over its non-zero eigenvalues, λ_max(Σ), and the ends of the spectrum of Σ_l F_l F_lᵀ.
  double patch_condition() const { return patch_covariance.condition_number(); }
  double data_largest() const { return data_covariance.eigenvalues()(0); }
  spectrum_ends kernel_spectrum() const {
    return ends_of(elements(lapack::symmetric_eigenvalues(layers.kernel_gram())));
  }
  /// s_1(T^{L:l+1})² and s_1(T^{l-1:1})².
  double squared_norm_above(std::size_t l) const { return squared_norm(layers.toeplitz(l + 1, depth())); }
  double squared_norm_below(std::size_t l) const { return squared_norm(layers.toeplitz(0, l)); }

  /// (I ⊗ C^½) (Σ_l F_l F_lᵀ) (I ⊗ C^½) in the eigenbasis of C, of order m_L rank C: the kernel-space form.
  matrix<double> dense() const {
    auto const& s = patch_covariance.eigenvalues();
    auto const& basis = patch_covariance.basis();
    auto const blocks = layers.output_channels(), r = patch_covariance.rank(), width = basis.shape(1);
    auto root = zeros<double>(blocks * r, blocks * width);
    for (std::size_t o = 0; o < blocks; ++o)
      for (std::size_t i = 0; i < r; ++i)
        for (std::size_t j = 0; j < width; ++j) root(o * r + i, o * width + j) = std::sqrt(s(i)) * basis(i, j);
    auto const left = detail::product(false, false, root, layers.kernel_gram());
    return detail::product(false, true, left, root);
  }

  /// Σ_l (T^{L:l+1} ⊗ Σ^½ T^{l-1:1 T}) Q_l Q_lᵀ (...)ᵀ in the eigenbasis of Σ, of order m_L d_L rank Σ, where
  /// vec T^l = Q_l vec W^l tells which elements of T^l share a weight. Much larger than `dense()`; the same spectrum.
  matrix<double> dense_in_data_space() const {
    auto const& s = data_covariance.eigenvalues();
    auto const depth = layers.depth(), r = data_covariance.rank();
    auto const outputs = layers.output_channels() * layers.positions(depth - 1);
    std::vector<double> columns;
    std::size_t count = 0;
    for (std::size_t l = 0; l < depth; ++l) {
      auto const above = layers.toeplitz(l + 1, depth);
      auto below = detail::product(false, true, layers.toeplitz(0, l), data_covariance.basis());
      for (std::size_t i = 0; i < below.shape(0); ++i)
        for (std::size_t j = 0; j < r; ++j) below(i, j) *= std::sqrt(s(j));
      auto const& w = layers.layer(l);
      auto const d_out = layers.positions(l), d_in = d_out + w.taps - 1;
      for (std::size_t a = 0; a < w.outputs; ++a)
        for (std::size_t b = 0; b < w.inputs; ++b)
          for (std::size_t t = 0; t < w.taps; ++t, ++count)
            for (std::size_t i = 0; i < outputs; ++i)
              for (std::size_t j = 0; j < r; ++j) {
                double sum = 0;
                for (std::size_t p = 0; p < d_out; ++p) sum += above(i, a * d_out + p) * below(b * d_in + p + t, j);
                columns.push_back(sum);
              }
    }
    auto const order = outputs * r;
    auto g = zeros<double>(order, order);
    lapack::gemm(true, false, order, order, count, 1.0, columns.data(), columns.data(), 0.0, g.data());
    return g;
  }

  /// The eigenvalues of the kernel-space form, descending.
  vector<double> eigenvalues() const { return lapack::symmetric_eigenvalues(dense()); }
  /// κ(G) over non-zero eigenvalues. \throws singular_matrix when every weight is zero.
  double condition_number() const { return theory::condition_number(ends_of(elements(eigenvalues()))); }

  /// The small matrix of the dense linear network with the layers' Toeplitz matrices for weights: every element of T^l
  /// a parameter of its own, the zeros too. It says what a convolution does **not** have: G <= max_l d_l times it, and
  /// nothing from below.
  small_gauss_newton unshared() const {
    std::vector<matrix<double>> matrices;
    for (std::size_t l = 0; l < layers.depth(); ++l) matrices.push_back(layers.toeplitz(l, l + 1));
    std::vector<double> const gains(matrices.size(), 1.0);
    return {matrices, gains, data_covariance};
  }

 private:
  static double squared_norm(matrix<double> const& t) {
    return lapack::symmetric_eigenvalues(detail::product(false, true, t, t))(0);
  }
  static covariance patches(linear_convolution_chain const& chain, covariance const& data) {
    auto const channels = chain.input_channels(), length = chain.input_length(), field = chain.receptive_field();
    if (data.dimension() != channels * length)
      throw shape_mismatch("convolution_gauss_newton: a covariance of order " + std::to_string(channels * length) +
                           " was expected, came " + std::to_string(data.dimension()));
    auto scaled = data.basis();
    for (std::size_t i = 0; i < scaled.shape(0); ++i)
      for (std::size_t j = 0; j < scaled.shape(1); ++j) scaled(i, j) *= data.eigenvalues()(i);
    auto const sigma = detail::product(true, false, data.basis(), scaled);
    auto c = zeros<double>(channels * field, channels * field);
    for (std::size_t p = 0; p + field <= length; ++p)
      for (std::size_t a = 0; a < channels; ++a)
        for (std::size_t s = 0; s < field; ++s)
          for (std::size_t b = 0; b < channels; ++b)
            for (std::size_t t = 0; t < field; ++t)
              c(a * field + s, b * field + t) += sigma(a * length + p + s, b * length + p + t);
    for (std::size_t i = 0; i < c.shape(0); ++i)
      for (std::size_t j = 0; j < i; ++j) c(i, j) = c(j, i) = (c(i, j) + c(j, i)) / 2;
    return covariance(std::move(c));
  }

  linear_convolution_chain layers;
  covariance data_covariance, patch_covariance;
};

/// A chain of circular convolutions with full kernels, y[o, p] = Σ_i Σ_t w[o, i, t] x[i, (p + t) mod d], every layer
/// with d taps, on stationary data: Σ = I ⊗ a circulant matrix with eigenvalue power[j] at frequency 2πj/d. All d m_L
/// m_0 eigenvalues of G, descending: the union over the frequencies ω of
///
///     d P(ω) spec( Σ_l A_l(ω) ⊗ B_l(ω) ),   A_l = Ŵ^{L:l+1} (Ŵ^{L:l+1})ᴴ,   B_l = (Ŵ^{l-1:1})ᴴ Ŵ^{l-1:1}.
///
/// Cost: d Hermitian eigenproblems of order m_L m_0.
/// \throws shape_mismatch when the layers do not fit, or have other than power.size() taps; invalid_value when a power
/// is negative or not finite.
inline vector<double> circular_spectrum(std::vector<convolution_filters> const& layers, std::span<double const> power) {
  auto const d = power.size();
  if (layers.empty() || d == 0) throw shape_mismatch("circular_spectrum: no layer or no frequency");
  check_finite("circular_spectrum: power", power);
  for (double p : power)
    if (p < 0) throw invalid_value("circular_spectrum: a power of " + std::to_string(p));
  for (std::size_t l = 0; l < layers.size(); ++l) {
    auto const& w = layers[l];
    if (w.taps != d || w.weights.size() != w.outputs * w.inputs * w.taps ||
        (l > 0 && w.inputs != layers[l - 1].outputs))
      throw shape_mismatch("circular_spectrum: layer " + std::to_string(l) + " is [" + std::to_string(w.outputs) +
                           ", " + std::to_string(w.inputs) + ", " + std::to_string(w.taps) + "], " + std::to_string(d) +
                           " taps were expected");
  }
  using parts = std::pair<matrix<double>, matrix<double>>;
  auto const times = [](parts const& a, parts const& b) {
    auto re = detail::product(false, false, a.first, b.first), im = detail::product(false, false, a.first, b.second);
    auto const minus = detail::product(false, false, a.second, b.second);
    auto const plus = detail::product(false, false, a.second, b.first);
    for (std::size_t i = 0; i < re.size(); ++i) {
      re.data()[i] -= minus.data()[i];
      im.data()[i] += plus.data()[i];
    }
    return parts{std::move(re), std::move(im)};
  };
  auto const outputs = layers.back().outputs, inputs = layers.front().inputs, block = outputs * inputs;
  auto const unit = [](std::size_t n) { return parts{detail::unit(n), zeros<double>(n, n)}; };
  auto all = zeros<double>(d * block);
  for (std::size_t j = 0; j < d; ++j) {
    double const omega = 2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(d);
    std::vector<parts> symbols, below{unit(inputs)};
    for (auto const& w : layers) symbols.push_back(detail::symbol(w, omega));
    for (std::size_t l = 0; l + 1 < layers.size(); ++l) below.push_back(times(symbols[l], below.back()));
    // The columns of the derivative: A_l ⊗ B_l = M Mᴴ with M = Ŵ^{L:l+1} ⊗ (Ŵ^{l-1:1})ᴴ.
    std::size_t columns = 0;
    for (auto const& w : layers) columns += w.outputs * w.inputs;
    auto re = zeros<double>(block, columns), im = re;
    auto above = unit(outputs);
    std::size_t first = columns;
    for (std::size_t l = layers.size(); l-- > 0;) {
      auto const a = layers[l].outputs, b = layers[l].inputs;
      first -= a * b;
      for (std::size_t o = 0; o < outputs; ++o)
        for (std::size_t i = 0; i < inputs; ++i)
          for (std::size_t p = 0; p < a; ++p)
            for (std::size_t q = 0; q < b; ++q) {
              double const ar = above.first(o, p), ai = above.second(o, p);
              double const br = below[l].first(q, i), bi = -below[l].second(q, i);
              re(o * inputs + i, first + p * b + q) = ar * br - ai * bi;
              im(o * inputs + i, first + p * b + q) = ar * bi + ai * br;
            }
      if (l > 0) above = times(above, symbols[l]);
    }
    auto const eigenvalues = detail::squared_singular_values(re, im);
    for (std::size_t i = 0; i < block; ++i) all(j * block + i) = static_cast<double>(d) * power[j] * eigenvalues(i);
  }
  std::sort(all.data(), all.data() + all.size(), [](double a, double b) { return a > b; });
  return all;
}

/// κ(G) itself, from the kernel-space form: of order m_L m_0 R, whatever the length of the signals.
struct exact_convolution_t : detail::value_statement<exact_convolution_t, convolution_gauss_newton> {
  static constexpr char const* name = "the kernel-space matrix";
  static constexpr char const* hypotheses = "linear convolutions, valid, stride 1, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/convolution.md";
  static constexpr relation claims = relation::equality;

  static double value(convolution_gauss_newton const& g) { return g.condition_number(); }
};
inline constexpr exact_convolution_t exact_convolution{};

/// κ(G) <= κ(C) κ(Σ_l F_l F_lᵀ), when that matrix is nonsingular; else +infinity. (Ostrowski's theorem on the
/// congruence by C^½; where C is singular, κ(C) counts its non-zero eigenvalues.)
struct kernel_bound_t : detail::value_statement<kernel_bound_t, convolution_gauss_newton> {
  static constexpr char const* name = "kernel-space bound";
  static constexpr char const* hypotheses =
      "linear convolutions, valid, stride 1, no bias; a nonsingular kernel Gram matrix";
  static constexpr char const* source = "kappa, docs/conditioning/convolution.md";

  static auto value(auto const& g) {
    auto const ends = g.kernel_spectrum();
    return g.patch_condition() * detail::arithmetic_of<decltype(g)>::quotient(ends.largest, ends.smallest);
  }
};
inline constexpr kernel_bound_t kernel_bound{};

/// λ_max(G) <= λ_max(Σ) Σ_l d_l s_1(T^{L:l+1})² s_1(T^{l-1:1})². Of the largest eigenvalue only: with shared weights no
/// such bound holds from below.
struct convolution_top_bound_t : detail::value_statement<convolution_top_bound_t, convolution_gauss_newton> {
  static constexpr char const* name = "largest eigenvalue by Toeplitz norms";
  static constexpr char const* hypotheses =
      "of the largest eigenvalue, not of kappa; linear convolutions, valid, stride 1, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/convolution.md";

  static auto value(auto const& g) {
    detail::number_t<decltype(g)> sum = 0;
    for (std::size_t l = 0; l < g.depth(); ++l)
      sum += static_cast<double>(g.positions(l)) * (g.squared_norm_above(l) * g.squared_norm_below(l));
    return g.data_largest() * sum;
  }
};
inline constexpr convolution_top_bound_t convolution_top_bound{};

/// The same by symbols, s_1(T^{b:a}) <= sup_ω s_1(Ŵ^b(ω) ... Ŵ^a(ω)): no matrix grows with the signals' length.
struct symbol_top_bound_t : detail::value_statement<symbol_top_bound_t, convolution_gauss_newton> {
  static constexpr char const* name = "largest eigenvalue by symbols";
  static constexpr char const* hypotheses = convolution_top_bound_t::hypotheses;
  static constexpr char const* source = "kappa, docs/conditioning/convolution.md";

  static double value(convolution_gauss_newton const& g) {
    auto const& chain = g.chain();
    double sum = 0;
    for (std::size_t l = 0; l < chain.depth(); ++l) {
      double const a = range_of_symbol(chain.composite(l + 1, chain.depth())).largest;
      double const b = range_of_symbol(chain.composite(0, l)).largest;
      sum += static_cast<double>(chain.positions(l)) * a * a * b * b;
    }
    return g.data().eigenvalues()(0) * sum;
  }
};
inline constexpr symbol_top_bound_t symbol_top_bound{};

/// The statements about a `convolution_gauss_newton`.
inline constexpr std::tuple convolution_statements{exact_convolution, kernel_bound, convolution_top_bound,
                                                   symbol_top_bound};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
