#pragma once
/// \file
/// KFRA (Botev, Ritter and Barber 2017): K-FAC whose output factors are propagated as averages over samples.

#include <algorithm>
#include <cstddef>
#include <vector>

#include <kappa/derive/derive.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// Whether a network is one chain of dense layers, each with its own weight and one position, and activations.
template <class Network>
constexpr bool is_dense_chain() {
  for (std::size_t i = 0; i < Network::nodes.size(); ++i) {
    node const& n = Network::nodes[i];
    if (n.out.positions() != 1) return false;
    if (i == 0) {
      if (n.op != operation::input) return false;
      continue;
    }
    if (n.a != static_cast<int>(i) - 1) return false;
    if (n.op == operation::activation) continue;
    if (n.op != operation::dense || Network::parameters[static_cast<std::size_t>(n.parameter)].uses != 1) return false;
  }
  return true;
}

template <objective_type Objective, real T>
kfac_matrix<T> kfra_of(std::span<T const> theta, batch<T> const& b) {
  using network = typename Objective::network;
  using loss = typename Objective::loss;
  std::size_t const samples = checked_samples<Objective>(b);
  check_parameters<Objective>(theta, "parameters");
  auto const& nodes = network::nodes;

  // Forward: the values of every node, [N, width].
  std::vector<std::vector<T>> values(nodes.size());
  values[0].assign(b.inputs.begin(), b.inputs.end());
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    auto const& from = values[i - 1];
    auto& to = values[i];
    to.resize(samples * static_cast<std::size_t>(nodes[i].out.size()));
    if (nodes[i].op == operation::activation) {
      std::ranges::transform(from, to.begin(), nodes[i].act->template functions<T>().value);
      continue;
    }
    parameter const& w = network::parameters[static_cast<std::size_t>(nodes[i].parameter)];
    auto const in = static_cast<std::size_t>(w.inputs), out = static_cast<std::size_t>(w.outputs);
    T const* const weight = theta.data() + w.offset;
    if (w.bias)
      for (std::size_t n = 0; n < samples; ++n) std::copy_n(weight + in * out, out, to.data() + n * out);
    lapack::gemm<T>(false, true, samples, out, in, 1, from.data(), weight, w.bias ? T(1) : T(0), to.data());
  }

  // The mean over samples of the loss's Hessian at the output, times N ρ.
  constexpr auto outputs = static_cast<std::size_t>(Objective::outputs);
  constexpr auto columns = static_cast<std::size_t>(loss::root_columns(Objective::outputs));
  std::vector<T> root(samples * columns * outputs);
  for (std::size_t n = 0; n < samples; ++n) {
    target<T> y;
    if (b.labels.data() != nullptr)
      y.label = b.labels[n];
    else
      y.values = b.targets.subspan(n * outputs, outputs);
    loss::root(std::span<T const>(values.back()).subspan(n * outputs, outputs), y,
               std::span<T>(root).subspan(n * columns * outputs, columns * outputs));
  }
  auto hessian = zeros<T>(outputs, outputs);
  lapack::gemm<T>(true, false, outputs, outputs, samples * columns, static_cast<T>(Objective::scale(samples)),
                  root.data(), root.data(), 0, hessian.data());

  // Backward: through an activation entry by entry with the mean of φ'φ'ᵀ, through a layer as WᵀHW.
  std::vector<matrix<T>> left(network::parameters.size()), right(network::parameters.size());
  T const mean_of = static_cast<T>(1 / static_cast<double>(samples));
  for (std::size_t i = nodes.size() - 1; i > 0; --i) {
    auto const& from = values[i - 1];
    if (nodes[i].op == operation::activation) {
      auto const width = static_cast<std::size_t>(nodes[i].out.size());
      std::vector<T> slopes(from.size());
      std::ranges::transform(from, slopes.begin(), nodes[i].act->template functions<T>().first_derivative);
      auto products = zeros<T>(width, width);
      lapack::gemm<T>(true, false, width, width, samples, mean_of, slopes.data(), slopes.data(), 0, products.data());
      for (std::size_t e = 0; e < products.size(); ++e) hessian.data()[e] *= products.data()[e];
      continue;
    }
    auto const p = static_cast<std::size_t>(nodes[i].parameter);
    parameter const& w = network::parameters[p];
    auto const in = static_cast<std::size_t>(w.inputs), out = static_cast<std::size_t>(w.outputs),
               width = in + (w.bias ? 1 : 0);
    std::vector<T> ones(samples * width, T(1));
    for (std::size_t n = 0; n < samples; ++n) std::copy_n(from.data() + n * in, in, ones.data() + n * width);
    right[p] = zeros<T>(width, width);
    lapack::gemm<T>(true, false, width, width, samples, mean_of, ones.data(), ones.data(), 0, right[p].data());
    left[p] = hessian;
    T const* const weight = theta.data() + w.offset;
    auto half = zeros<T>(out, in), next = zeros<T>(in, in);
    lapack::gemm<T>(false, false, out, in, out, 1, hessian.data(), weight, 0, half.data());
    lapack::gemm<T>(true, false, in, in, out, 1, weight, half.data(), 0, next.data());
    hessian = std::move(next);
  }
  std::vector<kfac_factors<T>> factors;
  for (std::size_t p = 0; p < left.size(); ++p)
    factors.push_back({network::parameters[p],
                       {right[p].data(), right[p].shape(0), right[p].shape(1)},
                       {left[p].data(), left[p].shape(0), left[p].shape(1)}});
  return kfac_matrix<T>(factors);
}

}  // namespace detail

/// K-FAC of a chain of dense layers with A as ever and B from a recursion of averages:
///
///     B_L = ρ Σ_n ∇²ℓ_n,    B_l = (W_{l+1}ᵀ B_{l+1} W_{l+1}) ∘ mean_n φ'(s_ln) φ'(s_ln)ᵀ.
///
/// Exact where φ' does not depend on the sample (linear networks) or for one sample; in between it costs one product
/// with each weight, whatever the number of classes and without a backward sweep. Allocates.
/// \throws as derive.
template <objective_type Objective, real T, class Theta>
kfac_matrix<T> kfra(Theta const& theta, batch<T> const& b) {
  constexpr bool fits = detail::is_dense_chain<typename Objective::network>();
  static_assert(fits,
                "kappa: KFRA is for a chain of dense layers and activations, each with its own weight and one "
                "position: ask for kfac<expand> or kfac<reduce>");
  if constexpr (fits)
    return detail::kfra_of<Objective, T>(std::span<T const>(theta.data(), theta.size()), b);
  else
    return kfac_matrix<T>({});
}

}  // namespace kappa::inline KAPPA_ARCH
