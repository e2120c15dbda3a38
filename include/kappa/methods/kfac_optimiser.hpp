#pragma once
/// \file
/// K-FAC as an optimiser (Martens and Grosse 2015; Eschenhagen et al. 2023 for shared weights).

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/symmetric.hpp>
#include <kappa/derive/kfac_matrix.hpp>
#include <kappa/methods/optimiser.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {

/// For `kl_clip`: no clip.
inline constexpr double no_clip = std::numeric_limits<double>::infinity();

struct kfac_options {
  double learning_rate = 0.1;
  double momentum = 0.9;                 ///< μ in [0, 1), on the preconditioned gradient
  double weight_decay = 0;               ///< γ, decoupled
  double damping = 1e-3;                 ///< absolute, on the eigenvalues of a block
  double relative_damping = 0;           ///< times the mean eigenvalue of the layer's block, added to `damping`
  double factor_decay = 0.95;            ///< β in [0, 1), of the running averages of the factors
  std::size_t factor_period = 1;         ///< steps from one update of the factors to the next
  std::size_t decomposition_period = 5;  ///< steps from one eigendecomposition to the next: a multiple of it
  double kl_clip = 1e-3;                 ///< κ, bounds lr² uᵀK u; `no_clip` for none
  std::uint64_t seed = 0;                ///< of the draws of a monte_carlo source
};

namespace detail {

/// One layer of the optimiser: running averages of A and B, and the eigenbases of an earlier moment.
template <real T>
class kfac_layer {
 public:
  using bases = std::pair<eigenbasis<T>, eigenbasis<T>>;

  kfac_layer(parameter const& w, std::size_t index)
      : shape(w),
        title(title_of(w, index)),
        in(static_cast<std::size_t>(w.inputs)),
        width(in + (w.bias ? 1 : 0)),
        out(static_cast<std::size_t>(w.outputs)),
        a(zeros<T>(width, width)),
        b(zeros<T>(out, out)) {}

  std::size_t size() const { return out * width; }
  kfac_factors<T> factors() const { return {shape, {a.data(), width, width}, {b.data(), out, out}}; }

  /// \throws invalid_value when a factor is not finite.
  void check(kfac_factors<T> const& now) const {
    check_finite((title + ": the factor A").c_str(), now.inputs.elements());
    check_finite((title + ": the factor B").c_str(), now.outputs.elements());
  }
  /// F ← F + (F̂ - F) / w.
  void average(kfac_factors<T> const& now, double w) {
    auto const towards = [&](matrix<T>& to, std::span<T const> from) {
      T const part = static_cast<T>(1 / w);
      for (std::size_t i = 0; i < from.size(); ++i) to.data()[i] += part * (from[i] - to.data()[i]);
    };
    towards(a, now.inputs.elements());
    towards(b, now.outputs.elements());
  }

  /// The eigenbases of A and B, in double; eigenvalues that rounding made negative are zero.
  /// \throws not_converged naming the layer.
  bases decompose() const {
    try {
      bases both{symmetric<T>(a).basis(), symmetric<T>(b).basis()};
      for (double& v : elements(both.first.values)) v = std::max(v, 0.0);
      for (double& v : elements(both.second.values)) v = std::max(v, 0.0);
      return both;
    } catch (not_converged const& e) {
      throw not_converged("K-FAC, " + title + ": " + e.what());
    }
  }
  void take(bases&& both) {
    a_basis = std::move(both.first);
    b_basis = std::move(both.second);
  }

  /// λ of this layer. \throws singular_matrix naming the layer when the damped block is not invertible: the bound is
  /// pair_factor's in algebra/kronecker.hpp.
  double damping(double absolute, double relative) const {
    auto const sum = [](vector<double> const& values) {
      double total = 0;
      for (double v : elements(values)) total += v;
      return total;
    };
    auto const& x = a_basis.values;
    auto const& y = b_basis.values;
    double const lambda = absolute + relative * sum(x) * sum(y) / static_cast<double>(size());
    double const largest = x(0) * y(0) + lambda, smallest = x(width - 1) * y(out - 1) + lambda;
    double const resolution =
        static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(std::max(width, out));
    if (!(smallest > (lambda > 0 ? 0.0 : resolution * largest)))
      throw singular_matrix("K-FAC, " + title + ": the smallest eigenvalue of the block is " + number(smallest) +
                            ", the largest " + number(largest) + "; more damping would help");
    return lambda;
  }

  /// u = (B ⊗ A + λ I)⁻¹ g on this layer's part of the flat vectors in the eigenbasis, exact.
  /// 4 · out · in · (out + in) flops; x and half hold size() elements.
  void precondition(double lambda, std::span<T const> g, std::span<T> u, T* x, T* half) const {
    auto const offset = static_cast<std::size_t>(shape.offset);
    T const* const from = g.data() + offset;
    T* const to = u.data() + offset;
    for (std::size_t o = 0; o < out; ++o) {  // the rows of [W b]
      std::copy_n(from + o * in, in, x + o * width);
      if (shape.bias) x[o * width + in] = from[out * in + o];
    }
    T const* const q_a = a_basis.vectors.data();  // rows are eigenvectors
    T const* const q_b = b_basis.vectors.data();
    lapack::gemm<T>(false, true, out, width, width, 1, x, q_a, 0, half);
    lapack::gemm<T>(false, false, out, width, out, 1, q_b, half, 0, x);
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t i = 0; i < width; ++i)
        x[o * width + i] =
            static_cast<T>(static_cast<double>(x[o * width + i]) / (b_basis.values(o) * a_basis.values(i) + lambda));
    lapack::gemm<T>(true, false, out, width, out, 1, q_b, x, 0, half);
    lapack::gemm<T>(false, false, out, width, width, 1, half, q_a, 0, x);
    for (std::size_t o = 0; o < out; ++o) {
      std::copy_n(x + o * width, in, to + o * in);
      if (shape.bias) to[out * in + o] = x[o * width + in];
    }
  }

 private:
  parameter shape;
  std::string title;
  std::size_t in, width, out;
  matrix<T> a, b;
  eigenbasis<T> a_basis, b_basis;
};

}  // namespace detail

/// K-FAC. With g the batch's gradient and B ⊗ A the block of a layer:
///
///     A, B:  w ← β w + 1,  F ← F + (F̂ - F) / w           every factor_period steps: an average from step 1 on
///     u = (B ⊗ A + λ I)⁻¹ g,  λ exact in the eigenbasis   eigenbases renewed every decomposition_period steps
///     ν = min(1, √(κ / (lr² uᵀg))),  m ← μ m + ν u,  θ ← (1 - lr γ) θ - lr m.
///
/// λ = damping + relative_damping · tr(B) tr(A) / (out · in), layer by layer. `Curvature` says which K-FAC:
/// `kfac<expand>`, `kfac<reduce>`, `kfac<expand, monte_carlo<1>>`, `kfac<reduce, empirical>`, ...
///
/// Decompositions are in double and allocate; an update of the factors allocates the short list of its views; other
/// steps allocate nothing. Memory: the workspaces, 2 P scalars, and per layer four matrices, two of order in (+ 1)
/// and two of order out. The factors are averaged in T. A step is 4 Σ out · in · (out + in) flops beyond `derive`.
/// Sources: Martens and Grosse 2015; Ba, Grosse and Martens 2017 for the clip.
template <objective_type Objective, real T, auto Curvature = kfac<expand>>
class kfac_optimiser {
  static constexpr auto curvature_asked = Curvature;
  using asked = std::remove_cvref_t<decltype(Curvature)>;
  static_assert(detail::is_kfac<asked>,
                "kappa: the third argument of kfac_optimiser is a K-FAC, as kfac<reduce, monte_carlo<1>>");

 public:
  using objective = Objective;
  using value_type = T;

  /// For batches of up to `capacity` samples. \throws invalid_value naming the option; capacity_exceeded for 0.
  explicit kfac_optimiser(std::size_t capacity, kfac_options o = {})
      : hyper(checked(o)),
        most(capacity),
        work(capacity),
        direction(zeros<T>(static_cast<std::size_t>(Objective::parameter_count))),
        velocity(direction) {
    std::size_t largest = 0;
    for (std::size_t p = 0; p < Objective::network::parameters.size(); ++p) {
      layers.emplace_back(Objective::network::parameters[p], p);
      largest = std::max(largest, layers.back().size());
    }
    scratch = zeros<T>(2 * largest);
    half = largest;
    if (hyper.factor_period > 1) gradient_work.emplace(most);
  }

  kfac_options const& options() const { return hyper; }
  /// For schedules: holds from the next step on, for the periods from the next multiple. \throws invalid_value, and
  /// nothing has changed.
  void set_options(kfac_options const& o) {
    hyper = checked(o);
    if (hyper.factor_period > 1 && !gradient_work) gradient_work.emplace(most);
  }
  std::size_t steps() const { return taken; }
  std::size_t factor_updates() const { return updates; }
  std::size_t decompositions() const { return decomposed; }

  /// The running averages of the factors, as an operator [P, P]; copies them. Zero before the first step.
  kfac_matrix<T> curvature() const {
    std::vector<kfac_factors<T>> factors;
    for (auto const& layer : layers) factors.push_back(layer.factors());
    return kfac_matrix<T>(factors);
  }

  /// \throws besides what every optimiser throws: singular_matrix and not_converged naming the layer whose block
  /// cannot be inverted or decomposed. Theta and the momentum are then unchanged; the averages hold the batch.
  step_statistics step(std::span<T> theta, batch<T> const& b) {
    // The first step always: then there is nothing to precondition with.
    if (taken % hyper.factor_period != 0 && updates > 0) {
      auto const q = derive(*gradient_work, theta, b, loss_value, gradient);
      return finish(theta, q[gradient], detail::statistics_of(q, taken + 1));
    }
    auto const quantity = curvature_asked(counter_random(hyper.seed, taken).bits() | 1u);
    auto const q = derive(work, theta, b, loss_value, gradient, quantity);
    auto const s = detail::statistics_of(q, taken + 1);  // before anything not finite gets into the averages
    auto const factors = q.factors(quantity);
    for (std::size_t p = 0; p < layers.size(); ++p) layers[p].check(factors[p]);
    weight = hyper.factor_decay * weight + 1;
    for (std::size_t p = 0; p < layers.size(); ++p) layers[p].average(factors[p], weight);
    ++updates;
    return finish(theta, q[gradient], s);
  }

 private:
  step_statistics finish(std::span<T> theta, std::span<T const> g, step_statistics s) {
    if (taken % hyper.decomposition_period == 0 || decomposed == 0) {
      std::vector<typename detail::kfac_layer<T>::bases> fresh;
      for (auto const& layer : layers) fresh.push_back(layer.decompose());
      for (std::size_t p = 0; p < layers.size(); ++p) layers[p].take(std::move(fresh[p]));
      ++decomposed;
    }
    for (auto const& layer : layers)
      layer.precondition(layer.damping(hyper.damping, hyper.relative_damping), g, elements(direction), scratch.data(),
                         scratch.data() + half);
    double const length = detail::dot<T>(elements(direction), g);
    if (length > 0)
      s.clip = std::min(1.0, std::sqrt(hyper.kl_clip / (hyper.learning_rate * hyper.learning_rate * length)));
    T const mu = static_cast<T>(hyper.momentum), nu = static_cast<T>(s.clip);
    T const* const u = direction.data();
    T* const m = velocity.data();
    detail::descend(theta, hyper.learning_rate, hyper.weight_decay, [=](std::size_t i) {
      m[i] = mu * m[i] + nu * u[i];
      return m[i];
    });
    ++taken;
    return s;
  }

  static kfac_options const& checked(kfac_options const& o) {
    detail::require_positive("K-FAC: the learning rate", o.learning_rate);
    detail::require_within("K-FAC: the momentum", o.momentum, 0, 1);
    detail::require_within("K-FAC: the weight decay", o.weight_decay, 0, INFINITY);
    detail::require_within("K-FAC: the damping", o.damping, 0, INFINITY);
    detail::require_within("K-FAC: the relative damping", o.relative_damping, 0, INFINITY);
    detail::require_within("K-FAC: factor_decay", o.factor_decay, 0, 1);
    if (!(o.kl_clip > 0))
      throw invalid_value("K-FAC: kl_clip is " + detail::number(o.kl_clip) +
                          ", a positive number or no_clip was expected");
    if (o.factor_period == 0 || o.decomposition_period == 0 || o.decomposition_period % o.factor_period != 0)
      throw invalid_value("K-FAC: decomposition_period is " + std::to_string(o.decomposition_period) +
                          ", a positive multiple of factor_period, " + std::to_string(o.factor_period) +
                          ", was expected");
    return o;
  }

  kfac_options hyper;
  std::size_t most;
  workspace<Objective, T, loss_value_t, gradient_t, asked> work;
  std::optional<workspace<Objective, T, loss_value_t, gradient_t>> gradient_work;
  std::vector<detail::kfac_layer<T>> layers;
  vector<T> direction, velocity, scratch;
  std::size_t half = 0;
  double weight = 0;
  std::size_t taken = 0, updates = 0, decomposed = 0;
};

}  // namespace kappa::inline KAPPA_ARCH
