#pragma once
/// \file
/// Random weights and data for a network. An instance is four numbers, so a failing one can be written down and
/// drawn again, bit for bit.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/random.hpp>
#include <kappa/theory/linear_network.hpp>
#include <kappa/theory/relu_network.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace testing {

/// How the weights are drawn, the simplest law first.
enum class weights {
  orthogonal,      ///< orthonormal rows or columns
  gaussian,        ///< variance 1 / fan_in
  kaiming,         ///< variance 2 / fan_in (He et al. 2015)
  xavier,          ///< variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010)
  near_singular,   ///< singular values spread like a gaussian's, the smallest a thousand times smaller
  rank_deficient,  ///< the same, the smallest 0 (a single row or column keeps it)
  bottlenecked,    ///< the same, the smaller half 0: a bottleneck that the widths do not show
  mixed            ///< each layer by a law of its own, times a factor in [1/4, 4]
};
inline constexpr int weight_laws = 8;

constexpr char const* name_of(weights law) {
  constexpr char const* names[weight_laws] = {"orthogonal",    "gaussian",       "kaiming",      "xavier",
                                              "near_singular", "rank_deficient", "bottlenecked", "mixed"};
  return names[static_cast<int>(law)];
}

/// What determines an instance.
struct instance {
  std::uint64_t seed = 0;
  int samples = 1;  ///< n; below the number of features the covariance is singular
  weights law = weights::gaussian;
  double data_condition = 1;  ///< κ(Σ) over the directions the data span; at 1 they are white, Σ = I

  bool operator==(instance const&) const = default;
  /// As C++: what to write to have it again.
  std::string text() const {
    char number[32];
    std::snprintf(number, sizeof number, "%.17g", data_condition);
    return "{.seed = " + std::to_string(seed) + ", .samples = " + std::to_string(samples) +
           ", .law = kappa::testing::weights::" + name_of(law) + ", .data_condition = " + number + "}";
  }
};

/// Parameters [P] and inputs [n, d].
struct drawn {
  vector<double> theta;
  matrix<double> inputs;
};

namespace detail {

/// Orthonormal rows, [rows, columns] with rows <= columns: Gram and Schmidt, twice, on gaussian vectors.
inline matrix<double> orthonormal_rows(std::size_t rows, std::size_t columns, counter_random& random) {
  auto q = zeros<double>(rows, columns);
  for (std::size_t i = 0; i < rows; ++i) {
    double* row = q.data() + i * columns;
    for (std::size_t c = 0; c < columns; ++c) row[c] = random.normal();
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t j = 0; j < i; ++j) {
        double const* other = q.data() + j * columns;
        double along = 0;
        for (std::size_t c = 0; c < columns; ++c) along += row[c] * other[c];
        for (std::size_t c = 0; c < columns; ++c) row[c] -= along * other[c];
      }
      double norm = 0;
      for (std::size_t c = 0; c < columns; ++c) norm += row[c] * row[c];
      for (std::size_t c = 0; c < columns; ++c) row[c] /= std::sqrt(norm);
    }
  }
  return q;
}

/// Σ_i s_i u_i v_iᵀ, [columns of u, columns of v], from orthonormal rows u_i and v_i.
inline matrix<double> with_singular_values(std::span<double const> s, matrix<double> const& u,
                                           matrix<double> const& v) {
  auto m = zeros<double>(u.shape(1), v.shape(1));
  for (std::size_t i = 0; i < s.size(); ++i)
    for (std::size_t r = 0; r < m.shape(0); ++r)
      for (std::size_t c = 0; c < m.shape(1); ++c) m(r, c) += s[i] * u(i, r) * v(i, c);
  return m;
}

/// U diag(s) Vᵀ with s spread over the range of a gaussian matrix's singular values, the `count` smallest times
/// `factor`; the largest keeps its size.
inline matrix<double> with_smallest_times(std::size_t rows, std::size_t columns, double factor, std::size_t count,
                                          counter_random& random) {
  auto const rank = std::min(rows, columns);
  std::vector<double> s(rank);
  double const edge = std::sqrt(static_cast<double>(rank) / static_cast<double>(std::max(rows, columns)));
  double const size = std::sqrt(static_cast<double>(std::max(rows, columns)) / static_cast<double>(columns));
  for (double& x : s) x = size * (1 + edge * (1.8 * random.uniform() - 0.9));
  std::ranges::sort(s, [](double a, double b) { return a > b; });
  for (std::size_t i = 1; i <= count && i < rank; ++i) s[rank - i] *= factor;
  auto const u = orthonormal_rows(rank, rows, random);
  auto const v = orthonormal_rows(rank, columns, random);
  return with_singular_values(s, u, v);
}

inline matrix<double> random_weight(std::size_t rows, std::size_t columns, weights law, counter_random& random) {
  double factor = 1;
  if (law == weights::mixed) {
    law = static_cast<weights>(random.below(weight_laws - 1));
    factor = std::exp2(4 * random.uniform() - 2);
  }
  matrix<double> w;
  switch (law) {
    case weights::orthogonal: {
      auto const rank = std::min(rows, columns);
      auto const u = orthonormal_rows(rank, rows, random);  // two statements: arguments have no order of evaluation
      auto const v = orthonormal_rows(rank, columns, random);
      w = with_singular_values(std::vector<double>(rank, 1.0), u, v);
      break;
    }
    case weights::near_singular:
      w = with_smallest_times(rows, columns, 1e-3, 1, random);
      break;
    case weights::rank_deficient:
      w = with_smallest_times(rows, columns, 0, 1, random);
      break;
    case weights::bottlenecked:
      w = with_smallest_times(rows, columns, 0, std::min(rows, columns) / 2, random);
      break;
    default: {
      auto const inputs = static_cast<double>(columns), outputs = static_cast<double>(rows);
      double const variance = law == weights::kaiming  ? 2 / inputs
                              : law == weights::xavier ? 2 / (inputs + outputs)
                                                       : 1 / inputs;
      w = zeros<double>(rows, columns);
      for (double& x : elements(w)) x = std::sqrt(variance) * random.normal();
    }
  }
  for (double& x : elements(w)) x *= factor;
  return w;
}

/// X [n, d] whose covariance XᵀX / n has the given eigenvalues and random eigenvectors. \pre no more than min(n, d).
inline matrix<double> inputs_of(std::size_t n, std::size_t d, std::span<double const> eigenvalues,
                                counter_random& random) {
  std::vector<double> s(eigenvalues.begin(), eigenvalues.end());
  for (double& x : s) x = std::sqrt(static_cast<double>(n) * x);
  auto const u = orthonormal_rows(s.size(), n, random);
  auto const v = orthonormal_rows(s.size(), d, random);
  return with_singular_values(s, u, v);
}

/// min(n, d) eigenvalues, log-uniform in [1, condition] with both ends taken.
inline std::vector<double> random_spectrum(std::size_t n, std::size_t d, double condition, counter_random& random) {
  std::vector<double> s(std::min(n, d));
  for (std::size_t i = 0; i < s.size(); ++i)
    s[i] = std::pow(condition, i == 0 ? 1 : i + 1 == s.size() ? 0 : random.uniform());
  return s;
}

inline drawn draw(std::span<theory::linear_layer const> layers, std::size_t parameters, std::size_t features,
                  instance const& which) {
  drawn all{zeros<double>(parameters), {}};
  for (std::size_t l = 0; l < layers.size(); ++l) {
    counter_random random(which.seed, l + 1);
    auto const w = random_weight(static_cast<std::size_t>(layers[l].outputs),
                                 static_cast<std::size_t>(layers[l].inputs), which.law, random);
    std::copy_n(w.data(), w.size(), all.theta.data() + layers[l].offset);
  }
  counter_random random(which.seed, 0);
  auto const samples = static_cast<std::size_t>(which.samples);
  auto const spectrum = random_spectrum(samples, features, which.data_condition, random);
  all.inputs = inputs_of(samples, features, spectrum, random);
  return all;
}

}  // namespace detail

/// A random weight [rows, columns] by one of the laws.
inline matrix<double> random_weight(std::size_t rows, std::size_t columns, weights law, std::uint64_t seed) {
  counter_random random(seed, 0x77656967);
  return detail::random_weight(rows, columns, law, random);
}

/// Inputs [samples, features] whose uncentred covariance has exactly these non-zero eigenvalues, up to rounding, and
/// random eigenvectors.
/// \throws shape_mismatch when there are more of them than samples or features; invalid_value when one is not positive.
inline matrix<double> random_inputs(std::size_t samples, std::size_t features, std::span<double const> eigenvalues,
                                    std::uint64_t seed) {
  if (eigenvalues.size() > std::min(samples, features))
    throw shape_mismatch("random_inputs: at most " + std::to_string(std::min(samples, features)) +
                         " eigenvalues were expected, came " + std::to_string(eigenvalues.size()));
  for (double const x : eigenvalues)
    if (!(x > 0)) throw invalid_value("random_inputs: positive eigenvalues were expected, came " + std::to_string(x));
  counter_random random(seed, 0x64617461);  // a stream of its own: equal seeds must not tie data to weights
  return detail::inputs_of(samples, features, eigenvalues, random);
}

/// The networks whose weights and data can be drawn: linear chains, and one hidden layer with (leaky) ReLU.
template <class Net>
concept drawable = theory::linear_network<Net> || theory::relu_network<Net>;

namespace detail {

/// Where a drawable network's weights stand; the slope between two layers is no matter here.
template <drawable Net>
constexpr auto layers_drawn() {
  if constexpr (theory::linear_network<Net>) {
    return theory::linear_layers<Net>();
  } else {
    constexpr theory::relu_layers l = theory::relu_layers_of<Net>;
    return std::array{theory::linear_layer{0, l.hidden, l.inputs, l.hidden_offset, 1, 0},
                      theory::linear_layer{1, l.outputs, l.hidden, l.output_offset, 1, 0}};
  }
}

}  // namespace detail

/// The weights and data of an instance for a network. Weights that do not reach the output stay 0.
template <drawable Net>
drawn draw(instance const& which) {
  static constexpr auto layers = detail::layers_drawn<Net>();
  return detail::draw(layers, static_cast<std::size_t>(Net::parameter_count),
                      static_cast<std::size_t>(Net::input_shape.size()), which);
}

}  // namespace testing
}  // namespace kappa::inline KAPPA_ARCH
