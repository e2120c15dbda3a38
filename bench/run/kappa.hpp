#pragma once
/// \file
/// Times kappa's quantities on one objective.

#include <algorithm>
#include <cmath>

#include <kappa/algebra/operations.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/derive/directions.hpp>
#include <kappa/methods/directional_newton.hpp>

#include "timing.hpp"

namespace bench {

/// Multiplications and additions of the products that a derivation cannot do without, for a loss Hessian's root of
/// `k` columns. A symmetric matrix counts half; over positions, the cheaper way counts.
struct kappa_flops {
  problem const& p;
  double n, k;

  double norms() const {
    return sum([](layer_size const& l, double r) {
      return std::min(r * r * (l.in + l.out), r == 1 ? HUGE_VAL : 2 * l.multiplications());
    });
  }
  double roots() const { return n * k * layer_flops(p, true); }
  double ggn() const {
    return n * layer_flops(p) + roots() + sum([&](layer_size const& l, double r) {
             double const pairs = n * r * r * (l.in + k * k * l.out);
             double const columns = 2 * k * l.multiplications() + n * k * k * l.in * l.out;
             return r == 1 ? pairs : std::min(pairs, columns);
           });
  }
  double kfac() const {
    return roots() +
           sum([&](layer_size const& l, double r) { return r * ((l.in + 1.0) * (l.in + 1.0) + k * l.out * l.out); });
  }
  double diagonal() const {
    return roots() + sum([&](layer_size const& l, double r) { return 2 * (r == 1 ? 1 : k) * l.multiplications(); });
  }
  /// Forward with the direction's tangents, then the gradient's way back.
  double ggn_product() const { return n * (3 * layer_flops(p) + 2 * layer_flops(p, true)); }

 private:
  template <class F>
  double sum(F const& of) const {
    double total = 0;
    for (layer_size const& l : p.layers()) total += n * of(l, static_cast<double>(l.positions));
    return total;
  }
};

/// The network's parameters and one batch of random data.
template <class Objective>
struct inputs_of {
  std::vector<float> theta, x;
  std::vector<int> classes;
  std::vector<float> vectors;

  inputs_of(problem const& p, std::size_t n)
      : theta(parameters(p)), x(inputs(p, n)), classes(labels(p, n)), vectors(targets(p, n)) {}
  auto batch() const {
    if constexpr (Objective::loss::takes_labels)
      return kappa::batch(x, classes);
    else
      return kappa::batch(x, vectors);
  }
};

/// Times `derive` into a workspace, and what `then` makes of its result.
template <class Objective, class Then, class... Quantities>
void time_derivation(benchmark::State& state, problem const& p, std::size_t n, double flops, Then const& then,
                     Quantities const&... quantities) {
  inputs_of<Objective> const in(p, n);
  auto const b = in.batch();
  auto work = kappa::workspace_for<Objective, float>(n, quantities...);
  then(kappa::derive(work, in.theta, b, quantities...));  // touches the workspace's pages
  for ([[maybe_unused]] auto const& step : state) {
    auto q = kappa::derive(work, in.theta, b, quantities...);
    benchmark::DoNotOptimize(q);
    then(q);
    benchmark::ClobberMemory();
  }
  if constexpr ((std::same_as<Quantities, kappa::gradient_t> || ...))
    state.counters["gradient_norm"] = norm(kappa::derive(work, in.theta, b, quantities...)[kappa::gradient]);
  if (flops > 0) {
    state.counters["mflop"] = flops * 1e-6;
    state.counters["gflops"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  }
}

/// Times LAPACK's eigenvalues, without vectors, of a matrix as large as the Gram matrix.
template <class Objective>
void time_lapack(benchmark::State& state, problem const& p, std::size_t n) {
  inputs_of<Objective> const in(p, n);
  auto const q = kappa::derive<Objective>(in.theta, in.batch(), kappa::ggn);
  auto const gram = q[kappa::ggn].root().gram();
  auto const order = q[kappa::ggn].root().columns();
  auto whole = kappa::zeros<float>(order, order);
  for ([[maybe_unused]] auto const& step : state) {
    std::copy(gram.begin(), gram.end(), whole.data());
    auto values = kappa::lapack::symmetric_eigenvalues(whole);
    benchmark::DoNotOptimize(values);
  }
}

/// The products of forward, gradient and pull by the BLAS alone: no activation, no loss, no bias.
inline void time_blas(benchmark::State& state, problem const& p, std::size_t n) {
  std::size_t widest = 0;
  for (int w : p.widths) widest = std::max(widest, static_cast<std::size_t>(w));
  std::vector<float> const x(n * widest, 0.5f), w(widest * widest, 0.25f);
  std::vector<float> y(n * widest), dw(widest * widest);
  for ([[maybe_unused]] auto const& step : state) {
    bool first = true;
    for (layer_size const& l : p.layers()) {
      auto const in = static_cast<std::size_t>(l.in), out = static_cast<std::size_t>(l.out);
      kappa::lapack::gemm(false, true, n, out, in, 1.0f, x.data(), w.data(), 0.0f, y.data());
      kappa::lapack::gemm(true, false, out, in, n, 1.0f, x.data(), x.data(), 0.0f, dw.data());
      if (!first) kappa::lapack::gemm(false, false, n, in, out, 1.0f, x.data(), w.data(), 0.0f, y.data());
      first = false;
      benchmark::ClobberMemory();
    }
  }
  double const flops = gradient_flops(p, n);
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
    auto const keep = [&](char const* task, auto const& f) {
      timed(benchmark::RegisterBenchmark((task + ("/" + p.name + "/") + std::to_string(n) + "/kappa").c_str(), f)
                ->Unit(benchmark::kMicrosecond));
    };
    auto const add_then = [&](char const* task, double work, auto const& then, auto const&... quantities) {
      keep(task, [=](benchmark::State& state) { time_derivation<Objective>(state, p, n, work, then, quantities...); });
    };
    auto const add = [&](char const* task, double work, auto const&... quantities) {
      add_then(
          task, work, [](auto const&) {}, quantities...);
    };
    if (p.shared.empty())
      timed(benchmark::RegisterBenchmark(("gradient/" + p.name + "/" + std::to_string(n) + "/OpenBLAS").c_str(),
                                         [=](benchmark::State& state) { time_blas(state, p, n); })
                ->Unit(benchmark::kMicrosecond));
    add("gradient", first, loss_value, gradient);
    add("gradient+norms", first + flops.norms(), loss_value, gradient, per_sample_gradient_norms);
    add("gradient+diagonal", first + flops.diagonal(), loss_value, gradient, ggn_diagonal);
    add("gradient+kfac", first + flops.kfac(), loss_value, gradient, kfac<expand>);
    static auto const direction = parameters(p);
    add("ggn_product", flops.ggn_product(), ggn_vector_product(direction));
    add("ggn_gram", flops.ggn(), ggn);
    if (!p.classifies) {  // the small networks
      add_then(
          "top_eigenpair", 0, [](auto const& q) { benchmark::DoNotOptimize(top_eigenpairs(q[ggn], 1)); }, ggn);
      add_then(
          "kfac_step", 0,
          [](auto const& q) { benchmark::DoNotOptimize(solve(q[kfac<expand>] + 0.01 * identity, q[gradient])); },
          loss_value, gradient, kfac<expand>);
      continue;
    }
    add_then(
        "ekfac", 0, [](auto const& q) { benchmark::DoNotOptimize(q[ekfac<expand>]); }, loss_value, gradient,
        ekfac<expand>);
    if constexpr (Objective::network::nodes.front().out.rank > 1) {  // weights shared over positions
      add("gradient+kfac_automatic", 0, loss_value, gradient, kfac<automatic>);
      continue;
    }
    // What is made of the Gram matrix: no count of flops, because these iterate.
    constexpr std::size_t count = 10;
    keep("lapack_values", [=](benchmark::State& state) { time_lapack<Objective>(state, p, n); });
    add_then(
        "eigenvalues", 0, [](auto const& q) { benchmark::DoNotOptimize(eigenvalues(q[ggn])); }, ggn);
    add_then(
        "top_eigenpairs", 0, [](auto const& q) { benchmark::DoNotOptimize(top_eigenpairs(q[ggn], count)); }, ggn);
    add_then(
        "directions", 0, [](auto const& q) { benchmark::DoNotOptimize(directional_derivatives_of(q, count)); },
        gradient, ggn);
    add_then(
        "newton", 0,
        [](auto const& q) {
          benchmark::DoNotOptimize(directional_newton_step_of(q, ggn, leading{count}, constant_damping{1e-2}));
        },
        gradient, ggn);
  }
}

template <class Objective>
int run_kappa(int count, char** arguments, problem const& p) {
  kappa::set_threads(threads());
  register_kappa<Objective>(p);
  return run(count, arguments);
}

}  // namespace bench
