#pragma once
/// \file
/// An objective: a network, a loss on its output, and how the loss terms are reduced to one number.

#include <kappa/declare/layers.hpp>
#include <kappa/declare/loss.hpp>
#include <kappa/declare/reduction.hpp>
#include <kappa/shapes/network.hpp>

namespace kappa {

/// How the loss terms become one number: `mean`, `sum`, `mean_over_positions` or `weighted_mean`.
template <class R>
concept reduction = std::is_same_v<R, mean_t> || std::is_same_v<R, sum_t> || std::is_same_v<R, mean_over_positions_t> ||
    std::is_same_v<R, weighted_mean_t>;

/// L(θ) = ρ Σ_n Σ_m ℓ(F(θ, x_n)_m, y_nm), as a type:
///
///     struct digits : objective<mlp, cross_entropy> {};
///
/// m runs over the M positions of the output, ρ is 1/N for `mean`, 1 for `sum`, 1/(N M) for `mean_over_positions`, and
/// 1/Σ_n Σ_m w(y_nm) for `weighted_mean`, with w(y) = 0 for a term that is ignored.
template <network_type Network, auto Loss, auto Reduction = mean>
requires kappa::loss<std::remove_cvref_t<decltype(Loss)>> && reduction<std::remove_cvref_t<decltype(Reduction)>>
struct objective {
  using network = Network;
  using loss = std::remove_cvref_t<decltype(Loss)>;
  using reduction = std::remove_cvref_t<decltype(Reduction)>;

 private:
  static constexpr diagnosis bad = [] {
    constexpr int given = Network::output_shape.features();
    if (given < loss::smallest_output)
      return diagnosis{fault::loss_does_not_fit, Network::node_count - 1, loss::smallest_output, given, {loss::name}};
    if constexpr (requires { loss::outputs_for(given); })
      if (loss::outputs_for(given) != given)
        return diagnosis{
            fault::loss_wants_outputs, Network::node_count - 1, loss::outputs_for(given), given, {loss::name}};
    return diagnosis{};
  }();

 public:
  static constexpr bool well_formed = static_detail::refuse<bad>();
  static_assert(well_formed);

  static constexpr int parameter_count = Network::parameter_count;
  /// C: outputs of one loss term.
  static constexpr int outputs = Network::output_shape.features();
  /// M: loss terms of one sample.
  static constexpr int terms = Network::output_shape.positions();
  /// Columns per sample of the exact root of the loss Hessian: M · K(C).
  static constexpr int root_columns = terms * loss::root_columns(outputs);
  /// The same of the loss's other root, of C columns a term; of the only one when a loss has no other.
  static constexpr int full_root_columns = [] {
    if constexpr (requires { loss::full_root_columns(outputs); }) {
      return terms * loss::full_root_columns(outputs);
    } else {
      return root_columns;
    }
  }();

  /// Numbers in the vector target of one loss term.
  static constexpr int target_size = detail::target_size<loss>(outputs);

  /// Whether ρ is known only with the targets of a batch.
  static constexpr bool scale_depends_on_targets = std::same_as<reduction, weighted_mean_t>;
  /// ρ for a batch of `samples`; not for `weighted_mean`.
  static constexpr double scale(std::size_t samples) {
    static_assert(!scale_depends_on_targets,
                  "kappa: weighted_mean divides by the weights of a batch's targets: its number of samples alone gives "
                  "no scale");
    if (std::same_as<reduction, mean_t>) return 1.0 / static_cast<double>(samples);
    if (std::same_as<reduction, sum_t>) return 1.0;
    return 1.0 / (static_cast<double>(samples) * terms);
  }
  /// ρ for a batch of `samples` whose loss terms weigh `weight` together; `weight` counts for `weighted_mean` only.
  static constexpr double scale([[maybe_unused]] std::size_t samples, [[maybe_unused]] double weight) {
    if constexpr (scale_depends_on_targets) {
      return 1.0 / weight;
    } else {
      return scale(samples);
    }
  }
};

template <class O>
concept objective_type = requires {
  typename O::network;
  typename O::loss;
  O::root_columns;
};

}  // namespace kappa
