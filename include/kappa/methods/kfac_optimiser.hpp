#pragma once
/// \file
/// K-FAC as an optimiser (Martens and Grosse 2015; Eschenhagen et al. 2023 for shared weights).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <kappa/methods/kfac_layer.hpp>
#include <kappa/methods/levenberg_marquardt.hpp>
#include <kappa/methods/optimiser.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {

/// For `kl_clip`: no clip.
inline constexpr double no_clip = std::numeric_limits<double>::infinity();

/// Whose length a layer's preconditioned gradient is given.
enum class kfac_grafting {
  none,  ///< its own
  sgd,   ///< the gradient's
  adam   ///< that of Adam's direction m̂ / (√v̂ + ε), decays 0.9 and 0.999, ε = 1e-8
};

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
  std::uint64_t seed = 0;                ///< of the draws of a source that draws
  kfac_damping damping_rule = kfac_damping::exact;
  kfac_grafting grafting = kfac_grafting::none;
  bool rescale_momentum = true;       ///< rescaled: choose μ with the step's length; else no momentum
  std::size_t adaptation_period = 0;  ///< rescaled: steps from one adaptation of the damping to the next; 0 for none
  double adaptation_factor = 0.95;    ///< rescaled: ω per step, 19/20 of Martens and Grosse
};

/// For the last argument of kfac_optimiser: θ moves by a learning rate and a momentum that are given.
struct fixed_step_t {
  static constexpr bool rescales = false;
};
/// For the last argument of kfac_optimiser: step and momentum minimise the batch's own exact quadratic model.
struct rescaled_t {
  static constexpr bool rescales = true;
};
inline constexpr fixed_step_t fixed_step{};
inline constexpr rescaled_t rescaled{};

/// What a rescaled step was.
struct rescaled_step {
  double length = 0;            ///< α
  double momentum = 0;          ///< μ
  double predicted_change = 0;  ///< q(δ) - q(0)
  double reduction_ratio = 0;   ///< at a step that adapts the damping, else NaN
};

/// K-FAC or EKFAC. With g the batch's gradient and B ⊗ A the block of a layer:
///
///     A, B:  w ← β w + 1,  F ← F + (F̂ - F) / w           every factor_period steps: an average from step 1 on
///     u = (B ⊗ A + λ I)⁻¹ g,  λ exact in the eigenbasis   eigenbases renewed every decomposition_period steps
///     ν = min(1, √(κ / (lr² uᵀg))),  m ← μ m + ν u,  θ ← (1 - lr γ) θ - lr m.
///
/// λ = damping + relative_damping · tr(B) tr(A) / (out · in), layer by layer; `damping_rule` says how it enters.
/// `Curvature` says which K-FAC: `kfac<expand>`, `kfac<reduce>`, `kfac<expand, monte_carlo<1>>`, `kfac<reduce,
/// empirical>`, ...; with `separate_bias` weights and biases are layers of their own. With an EKFAC, `ekfac<expand>`,
/// ..., the eigenvalues are running averages of the second moments Λ in the eigenbases, measured at every update of the
/// factors; when the bases are renewed, Λ becomes the diagonal of the same operator in the new ones. `grafting` scales
/// u layer by layer, before the clip.
///
/// With `rescaled` as the last argument (Martens and Grosse 2015, sections 6.4 and 7) the learning rate, the momentum
/// and the clip are not used, but for the weight decay's lr γ: δ ← -α u + μ δ where α and μ minimise
///
///     q(δ) - q(0) = ½ δᵀ(G + λI)δ + gᵀδ,  G the batch's exact Gauss-Newton matrix, λ = damping,
///
/// at the cost of two products with G; θ ← (1 - lr γ) θ + δ. Every adaptation_period steps the loss is evaluated again
/// and λ adapted by adapted_damping. Wants batches large enough for their curvature to be trusted.
///
/// Decompositions and EKFAC's moments are in double and T, and allocate; an update of the factors allocates the short
/// list of its views; other steps allocate nothing. Memory: the workspaces, 2 P scalars (2 P more for grafting to Adam,
/// P more when rescaled), and per layer four matrices, two of order in (+ 1) and two of order out, with EKFAC Λ beside.
/// The factors are averaged in T and decomposed in double. A step is 4 Σ out · in · (out + in) flops beyond `derive`.
/// Sources: Martens and Grosse 2015; George et al. 2018 for EKFAC; Ba, Grosse and Martens 2017 for the clip; Agarwal et
/// al. 2020 for grafting.
template <objective_type Objective, real T, auto Curvature = kfac<expand>, auto Step = fixed_step>
class kfac_optimiser {
  static constexpr auto curvature_asked = Curvature;
  using asked = std::remove_cvref_t<decltype(Curvature)>;
  static constexpr bool measures_moments = detail::is_ekfac<asked>, rescales = Step.rescales;
  static_assert(detail::is_kfac<asked> || measures_moments,
                "kappa: the third argument of kfac_optimiser is a K-FAC, as kfac<reduce, monte_carlo<1>>, or an EKFAC");
  template <class Q>
  struct factors_of {
    using type = Q;
  };
  template <class Q>
  requires detail::is_ekfac<Q>
  struct factors_of<Q> {
    using type = typename Q::factors;
  };
  using factors_t = typename factors_of<asked>::type;
  static constexpr auto parameter_count = static_cast<std::size_t>(Objective::parameter_count);

 public:
  using objective = Objective;
  using value_type = T;

  /// For batches of up to `capacity` samples. \throws invalid_value naming the option; capacity_exceeded for 0.
  explicit kfac_optimiser(std::size_t capacity, kfac_options o = {})
      : hyper(checked(o)),
        lambda(hyper.damping),
        most(capacity),
        work(capacity),
        direction(zeros<T>(parameter_count)),
        velocity(direction) {
    std::size_t largest = 0;
    auto const blocks = detail::kfac_blocks(Objective::network::parameters, factors_t::separate_bias);
    auto const titles = detail::titles_of(blocks);
    for (std::size_t p = 0; p < blocks.size(); ++p) {
      layers.emplace_back(blocks[p], titles[p], measures_moments);
      largest = std::max(largest, layers.back().size());
    }
    scratch = zeros<T>(2 * largest);
    half = largest;
    prepare();
  }

  kfac_options const& options() const { return hyper; }
  /// For schedules: holds from the next step on, for the periods from the next multiple. An adapted damping starts
  /// again at o.damping when that is another one than before. \throws invalid_value, and nothing has changed.
  void set_options(kfac_options const& o) {
    auto const next = checked(o);
    if (next.damping != hyper.damping) lambda = next.damping;
    hyper = next;
    prepare();
  }
  std::size_t steps() const { return taken; }
  std::size_t factor_updates() const { return updates; }
  std::size_t decompositions() const { return decomposed; }
  /// λ now: options().damping until it is adapted.
  double damping() const { return lambda; }
  /// The last step's α and μ and what its model foretold.
  rescaled_step const& last_step() const requires rescales { return last; }

  /// The running averages as an operator [P, P], copied: K-FAC of the factors, or EKFAC with the eigenbases and moments
  /// in use. Zero before the first step; of EKFAC \throws capacity_exceeded then.
  auto curvature() const {
    if constexpr (measures_moments) {
      if (decomposed == 0) throw capacity_exceeded("the EKFAC of 0 steps: at least 1 was expected");
      std::vector<kfac_block> blocks;
      std::vector<matrix<T>> left, right, moments;
      for (auto const& layer : layers) {
        blocks.push_back(layer.block());
        left.push_back(layer.left_basis());
        right.push_back(layer.right_basis());
        moments.push_back(layer.second_moments());
      }
      return detail::ekfac_of(blocks, std::move(left), std::move(right), std::move(moments));
    } else {
      std::vector<kfac_factors<T>> factors;
      for (auto const& layer : layers) factors.push_back(layer.factors());
      return kfac_matrix<T>(factors);
    }
  }

  /// \throws besides what every optimiser throws: singular_matrix naming the layer whose damped block cannot be
  /// inverted and its factors' condition numbers, or a rescaled step without curvature; not_converged naming the layer
  /// that cannot be decomposed. Theta and the momentum are then unchanged; the averages hold the batch.
  step_statistics step(std::span<T> theta, batch<T> const& b) {
    // The first step always: then there is nothing to precondition with.
    if (taken % hyper.factor_period != 0 && updates > 0) {
      auto const q = derive(*gradient_work, theta, b, loss_value, gradient);
      renew();
      return finish(theta, b, q[gradient], detail::statistics_of(q, taken + 1));
    }
    auto const quantity = curvature_asked(counter_random(hyper.seed, taken).bits() | 1u);
    auto const q = [&] {
      if constexpr (measures_moments)
        return derive(work, theta, b, loss_value, gradient, factors_t{}(quantity.seed), quantity);
      else
        return derive(work, theta, b, loss_value, gradient, quantity);
    }();
    auto const s = detail::statistics_of(q, taken + 1);  // before anything not finite gets into the averages
    auto const factors = q.factors(factors_t{});
    for (std::size_t p = 0; p < layers.size(); ++p) layers[p].check(factors[p]);
    double const part = factor_weight.next(hyper.factor_decay);
    for (std::size_t p = 0; p < layers.size(); ++p) layers[p].average(factors[p], part);
    ++updates;
    renew();
    if constexpr (measures_moments) {
      std::vector<matrix<T>> left, right;
      for (auto const& layer : layers) {
        left.push_back(layer.left_basis());
        right.push_back(layer.right_basis());
      }
      auto const moments = q.second_moments(quantity, left, right);
      for (std::size_t p = 0; p < layers.size(); ++p) layers[p].check(moments[p]);
      double const moment_part = moment_weight.next(hyper.factor_decay);
      for (std::size_t p = 0; p < layers.size(); ++p) layers[p].average(moments[p], moment_part);
    }
    return finish(theta, b, q[gradient], s);
  }

 private:
  void prepare() {
    if (hyper.factor_period > 1 && !gradient_work) gradient_work.emplace(most);
    if (hyper.grafting == kfac_grafting::adam && adam_first.size() == 0) {
      adam_first = zeros<T>(parameter_count);
      adam_second = zeros<T>(parameter_count);
    }
    if constexpr (rescales) {
      if (!products) products.emplace(most);
      if (trial.size() == 0) trial = zeros<T>(parameter_count);
      if (hyper.adaptation_period > 0 && !loss_work) loss_work.emplace(most);
    }
  }

  void renew() {
    if (taken % hyper.decomposition_period != 0 && decomposed > 0) return;
    std::vector<typename detail::kfac_layer<T>::bases> fresh;
    for (auto const& layer : layers) fresh.push_back(layer.decompose());
    for (std::size_t p = 0; p < layers.size(); ++p) layers[p].take(std::move(fresh[p]));
    ++decomposed;
  }

  // Gives u's part of each layer the length of another direction's.
  void graft(std::span<T const> g) {
    T const correct_first = static_cast<T>(1 / (1 - std::pow(0.9, static_cast<double>(taken + 1))));
    T const correct_second = static_cast<T>(1 / (1 - std::pow(0.999, static_cast<double>(taken + 1))));
    for (auto const& layer : layers) {
      double squares = 0, own = 0;
      for (std::size_t i = layer.offset(); i < layer.offset() + layer.size(); ++i) {
        T d = g[i];
        if (hyper.grafting == kfac_grafting::adam) {
          T const m = T(0.9) * adam_first(i) + T(0.1) * g[i], v = T(0.999) * adam_second(i) + T(0.001) * g[i] * g[i];
          d = correct_first * m / (std::sqrt(correct_second * v) + T(1e-8));
        }
        squares += static_cast<double>(d) * static_cast<double>(d);
        own += static_cast<double>(direction(i)) * static_cast<double>(direction(i));
      }
      T const factor = own > 0 ? static_cast<T>(std::sqrt(squares / own)) : T(0);
      for (std::size_t i = layer.offset(); i < layer.offset() + layer.size(); ++i) direction(i) *= factor;
    }
  }
  // Once nothing can throw any more.
  void remember(std::span<T const> g) {
    if (hyper.grafting != kfac_grafting::adam) return;
    for (std::size_t i = 0; i < g.size(); ++i) {
      adam_first(i) = T(0.9) * adam_first(i) + T(0.1) * g[i];
      adam_second(i) = T(0.999) * adam_second(i) + T(0.001) * g[i] * g[i];
    }
  }

  step_statistics finish(std::span<T> theta, batch<T> const& b, std::span<T const> g, step_statistics s) {
    for (auto const& layer : layers)
      layer.precondition(layer.shift_for(lambda, hyper.relative_damping, hyper.damping_rule), g, elements(direction),
                         scratch.data(), scratch.data() + half);
    if (hyper.grafting != kfac_grafting::none) graft(g);
    if constexpr (rescales) {
      move_rescaled(theta, b, g, s);
    } else {
      double const length = detail::dot<T>(elements(direction), g);
      if (length > 0)
        s.clip = std::min(1.0, std::sqrt(hyper.kl_clip / (hyper.learning_rate * hyper.learning_rate * length)));
      T const mu = static_cast<T>(hyper.momentum), nu = static_cast<T>(s.clip);
      T const* const u = direction.data();
      T* const m = velocity.data();
      remember(g);
      detail::descend(theta, hyper.learning_rate, hyper.weight_decay, [=](std::size_t i) {
        m[i] = mu * m[i] + nu * u[i];
        return m[i];
      });
    }
    ++taken;
    return s;
  }

  void move_rescaled(std::span<T> theta, batch<T> const& b, std::span<T const> g,
                     step_statistics const& s) requires rescales {
    auto const dot = [](auto const& x, auto const& y) {
      return detail::dot<T>(std::span<T const>(x.data(), x.size()), std::span<T const>(y.data(), y.size()));
    };
    auto const& u = direction;
    auto const& previous = velocity;
    rescaled_step next;
    next.reduction_ratio = std::numeric_limits<double>::quiet_NaN();
    double const ug = dot(u, g), vg = dot(previous, g);
    double uu, uv = 0, vv = 0;
    bool const two = hyper.rescale_momentum && dot(previous, previous) > 0;
    {
      auto const q = derive(*products, theta, b, ggn_vector_product(u));
      auto const image = q[ggn_vector_product];
      uu = dot(u, image) + lambda * dot(u, u);
      if (two) uv = dot(previous, image) + lambda * dot(u, previous);
    }
    if (two) {
      auto const q = derive(*products, theta, b, ggn_vector_product(previous));
      vv = dot(previous, q[ggn_vector_product]) + lambda * dot(previous, previous);
    }
    if (ug != 0 && !(uu > 0))
      throw singular_matrix(
          "K-FAC: the quadratic model has no curvature along the step, which has no length then; more "
          "damping would help");
    // [uᵀMu  -uᵀMδ; -uᵀMδ  δᵀMδ] [α; μ] = [uᵀg; -δᵀg]; one direction alone where the two are parallel.
    double const determinant = uu * vv - uv * uv;
    if (two && determinant > 64 * static_cast<double>(std::numeric_limits<T>::epsilon()) * uu * vv) {
      next.length = (vv * ug - uv * vg) / determinant;
      next.momentum = (uv * ug - uu * vg) / determinant;
    } else {
      next.length = ug != 0 ? ug / uu : 0;
    }
    double const alpha = next.length, mu = next.momentum;
    next.predicted_change = 0.5 * (alpha * alpha * uu - 2 * alpha * mu * uv + mu * mu * vv) - alpha * ug + mu * vg;
    auto const moved = [&](std::size_t i) {
      return static_cast<T>(-alpha * static_cast<double>(u(i)) + mu * static_cast<double>(previous(i)));
    };
    double adapted = lambda;
    if (hyper.adaptation_period > 0 && (taken + 1) % hyper.adaptation_period == 0 && next.predicted_change < 0) {
      for (std::size_t i = 0; i < theta.size(); ++i) trial(i) = theta[i] + moved(i);
      auto const q = derive(*loss_work, trial, b, loss_value);
      next.reduction_ratio = reduction_ratio(q[loss_value] - s.loss, next.predicted_change);
      adapted = adapted_damping(lambda, next.reduction_ratio,
                                {hyper.adaptation_factor, static_cast<int>(hyper.adaptation_period)});
    }
    remember(g);
    T const keep = static_cast<T>(1 - hyper.learning_rate * hyper.weight_decay);
    for (std::size_t i = 0; i < theta.size(); ++i) {
      velocity(i) = moved(i);
      theta[i] = keep * theta[i] + velocity(i);
    }
    lambda = adapted;
    last = next;
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
    if (measures_moments && o.damping_rule == kfac_damping::pi)
      throw invalid_value("K-FAC: damping_rule is pi, which damps two factors; an EKFAC has none: exact was expected");
    if (o.adaptation_period > 0) {
      if (!rescales)
        throw invalid_value("K-FAC: adaptation_period is " + std::to_string(o.adaptation_period) +
                            ", but only a rescaled step has a model to adapt the damping by: 0 was expected");
      adapted_damping(o.damping, 1, {o.adaptation_factor, static_cast<int>(o.adaptation_period)});
    }
    return o;
  }

  template <bool Moments, class Factors, class Asked>
  struct working {
    using type = workspace<Objective, T, loss_value_t, gradient_t, Asked>;
  };
  template <class Factors, class Asked>
  struct working<true, Factors, Asked> {
    using type = workspace<Objective, T, loss_value_t, gradient_t, Factors, Asked>;
  };
  struct nothing {
    explicit nothing(std::size_t) {}
  };
  template <class... Q>
  using when_rescaled = std::optional<std::conditional_t<rescales, workspace<Objective, T, Q...>, nothing>>;

  kfac_options hyper;
  double lambda;
  std::size_t most;
  typename working<measures_moments, factors_t, asked>::type work;
  std::optional<workspace<Objective, T, loss_value_t, gradient_t>> gradient_work;
  when_rescaled<ggn_vector_product_t> products;
  when_rescaled<loss_value_t> loss_work;
  std::vector<detail::kfac_layer<T>> layers;
  vector<T> direction, velocity, scratch;  // velocity: the last step itself when rescaled
  vector<T> trial = zeros<T>(0), adam_first = zeros<T>(0), adam_second = zeros<T>(0);
  std::size_t half = 0;
  running_weight factor_weight, moment_weight;
  rescaled_step last;
  std::size_t taken = 0, updates = 0, decomposed = 0;
};

}  // namespace kappa::inline KAPPA_ARCH
