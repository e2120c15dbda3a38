#pragma once
/// \file
/// K-FAC and EKFAC of more samples than one batch holds: sums over samples that are appended batch by batch, merged,
/// and kept on disk (io/kfac_file.hpp).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/derive/derive.hpp>
#include <kappa/derive/kfac_sums.hpp>

namespace kappa::inline KAPPA_ARCH {

/// Collects K-FAC at fixed parameters from batches of any sizes: the factors are those of one batch of all samples, at
/// the objective's scale for their number. (K-FAC itself is no sum over samples: the product of two means is not the
/// mean of products.) Memory: the factors once more, in double, and a workspace for one batch.
template <objective_type Objective, real T, auto Curvature = kfac<expand>>
class kfac_accumulator {
  using asked = std::remove_cvref_t<decltype(Curvature)>;
  static_assert(detail::is_kfac<asked>,
                "kappa: the third argument of kfac_accumulator is a K-FAC, as kfac<reduce, monte_carlo<1>>");

 public:
  /// At these parameters, for batches of up to `capacity` samples. Monte Carlo draws of batch i have the seed
  /// Curvature.seed + i + 1. \throws shape_mismatch, invalid_value (a parameter that is not finite), capacity_exceeded
  /// (0).
  template <class Theta>
  kfac_accumulator(Theta const& parameters, std::size_t capacity)
      : theta(parameters.data(), parameters.data() + parameters.size()), work(capacity) {
    detail::check_parameters<Objective>(std::span<T const>(theta), "parameters");
    auto const all = blocks();
    auto const titles = detail::titles_of(all);
    for (std::size_t p = 0; p < all.size(); ++p) {
      parameter const& w = all[p].parameter;
      auto const in = static_cast<std::size_t>(w.inputs + (w.bias ? 1 : 0));
      auto const out = static_cast<std::size_t>(w.outputs);
      total.layers.push_back({titles[p], zeros<double>(w.is_table() ? 1 : in, in), zeros<double>(out, out)});
    }
  }

  std::size_t samples() const { return total.samples; }
  kfac_sums const& sums() const { return total; }

  /// \throws as derive; nothing has changed then.
  void append(batch<T> const& b) {
    auto const quantity = seeded();
    auto const q = derive(work, theta, b, quantity);
    auto const factors = q.factors(quantity);
    double const unscale = 1 / Objective::scale(q.samples());
    std::size_t parameters = 0;
    for (std::size_t p = 0; p < factors.size(); ++p) {
      if (factors[p].part != kfac_part::bias_alone) ++parameters;
      double const weight = weight_of(parameters - 1, q.samples(), b.side.mask);
      total.layers[p].weight += weight;
      add(total.layers[p].inputs, factors[p].inputs, weight);
      add(total.layers[p].outputs, factors[p].outputs, unscale);
    }
    total.samples += q.samples();
    ++total.batches;
  }
  /// Adds what another accumulator, or an earlier session, has seen at the same parameters.
  /// \throws shape_mismatch when it has other layers; nothing has changed.
  void merge(kfac_sums const& other) { kappa::merge(total, other); }
  void merge(kfac_accumulator const& other) { kappa::merge(total, other.total); }

  /// K-FAC of all samples so far, decomposed where needed. \throws capacity_exceeded when there are none.
  kfac_matrix<T> curvature() const {
    if (total.samples == 0) throw capacity_exceeded("the K-FAC of 0 samples: at least 1 was expected");
    double const rho = Objective::scale(total.samples);
    std::vector<matrix<T>> storage;
    std::vector<kfac_factors<T>> views;
    auto const all = blocks();
    storage.reserve(2 * all.size());
    for (std::size_t p = 0; p < all.size(); ++p) {
      double const weight = total.layers[p].weight;  // none where everything was padding
      auto const& a = storage.emplace_back(scaled_copy(total.layers[p].inputs, weight > 0 ? 1 / weight : 0));
      auto const& b = storage.emplace_back(scaled_copy(total.layers[p].outputs, rho));
      views.push_back(
          {all[p].parameter, {a.data(), a.shape(0), a.shape(1)}, {b.data(), b.shape(0), b.shape(1)}, all[p].part});
    }
    return kfac_matrix<T>(views);
  }

 private:
  static std::vector<kfac_block> blocks() {
    return detail::kfac_blocks(Objective::network::parameters, asked::separate_bias);
  }
  asked seeded() const {
    auto quantity = Curvature;
    quantity.seed += total.batches + 1;
    return quantity;
  }
  // What the input factor of a parameter is a mean over (quadratic.hpp, ragged_input_factor and add_reads).
  static double weight_of(std::size_t p, std::size_t samples, std::span<unsigned char const> mask) {
    using network = typename Objective::network;
    sharing_of const how = sharing<network>[p];
    auto const valid_of = [&](std::size_t n) {
      constexpr auto positions = static_cast<std::size_t>(network::mask_positions);
      double valid = mask.empty() ? static_cast<double>(positions) : 0;
      for (std::size_t r = 0; r < positions && !mask.empty(); ++r) valid += mask[n * positions + r] != 0 ? 1 : 0;
      return valid;
    };
    double total_weight = 0;
    if (network::parameters[p].is_table()) {  // whatever the mode, the positions that are counted
      parameter_plan const& plan = workspace<Objective, T, asked>::places::plan.parameters[p];
      for (std::size_t n = 0; n < samples; ++n) total_weight += plan.reads + plan.ragged_uses * valid_of(n);
      return total_weight;
    }
    bool const reduces = workspace<Objective, T, asked>::places::plan.parameters[p].positions > 1 &&
                         (asked::mode == kfac_mode::reduce || (asked::mode == kfac_mode::automatic && how.aggregated));
    if (!how.ragged || (reduces && !how.sums)) return static_cast<double>(samples);
    for (std::size_t n = 0; n < samples; ++n) {
      double const valid = valid_of(n);
      total_weight += reduces ? valid * valid : valid;
    }
    return total_weight;
  }
  static void add(matrix<double>& to, matrix_view<T> const& from, double weight) {
    auto const values = from.elements();
    for (std::size_t i = 0; i < values.size(); ++i) to.data()[i] += weight * static_cast<double>(values[i]);
  }
  static matrix<T> scaled_copy(matrix<double> const& from, double scale) {
    auto to = unset<T>(from.shape(0), from.shape(1));
    std::transform(from.data(), from.data() + from.size(), to.data(),
                   [&](double v) { return static_cast<T>(scale * v); });
    return to;
  }

  std::vector<T> theta;
  workspace<Objective, T, asked> work;
  kfac_sums total;
};

/// The second pass of EKFAC over many batches: measures the second moments of all samples in the eigenbases of a K-FAC
/// collected in the first pass. Its trace is that of the Gauss-Newton matrix of all samples, block by block.
template <objective_type Objective, real T, auto Curvature = ekfac<expand>>
class ekfac_accumulator {
  using asked = std::remove_cvref_t<decltype(Curvature)>;
  static_assert(detail::is_ekfac<asked>,
                "kappa: the third argument of ekfac_accumulator is an EKFAC, as ekfac<reduce, monte_carlo<1>>");

 public:
  /// In the eigenbases of `factors`, decomposed in double here. \throws as kfac_accumulator; not_converged.
  template <class Theta>
  ekfac_accumulator(Theta const& parameters, std::size_t capacity, kfac_matrix<T> const& factors)
      : theta(parameters.data(), parameters.data() + parameters.size()), work(capacity) {
    detail::check_parameters<Objective>(std::span<T const>(theta), "parameters");
    detail::require_length("the K-FAC", static_cast<std::size_t>(Objective::parameter_count), factors.size());
    detail::require_length("the list of the K-FAC's blocks", blocks().size(), factors.blocks().size());
    for (auto const& block : factors.blocks()) {
      left.push_back(block.block().left().basis().vectors);
      right.push_back(block.block().right().basis().vectors);
      sums.push_back(zeros<double>(left.back().shape(0), detail::basis_order(right.back())));
    }
  }

  std::size_t samples() const { return count; }

  /// \throws as derive; nothing has changed then.
  void append(batch<T> const& b) {
    auto quantity = Curvature;
    quantity.seed += batches + 1;
    auto const q = derive(work, theta, b, quantity);
    auto const moments = q.second_moments(quantity, left, right);
    double const unscale = 1 / Objective::scale(q.samples());
    for (std::size_t p = 0; p < sums.size(); ++p)
      for (std::size_t i = 0; i < sums[p].size(); ++i)
        sums[p].data()[i] += unscale * static_cast<double>(moments[p].data()[i]);
    count += q.samples();
    ++batches;
  }

  /// EKFAC of all samples so far. \throws capacity_exceeded when there are none.
  ekfac_matrix<T> curvature() const {
    if (count == 0) throw capacity_exceeded("the EKFAC of 0 samples: at least 1 was expected");
    double const rho = Objective::scale(count);
    std::vector<matrix<T>> moments;
    for (auto const& sum : sums) {
      moments.push_back(unset<T>(sum.shape(0), sum.shape(1)));
      std::transform(sum.data(), sum.data() + sum.size(), moments.back().data(),
                     [&](double v) { return static_cast<T>(rho * v); });
    }
    return detail::ekfac_of(blocks(), left, right, std::move(moments));
  }

 private:
  static std::vector<kfac_block> blocks() {
    return detail::kfac_blocks(Objective::network::parameters, asked::factors::separate_bias);
  }

  std::vector<T> theta;
  workspace<Objective, T, asked> work;
  std::vector<matrix<T>> left, right;
  std::vector<matrix<double>> sums;
  std::size_t count = 0, batches = 0;
};

}  // namespace kappa::inline KAPPA_ARCH
