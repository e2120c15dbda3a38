#pragma once
/// \file
/// Times kappa's quantities on one objective.

#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>

#include "timing.hpp"

namespace bench {

/// Multiplications and additions of the products that a derivation cannot do without, for a loss Hessian's root of
/// `k` columns. A symmetric matrix counts half.
struct kappa_flops {
  problem const& p;
  double n, k;

  double norms() const {
    double total = 0;
    for (std::size_t l = 1; l < p.widths.size(); ++l) total += 2.0 * n * (p.widths[l - 1] + p.widths[l]);
    return total;
  }
  double roots() const { return n * k * layer_flops(p, 2); }
  double ggn() const {
    double total = n * layer_flops(p) + roots();
    for (std::size_t l = 1; l < p.widths.size(); ++l) total += n * n * (p.widths[l - 1] + k * k * p.widths[l]);
    return total;
  }
  double kfac() const {
    double total = roots();
    for (std::size_t l = 1; l < p.widths.size(); ++l)
      total += n * ((p.widths[l - 1] + 1.0) * (p.widths[l - 1] + 1.0) + k * p.widths[l] * p.widths[l]);
    return total;
  }
  /// Forward with the direction's tangents, then the gradient's way back.
  double ggn_product() const { return n * (3 * layer_flops(p) + 2 * layer_flops(p, 2)); }
};

template <class Objective, class... Quantities>
void time_quantities(benchmark::State& state, problem const& p, std::size_t n, double flops,
                     Quantities const&... quantities) {
  auto const theta = parameters(p);
  auto const x = inputs(p, n);
  auto const classes = labels(p, n);
  auto const vectors = targets(p, n);
  auto const b = [&] {
    if constexpr (Objective::loss::takes_labels)
      return kappa::batch(x, classes);
    else
      return kappa::batch(x, vectors);
  }();
  auto work = kappa::workspace_for<Objective, float>(n, quantities...);
  kappa::derive(work, theta, b, quantities...);  // touches the workspace's pages
  for ([[maybe_unused]] auto const& step : state) {
    auto q = kappa::derive(work, theta, b, quantities...);
    benchmark::DoNotOptimize(q);
    benchmark::ClobberMemory();
  }
  if constexpr ((std::same_as<Quantities, kappa::gradient_t> || ...))
    state.counters["gradient_norm"] = norm(kappa::derive(work, theta, b, quantities...)[kappa::gradient]);
  state.counters["mflop"] = flops * 1e-6;
  state.counters["gflops"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// Registers `task/network/batch/kappa` for every task and batch size.
template <class Objective>
void register_kappa(problem const& p) {
  static_assert(Objective::parameter_count > 0);
  using namespace kappa;
  for (int const batch_size : p.batches) {
    auto const n = static_cast<std::size_t>(batch_size);
    kappa_flops const flops{p, static_cast<double>(n), static_cast<double>(Objective::root_columns)};
    double const first = gradient_flops(p, n);
    auto const add = [&](char const* task, double work, auto const&... quantities) {
      timed(benchmark::RegisterBenchmark(
                (task + ("/" + p.name + "/") + std::to_string(n) + "/kappa").c_str(),
                [=](benchmark::State& state) { time_quantities<Objective>(state, p, n, work, quantities...); })
                ->Unit(benchmark::kMicrosecond));
    };
    add("gradient", first, loss_value, gradient);
    add("gradient+norms", first + flops.norms(), loss_value, gradient, per_sample_gradient_norms);
    add("gradient+kfac", first + flops.kfac(), loss_value, gradient, kfac<expand>);
    add("ggn_gram", flops.ggn(), ggn);
    static auto const direction = parameters(p);
    add("ggn_product", flops.ggn_product(), ggn_vector_product(direction));
  }
}

template <class Objective>
int run_kappa(int count, char** arguments, problem const& p) {
  kappa::set_threads(threads());
  register_kappa<Objective>(p);
  return run(count, arguments);
}

}  // namespace bench
