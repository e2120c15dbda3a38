#pragma once
/// \file
/// One hidden layer with (leaky) ReLU, F(x) = W φ(V x): the kernel matrix that has the Gauss-Newton matrix's non-zero
/// spectrum, bounds on its condition number, and its limit at infinite width.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include <kappa/algebra/lapack.hpp>
#include <kappa/shapes/network.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/finite.hpp>
#include <kappa/tensor/random.hpp>
#include <kappa/theory/covariance.hpp>
#include <kappa/theory/linear_network.hpp>
#include <kappa/theory/value_statement.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// F(x) = W φ(V x) with φ(s) = s for s > 0 and slope · s elsewhere: V is [hidden, inputs] at `hidden_offset` of the
/// flat parameter vector, W is [outputs, hidden] at `output_offset`.
struct relu_layers {
  int inputs = 0;
  int hidden = 0;
  int outputs = 0;
  int hidden_offset = 0;
  int output_offset = 0;
  double slope = 0;

  constexpr bool operator==(relu_layers const&) const = default;
};

namespace detail {

enum class relu_obstacle_kind {
  none,
  other_term,  // what is not the next piece of dense | relu | dense
  bias,
  positions,
  shared,
  unfinished  // the network ends too early
};

struct relu_obstacle {
  relu_obstacle_kind why = relu_obstacle_kind::none;
  int node = -1;
  label at{};
  int got = 0;
};

struct relu_reading {
  relu_layers layers{};
  relu_obstacle bad{};
};

/// Reads input | flatten... | dense | relu | dense, `flatten` allowed anywhere.
template <network_type Net>
constexpr relu_reading read_relu() {
  relu_reading reading;
  int stage = 0, last = 0;  // stage: how many of dense, activation, dense have been met; last: the value they end in
  for (int i = 1; i < Net::node_count; ++i) {
    node const& n = Net::nodes[static_cast<unsigned>(i)];
    auto const fail = [&](relu_obstacle_kind why, int got = 0) {
      reading.bad = {why, i, n.name.empty() ? label{n.title()} : n.name, got};
    };
    bool const chained = n.a == last && n.b < 0;
    if (chained && n.op == operation::reshape) {
      last = i;
      continue;
    }
    if (chained && n.op == operation::dense && (stage == 0 || stage == 2)) {
      parameter const& p = Net::parameters[static_cast<unsigned>(n.parameter)];
      if (n.out.positions() != 1)
        fail(relu_obstacle_kind::positions, n.out.positions());
      else if (p.bias)
        fail(relu_obstacle_kind::bias);
      else if (p.uses > 1)
        fail(relu_obstacle_kind::shared, p.uses);
      if (stage == 0) {
        reading.layers.inputs = p.inputs;
        reading.layers.hidden = p.outputs;
        reading.layers.hidden_offset = p.offset;
      } else {
        reading.layers.outputs = p.outputs;
        reading.layers.output_offset = p.offset;
      }
    } else if (chained && stage == 1 && n.op == operation::activation &&
               (n.act->kind == activation_kind::relu || n.act->kind == activation_kind::leaky_relu)) {
      reading.layers.slope = static_cast<double>(n.act->numerator) / n.act->denominator;
    } else {
      fail(relu_obstacle_kind::other_term);
    }
    if (reading.bad.why != relu_obstacle_kind::none) return reading;
    ++stage;
    last = i;
  }
  if (stage < 3) {
    node const& n = Net::nodes[static_cast<unsigned>(Net::node_count - 1)];
    reading.bad = {relu_obstacle_kind::unfinished, Net::node_count - 1, label{n.title()}, 0};
  }
  return reading;
}

template <network_type Net>
inline constexpr relu_reading relu_reading_of = read_relu<Net>();

constexpr kappa::sentence describe(relu_obstacle const& o, char const* statement) {
  kappa::sentence s;
  switch (o.why) {
    case relu_obstacle_kind::none:
      break;
    case relu_obstacle_kind::other_term:
      s << o.at << " at node " << o.node << ": " << statement << " is for dense | relu or leaky_relu | dense";
      break;
    case relu_obstacle_kind::bias:
      s << o.at << " at node " << o.node << " has a bias: " << statement << " is for layers without";
      break;
    case relu_obstacle_kind::positions:
      s << o.at << " at node " << o.node << " acts at " << o.got << " positions: " << statement << " is for 1";
      break;
    case relu_obstacle_kind::shared:
      s << o.at << " at node " << o.node << " is one of " << o.got << " uses of its weight: " << statement
        << " is for weights used once";
      break;
    case relu_obstacle_kind::unfinished:
      s << "the network ends with " << o.at << " at node " << o.node << ": " << statement
        << " is for dense | relu or leaky_relu | dense";
      break;
  }
  return s;
}

template <network_type Net, class Statement>
constexpr bool refuse_unless_relu() {
  constexpr relu_obstacle why = relu_reading_of<Net>.bad;
  if constexpr (why.why != relu_obstacle_kind::none) {
    constexpr kappa::sentence says = describe(why, Statement::name);
    refuse_lines<says>(std::make_integer_sequence<int, static_detail::line_count(says)>());
  }
  return true;
}

inline matrix<double> times_transposed(matrix<double> const& a, matrix<double> const& b) {
  auto c = zeros<double>(a.shape(0), b.shape(0));
  lapack::gemm(false, true, a.shape(0), b.shape(0), a.shape(1), 1.0, a.data(), b.data(), 0.0, c.data());
  return c;
}

inline spectrum_ends ends_of_symmetric(matrix<double> m) {
  return ends_of(elements(lapack::symmetric_eigenvalues(std::move(m))));
}

}  // namespace detail

/// A network F(x) = W φ(V x): `dense<m, no_bias> | act::relu | dense<k, no_bias>` or with `act::leaky_relu`, on one
/// position, no weight used twice; `flatten` may stand anywhere.
template <class Net>
concept relu_network = network_type<Net> && detail::relu_reading_of<Net>
.bad.why == detail::relu_obstacle_kind::none;

/// Where the weights of a (leaky) ReLU network stand.
template <relu_network Net>
inline constexpr relu_layers relu_layers_of = detail::relu_reading_of<Net>.layers;

/// The kernel matrix of F(x) = W φ(V x) on n samples x_q: symmetric of order n k,
///
///     Ĝ = 1/n [ Σ_i (Λ^i XᵀX Λ^i) ⊗ w_i w_iᵀ + Γ ⊗ I_k ],     Γ = φ(VX)ᵀ φ(VX),
///
/// w_i column i of W, Λ^i = diag_q φ'(v_i x_q), X the samples as columns. Its non-zero eigenvalues are, with
/// multiplicity, those of G = 1/n Σ_q J_qᵀ J_q. Source: Zhao, Singh, Lucchi 2024; docs/conditioning/relu.md.
/// φ' at the kink is the slope, as everywhere in kappa.
class relu_kernel {
 public:
  using number = double;

  /// W [k, m], V [m, d], inputs [n, d] one sample a row, 0 <= slope <= 1. Cost: 2 n m d + n² (m + d) flops and
  /// eigenproblems: two of order n, one and n of order k.
  /// \throws shape_mismatch when the shapes do not fit; capacity_exceeded without samples; invalid_value when the slope
  /// is outside [0, 1] or an element is not finite.
  relu_kernel(matrix<double> output_weight, matrix<double> const& hidden_weight, matrix<double> const& inputs,
              double negative_slope)
      : w(std::move(output_weight)), alpha(negative_slope) {
    auto const n = inputs.shape(0), d = inputs.shape(1), m = hidden_weight.shape(0), k = w.shape(0);
    if (w.shape(1) != m)
      throw shape_mismatch("relu_kernel: W takes " + std::to_string(w.shape(1)) + " hidden units, V gives " +
                           std::to_string(m));
    if (hidden_weight.shape(1) != d)
      throw shape_mismatch("relu_kernel: V takes " + std::to_string(hidden_weight.shape(1)) +
                           " features, the inputs have " + std::to_string(d));
    if (n == 0) throw capacity_exceeded("relu_kernel: no samples");
    if (!(alpha >= 0 && alpha <= 1))
      throw invalid_value("relu_kernel: a slope from 0 to 1 was expected, came " + std::to_string(alpha));
    check_finite("relu_kernel: W", std::span<double const>(elements(w)));
    check_finite("relu_kernel: V", std::span<double const>(elements(hidden_weight)));
    check_finite("relu_kernel: inputs", std::span<double const>(elements(inputs)));

    masks = detail::times_transposed(inputs, hidden_weight);
    auto active = masks;
    for (std::size_t i = 0; i < masks.size(); ++i) {
      double const slope = active.data()[i] > 0 ? 1 : alpha;
      active.data()[i] *= slope;
      masks.data()[i] = slope;
    }
    activation_gram = detail::times_transposed(active, active);
    input_gram = detail::times_transposed(inputs, inputs);
    gamma_ends = detail::ends_of_symmetric(activation_gram);
    input_ends = detail::ends_of_symmetric(input_gram);
    weight_ends = detail::ends_of_symmetric(detail::times_transposed(w, w));
    for (std::size_t q = 0; q < n; ++q) {
      auto const ends = detail::ends_of_symmetric(sample_block(q));
      block_ends.largest = std::max(block_ends.largest, ends.largest);
      block_ends.smallest = q == 0 ? ends.smallest : std::min(block_ends.smallest, ends.smallest);
    }
    block_ends.rank = k;
  }

  std::size_t samples() const { return input_gram.shape(0); }
  std::size_t hidden() const { return w.shape(1); }
  std::size_t outputs() const { return w.shape(0); }
  double slope() const { return alpha; }
  /// n k.
  std::size_t order() const { return samples() * outputs(); }

  /// Γ = φ(VX)ᵀ φ(VX), [n, n], and XᵀX, [n, n].
  matrix<double> const& gamma() const { return activation_gram; }
  matrix<double> const& inputs() const { return input_gram; }
  /// The ends of the spectra of Γ, XᵀX and W Wᵀ; `smallest` is 0 when n > m, n > d, k > m.
  spectrum_ends const& gamma_spectrum() const { return gamma_ends; }
  spectrum_ends const& input_spectrum() const { return input_ends; }
  spectrum_ends const& weight_spectrum() const { return weight_ends; }
  /// max_q λ_max and min_q λ_min of the blocks W D_q² Wᵀ; only `largest` and `smallest` are meant.
  spectrum_ends const& sample_spectrum() const { return block_ends; }
  /// ‖φ(VX)‖_F² = tr Γ.
  double activation_norm() const {
    double sum = 0;
    for (std::size_t q = 0; q < samples(); ++q) sum += activation_gram(q, q);
    return sum;
  }

  /// W D_q² Wᵀ, [k, k]: D_q = diag_i φ'(v_i x_q).
  matrix<double> sample_block(std::size_t q) const {
    auto masked = w;
    for (std::size_t a = 0; a < w.shape(0); ++a)
      for (std::size_t i = 0; i < w.shape(1); ++i) masked(a, i) *= masks(q, i);
    return detail::times_transposed(masked, masked);
  }

  /// Ĝ, [n k, n k], sample by sample: element (q k + a, r k + b). k (k + 1) n² m flops.
  matrix<double> dense() const {
    auto const n = samples(), k = outputs(), m = hidden();
    auto g = zeros<double>(n * k, n * k);
    auto weighted = masks;
    auto between = zeros<double>(n, n);
    double const scale = 1 / static_cast<double>(n);
    for (std::size_t a = 0; a < k; ++a)
      for (std::size_t b = 0; b <= a; ++b) {
        for (std::size_t q = 0; q < n; ++q)
          for (std::size_t i = 0; i < m; ++i) weighted(q, i) = masks(q, i) * (w(a, i) * w(b, i));
        lapack::gemm(false, true, n, n, m, 1.0, weighted.data(), masks.data(), 0.0, between.data());
        for (std::size_t q = 0; q < n; ++q)
          for (std::size_t r = 0; r < n; ++r) {
            double const x = scale * (input_gram(q, r) * between(q, r) + (a == b ? activation_gram(q, r) : 0));
            g(q * k + a, r * k + b) = g(r * k + b, q * k + a) = x;
          }
      }
    return g;
  }

  /// All n k eigenvalues of Ĝ, descending. 4/3 (n k)³ flops.
  vector<double> eigenvalues() const { return lapack::symmetric_eigenvalues(dense()); }
  /// κ(G) over non-zero eigenvalues; costs `eigenvalues()`. \throws singular_matrix when F does not depend on θ.
  double condition_number() const { return theory::condition_number(ends_of(elements(eigenvalues()))); }

 private:
  matrix<double> w, masks, activation_gram, input_gram;  // masks [n, m] = φ'(v_i x_q)
  spectrum_ends gamma_ends, input_ends, weight_ends, block_ends;
  double alpha;
};

/// The kernel matrix of the network `Net` at theta on inputs [n, d]. Another network is refused in one sentence.
template <network_type Net>
class relu_gauss_newton : public relu_kernel {
 public:
  using network = Net;
  static constexpr char const* name = "the ReLU kernel matrix";
  static_assert(detail::refuse_unless_relu<Net, relu_gauss_newton>());

  /// \throws shape_mismatch when theta has not `Net::parameter_count` elements, and as relu_kernel.
  template <real T>
  relu_gauss_newton(std::span<T const> theta, matrix<double> const& inputs)
      : relu_kernel(weight(theta, layers().output_offset, layers().outputs, layers().hidden),
                    weight(theta, layers().hidden_offset, layers().hidden, layers().inputs), inputs, layers().slope) {}
  template <real T>
  relu_gauss_newton(vector<T> const& theta, matrix<double> const& inputs)
      : relu_gauss_newton(elements(theta), inputs) {}

 private:
  static constexpr relu_layers layers() { return detail::relu_reading_of<Net>.layers; }
  template <real T>
  static matrix<double> weight(std::span<T const> theta, int offset, int rows, int columns) {
    if (theta.size() != static_cast<std::size_t>(Net::parameter_count))
      throw shape_mismatch("the network has " + std::to_string(Net::parameter_count) + " parameters, came " +
                           std::to_string(theta.size()));
    auto m = zeros<double>(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
    for (std::size_t i = 0; i < m.size(); ++i)
      m.data()[i] = static_cast<double>(theta[static_cast<std::size_t>(offset) + i]);
    return m;
  }
};

namespace detail {

/// Makes a statement of Self's `value(relu_kernel const&)`, and says which networks it is about.
template <class Self>
struct relu_statement : value_statement<Self, relu_kernel> {
  template <network_type Net>
  using subject = relu_gauss_newton<Net>;
  template <network_type Net>
  static constexpr kappa::sentence refusal() {
    return describe(relu_reading_of<Net>.bad, Self::name);
  }
};

}  // namespace detail

/// κ(G) itself, from the eigenvalues of the kernel matrix.
struct exact_relu_t : detail::relu_statement<exact_relu_t> {
  static constexpr char const* name = "the ReLU kernel matrix";
  static constexpr char const* hypotheses = "one hidden layer, ReLU or leaky ReLU, no bias";
  static constexpr char const* source = "Zhao, Singh, Lucchi 2024, arXiv:2411.02139";
  static constexpr relation claims = relation::equality;

  static auto value(auto const& g) { return g.condition_number(); }
};
inline constexpr exact_relu_t exact_relu{};

/// κ(G) <= (s_1(X)² s_1(W)² + λ_max(Γ)) / (α² s_min(X)² s_min(W)² + λ_min(Γ)), read as s_min(X)² = λ_min(XᵀX) of order
/// n and s_min(W)² = λ_min(W Wᵀ) of order k. +infinity when Γ is singular and α or one of these is zero, so for ReLU
/// with fewer hidden units than samples.
struct relu_bound_t : detail::relu_statement<relu_bound_t> {
  static constexpr char const* name = "leaky ReLU bound";
  static constexpr char const* hypotheses =
      "one hidden layer, ReLU or leaky ReLU, no bias; s_min(X)^2 = lambda_min(X' X) of order n, s_min(W)^2 = "
      "lambda_min(W W')";
  static constexpr char const* source = "Zhao, Singh, Lucchi 2024, arXiv:2411.02139";

  static auto value(auto const& g) {
    auto const x = g.input_spectrum(), w = g.weight_spectrum(), gamma = g.gamma_spectrum();
    return detail::arithmetic_of<decltype(g)>::quotient(
        x.largest * w.largest + gamma.largest, g.slope() * g.slope() * x.smallest * w.smallest + gamma.smallest);
  }
};
inline constexpr relu_bound_t relu_bound{};

/// The same with ‖φ(VX)‖_F² in place of λ_max(Γ): no eigenproblem for the largest eigenvalue, and weaker.
struct relu_norm_bound_t : detail::relu_statement<relu_norm_bound_t> {
  static constexpr char const* name = "leaky ReLU bound, Frobenius norm";
  static constexpr char const* hypotheses = relu_bound_t::hypotheses;
  static constexpr char const* source = "after a figure of Zhao, Singh, Lucchi 2024";

  static auto value(auto const& g) {
    auto const x = g.input_spectrum(), w = g.weight_spectrum(), gamma = g.gamma_spectrum();
    return detail::arithmetic_of<decltype(g)>::quotient(
        x.largest * w.largest + g.activation_norm(), g.slope() * g.slope() * x.smallest * w.smallest + gamma.smallest);
  }
};
inline constexpr relu_norm_bound_t relu_norm_bound{};

/// With D_q the mask of sample q,
///
///     κ(G) <= (λ_max(XᵀX) max_q λ_max(W D_q² Wᵀ) + λ_max(Γ)) / (λ_min(XᵀX) min_q λ_min(W D_q² Wᵀ) + λ_min(Γ)).
///
/// Never above `relu_bound`, and finite for ReLU where XᵀX is nonsingular and every sample's mask leaves W of full
/// rank. Proof: the first term of the kernel matrix is the Hadamard product of XᵀX ⊗ 1 1ᵀ with a positive semidefinite
/// matrix whose diagonal blocks are W D_q² Wᵀ; λ_min I <= XᵀX <= λ_max I leaves these blocks only.
struct relu_sample_bound_t : detail::relu_statement<relu_sample_bound_t> {
  static constexpr char const* name = "ReLU bound by samples";
  static constexpr char const* hypotheses = "one hidden layer, ReLU or leaky ReLU, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/relu.md";

  static auto value(auto const& g) {
    auto const x = g.input_spectrum(), b = g.sample_spectrum(), gamma = g.gamma_spectrum();
    return detail::arithmetic_of<decltype(g)>::quotient(x.largest * b.largest + gamma.largest,
                                                        x.smallest * b.smallest + gamma.smallest);
  }
};
inline constexpr relu_sample_bound_t relu_sample_bound{};

/// From below, by Weyl's inequalities on the same two terms:
///
///     κ(G) >= (λ_max(Γ) + λ_min(XᵀX) min_q λ_min(W D_q² Wᵀ)) / (λ_min(Γ) + λ_max(XᵀX) max_q λ_max(W D_q² Wᵀ)),
///
/// or 1, where that is more. It says something where Γ dominates: whitened inputs, wide networks.
struct relu_sample_lower_bound_t : detail::relu_statement<relu_sample_lower_bound_t> {
  static constexpr char const* name = "ReLU lower bound by samples";
  static constexpr char const* hypotheses =
      "one hidden layer, ReLU or leaky ReLU, no bias; a nonsingular kernel matrix";
  static constexpr char const* source = "kappa, docs/conditioning/relu.md";
  static constexpr relation claims = relation::lower_bound;

  static auto value(auto const& g) {
    using arithmetic = detail::arithmetic_of<decltype(g)>;
    auto const x = g.input_spectrum(), b = g.sample_spectrum(), gamma = g.gamma_spectrum();
    return arithmetic::greatest(
        1, arithmetic::quotient(gamma.largest + x.smallest * b.smallest, gamma.smallest + x.largest * b.largest));
  }
};
inline constexpr relu_sample_lower_bound_t relu_sample_lower_bound{};

/// The limit of κ(G) as the width grows, on n <= d orthonormal inputs and gaussian weights:
///
///     κ -> 1 + n ((1 - α)² / 2π) / ((1 + α²) / 2 - (1 - α)² / 2π).
///
/// Γ / m tends to its mean, whose off-diagonal entries are the squared mean activation. So ReLU on whitened data has
/// κ of order n however wide the network; a linear one (α = 1) has 1.
struct relu_width_limit_t : detail::law<relu_width_limit_t> {
  static constexpr char const* name = "ReLU width limit";
  static constexpr char const* hypotheses =
      "one hidden layer, ReLU or leaky ReLU, gaussian weights, n <= d orthonormal inputs, hidden units -> infinity";
  static constexpr char const* source = "kappa, docs/conditioning/relu.md";
  static constexpr relation claims = relation::equality;

  /// \throws invalid_value when the slope is outside [0, 1].
  static double value(std::size_t samples, double slope) {
    if (!(slope >= 0 && slope <= 1))
      throw invalid_value("relu_width_limit: a slope from 0 to 1 was expected, came " + std::to_string(slope));
    double const mean_squared = (1 - slope) * (1 - slope) / (2 * std::numbers::pi);
    return 1 + static_cast<double>(samples) * mean_squared / ((1 + slope * slope) / 2 - mean_squared);
  }
};
inline constexpr relu_width_limit_t relu_width_limit{};

/// The statements about a `relu_kernel`.
inline constexpr std::tuple relu_statements{exact_relu, relu_bound, relu_norm_bound, relu_sample_bound,
                                            relu_sample_lower_bound};

/// Sizes of a one-hidden-layer ReLU network and its data.
struct relu_sizes {
  std::size_t samples = 0;
  std::size_t inputs = 0;
  std::size_t hidden = 0;
  std::size_t outputs = 0;
};

/// The kernel matrix at He's initialisation, W ~ N(0, 2 / hidden) and V ~ N(0, 2 / inputs), on whitened data, XᵀX = I.
/// The data then enter by n <= d alone: VX is gaussian itself, and is drawn directly.
/// \throws invalid_value when there are more samples than inputs, which cannot be orthonormal.
inline relu_kernel whitened_relu_kernel(relu_sizes const& sizes, double slope, std::uint64_t seed) {
  if (sizes.samples > sizes.inputs)
    throw invalid_value("whitened_relu_kernel: at most " + std::to_string(sizes.inputs) +
                        " orthonormal samples were expected, came " + std::to_string(sizes.samples));
  auto w = zeros<double>(sizes.outputs, sizes.hidden), vx = zeros<double>(sizes.hidden, sizes.samples);
  counter_random of_w(seed, 0), of_v(seed, 1);
  for (double& x : elements(w)) x = std::sqrt(2.0 / static_cast<double>(sizes.hidden)) * of_w.normal();
  for (double& x : elements(vx)) x = std::sqrt(2.0 / static_cast<double>(sizes.inputs)) * of_v.normal();
  auto unit = zeros<double>(sizes.samples, sizes.samples);
  for (std::size_t i = 0; i < sizes.samples; ++i) unit(i, i) = 1;
  return {std::move(w), vx, unit, slope};
}

/// One line of a table over slopes: κ(G) at initialisation beside its bounds.
struct relu_row {
  double slope = 0;
  double exact = 0;
  double bound = 0;         ///< relu_bound
  double norm_bound = 0;    ///< relu_norm_bound
  double sample_bound = 0;  ///< relu_sample_bound
  double lower_bound = 0;   ///< relu_sample_lower_bound
  double width_limit = 0;   ///< relu_width_limit
};

/// κ(G) at initialisation on whitened data beside its bounds: one line of the table of docs/conditioning/relu.md.
/// At n = 500, k = 10, m = 1000 the eigenproblem is of order 5000. \throws as whitened_relu_kernel.
inline relu_row relu_at_initialisation(relu_sizes const& sizes, double slope, std::uint64_t seed) {
  auto const g = whitened_relu_kernel(sizes, slope, seed);
  return {slope,
          exact_relu(g).value,
          relu_bound(g).value,
          relu_norm_bound(g).value,
          relu_sample_bound(g).value,
          relu_sample_lower_bound(g).value,
          relu_width_limit(sizes.samples, slope).value};
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
