#pragma once
/// \file
/// Where everything lies in a workspace's arena: the plan's buffers, the results, and the kernels' scratch.
/// Regions in this order, each starting on a cache line: the buffers, results per sample, fixed, quadratic in the
/// batch, scratch.

#include <array>
#include <cstddef>

#include <kappa/arch.hpp>
#include <kappa/plan/program.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {
/// Elements rounded up so that what follows starts on a cache line, in float and in double.
constexpr std::size_t padded(std::size_t elements) { return (elements + 15) / 16 * 16; }
}  // namespace detail

/// The constants of an arena. Offsets among results named `..._per_sample` are multiplied by the capacity, those of
/// buffers by the samples they have room for; both are multiples of 16, so that they stay aligned.
template <objective_type Objective, request R>
struct layout {
  using network = typename Objective::network;
  /// The request as an object: a template argument indexed at run time is copied each time.
  static constexpr request asked = R;
  static constexpr auto const& plan = program<Objective, R>::value;
  static constexpr std::size_t parameter_count = static_cast<std::size_t>(Objective::parameter_count);
  static constexpr std::size_t parameters = network::parameters.size();

  // ---- per sample -------------------------------------------------------------------------------------------
  static constexpr std::size_t buffers_per_sample = static_cast<std::size_t>(plan.elements_per_sample);
  static constexpr std::size_t losses_per_sample = 0;
  static constexpr std::size_t norms_per_sample = losses_per_sample + (R.loss_value ? 1 : 0);
  static constexpr std::size_t rows_per_sample = norms_per_sample + (R.per_sample_gradient_norms ? 1 : 0);
  static constexpr std::size_t diagonals_per_sample = rows_per_sample + (R.per_sample_gradient ? parameter_count : 0);
  static constexpr std::size_t results_per_sample =
      diagonals_per_sample + (R.per_sample_ggn_diagonal ? parameter_count : 0);

  // ---- fixed ------------------------------------------------------------------------------------------------
  static constexpr bool keeps_gradient = R.gradient || R.gradient_variance;
  static constexpr std::size_t one(bool wanted) { return wanted ? detail::padded(parameter_count) : 0; }
  static constexpr std::size_t gradient = 0;
  static constexpr std::size_t ggn_product = gradient + one(keeps_gradient);
  static constexpr std::size_t hessian_product = ggn_product + one(R.ggn_vector_product);
  static constexpr std::size_t variance = hessian_product + one(R.hessian_vector_product);
  static constexpr std::size_t diagonal = variance + one(R.gradient_variance);
  /// Where the diagonal of request k begins.
  static constexpr std::size_t diagonal_of(int k) { return diagonal + static_cast<std::size_t>(k) * one(true); }
  static constexpr std::size_t input_factors = diagonal_of(R.diagonals);

  /// Orders of a parameter's K-FAC factors. Of a table's A only the diagonal is held.
  static constexpr int input_order(parameter const& p) {
    return p.is_table() ? p.outputs / p.row : p.inputs + (p.bias ? 1 : 0);
  }
  static constexpr int output_order(parameter const& p) { return p.is_table() ? p.row : p.outputs; }
  static constexpr std::size_t input_rows(parameter const& p) {
    return p.is_table() ? 1 : static_cast<std::size_t>(input_order(p));
  }
  static constexpr std::size_t square(int n) { return static_cast<std::size_t>(n) * static_cast<std::size_t>(n); }
  /// Where parameter p's K-FAC factors begin among all factors of one kind; [parameters] is their total size.
  static constexpr auto input_factor = [] {
    std::array<std::size_t, parameters + 1> at{};
    for (std::size_t p = 0; p < parameters; ++p)
      at[p + 1] = at[p] + detail::padded(input_rows(network::parameters[p]) *
                                         static_cast<std::size_t>(input_order(network::parameters[p])));
    return at;
  }();
  static constexpr auto output_factor = [] {
    std::array<std::size_t, parameters + 1> at{};
    for (std::size_t p = 0; p < parameters; ++p)
      at[p + 1] = at[p] + detail::padded(square(output_order(network::parameters[p])));
    return at;
  }();
  /// Input factors depend on the mode and on whether biases are apart; then A_ww is followed by the bias's own, a one,
  /// and takes the room of a joint factor.
  static constexpr std::size_t input_factors_of(kfac_mode m, bool biases_apart) {
    std::size_t at = input_factors;
    for (kfac_mode before : {kfac_mode::expand, kfac_mode::reduce, kfac_mode::automatic})
      for (bool apart : {false, true}) {
        if (before == m && apart == biases_apart) return at;
        if (R.any_kfac(before, apart)) at += input_factor[parameters];
      }
    return at;
  }
  static constexpr std::size_t output_factors = input_factors_of(kfac_mode::automatic, true) +
                                                (R.any_kfac(kfac_mode::automatic, true) ? input_factor[parameters] : 0);
  static constexpr std::size_t output_factors_of(int k) {
    return output_factors + static_cast<std::size_t>(k) * output_factor[parameters];
  }
  static constexpr std::size_t fixed = output_factors_of(R.kfacs);

  // ---- quadratic --------------------------------------------------------------------------------------------
  static constexpr stream_set streams = program<Objective, R>::streams;
  /// Columns per sample of Gauss-Newton matrix k's root, and how many Gram matrices it has.
  static constexpr std::size_t root_columns(int k) {
    return static_cast<std::size_t>(streams.at[streams.source_of(asked.ggn[k])].columns);
  }
  static constexpr std::size_t groups(int k) {
    return static_cast<std::size_t>(asked.ggn[k].groups(static_cast<int>(parameters)));
  }
  /// Where the Gram matrices of Gauss-Newton matrix k begin in an arena for `capacity` samples; the last is the end.
  static constexpr std::size_t gram_of(int k, std::size_t capacity) {
    std::size_t at = 0;
    for (int i = 0; i < k; ++i)
      at += groups(i) * detail::padded(capacity * root_columns(i) * capacity * root_columns(i));
    return at;
  }
  static constexpr std::size_t quadratic(std::size_t capacity) { return gram_of(R.ggns, capacity); }

  /// Whether the backward sweep comes to every layer, so that the first to add to something may write it.
  static constexpr bool all_written = [] {
    for (unsigned i = 0; i < static_cast<unsigned>(network::node_count); ++i)
      if (network::nodes[i].parameter >= 0 && (!plan.nodes[i].active || plan.nodes[i].adjoint == place_of::none))
        return false;
    return true;
  }();
  /// Whether a parameter is the first of its group in Gauss-Newton matrix k that the backward sweep comes to.
  static constexpr bool writes_gram(int k, int parameter) {
    if (!all_written) return false;
    for (unsigned i = static_cast<unsigned>(network::node_count); i-- > 0;) {
      if (network::nodes[i].parameter < 0 || !plan.nodes[i].completes) continue;
      int const p = network::nodes[i].parameter;
      if (asked.ggn[k].group(p) == asked.ggn[k].group(parameter)) return p == parameter;
    }
    return false;
  }
  /// Whether it is the last.
  static constexpr bool ends_gram(int k, int parameter) {
    if (!all_written) return false;
    for (unsigned i = 0; i < static_cast<unsigned>(network::node_count); ++i) {
      if (network::nodes[i].parameter < 0 || !plan.nodes[i].completes) continue;
      int const p = network::nodes[i].parameter;
      if (asked.ggn[k].group(p) == asked.ggn[k].group(parameter)) return p == parameter;
    }
    return false;
  }
};

}  // namespace kappa::inline KAPPA_ARCH
