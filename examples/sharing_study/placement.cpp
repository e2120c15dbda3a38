// E10: the work of K-FAC placed on ranks (KAISA; Pauloski et al. 2021), each rank a thread with its own memory.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <exception>
#include <numeric>
#include <optional>
#include <thread>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/derive/kfac_accumulator.hpp>

#include "study.hpp"

namespace sharing_study {

namespace {

struct net : network<input<4, 24> | dense<64> | act::tanh | dense<64> | act::tanh | dense<48> | act::tanh |
                     mean_over_positions | dense<48> | act::tanh | dense<32> | act::tanh | dense<32> | act::tanh |
                     dense<16> | act::tanh | dense<10>> {};
struct goal : objective<net, cross_entropy> {};

constexpr std::size_t ranks = 8, layers = net::parameters.size(), shard = 16, steps = 3;
constexpr double lambda = 1e-2, learning_rate = 0.05;

/// A layer's eigenbases and eigenvalues: what is sent from the rank that decomposed it to those that use it.
using decomposition = kronecker_eigenbasis<double>;
std::size_t bytes_of(decomposition const& d) {
  return 8 * (d.left_basis().size() + d.right_basis().size() + d.basis_eigenvalues().size());
}

struct rank_memory {
  std::optional<kfac_accumulator<goal, double, kfac<reduce>>> own;  // of its shard
  std::vector<double> own_gradient, gradient;
  std::optional<kfac_matrix<double>> factors;              // of all shards
  std::array<std::optional<decomposition>, layers> bases;  // where it needs them
  std::vector<double> preconditioned;
  vector<double> theta;
};

/// What went from one rank to another in all steps, in bytes.
struct traffic {
  std::size_t gradients = 0, factors = 0, bases = 0, preconditioned = 0;
};

/// Calls f(rank) on a thread for each rank; the first exception is thrown here.
template <class F>
void on_all_ranks(F&& f) {
  std::array<std::exception_ptr, ranks> failure;
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      try {
        f(r);
      } catch (...) {
        failure[r] = std::current_exception();
      }
    });
  for (auto& t : threads) t.join();
  for (auto const& e : failure)
    if (e) std::rethrow_exception(e);
}

/// Which rank decomposes a layer: the costliest first, each to the rank with the least to do.
std::array<std::size_t, layers> decomposing_ranks() {
  std::array<std::size_t, layers> order;
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto const cost = [](std::size_t l) {
    parameter const& w = net::parameters[l];
    return std::pow(w.inputs + 1, 3) + std::pow(w.outputs, 3);
  };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return cost(a) > cost(b); });
  std::array<double, ranks> load{};
  std::array<std::size_t, layers> rank_of{};
  for (std::size_t l : order) {
    auto const least = static_cast<std::size_t>(std::ranges::min_element(load) - load.begin());
    rank_of[l] = least;
    load[least] += cost(l);
  }
  return rank_of;
}

/// Gradient workers of a layer are `workers` of the ranks, one in each run of ranks / workers neighbours: they hold the
/// layer's bases, precondition, and send the result to the others of their run.
struct strategy {
  char const* name;
  std::size_t workers;
  std::size_t run() const { return ranks / workers; }
  std::size_t worker_for(std::size_t rank, std::size_t decomposing) const {
    return rank / run() * run() + decomposing % run();
  }
  bool works(std::size_t rank, std::size_t decomposing) const { return worker_for(rank, decomposing) == rank; }
};
constexpr strategy strategies[] = {
    {"COMM-OPT, f = 1", 8}, {"HYBRID, f = 1/2", 4}, {"HYBRID, f = 1/4", 2}, {"MEM-OPT, f = 1/8", 1}};

struct simulation {
  std::vector<rank_memory> memory;
  traffic sent;
  bool ranks_agree = true;                      // bit by bit, in every step
  std::vector<std::vector<double>> directions;  // of rank 0, by step
  double off_single = 0;                        // largest relative distance from one process's solve
};

bool same_bits(std::vector<double> const& a, std::vector<double> const& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), 8 * a.size()) == 0;
}

simulation simulate(strategy const& how, std::vector<double> const& inputs, std::vector<int> const& labels) {
  simulation sim;
  sim.memory.resize(ranks);
  auto const start = initialise<net, double>(21, 1.0);
  auto const decomposing = decomposing_ranks();
  auto const parameters = start.size();
  constexpr std::size_t features = 4 * 24;
  for (auto& m : sim.memory) m.theta = start;
  auto const part = [&](std::size_t r, std::size_t count) {
    return batch<double>(std::span(inputs).subspan(r * shard * features, count * features),
                         std::span<int const>(labels).subspan(r * shard, count));
  };
  for (std::size_t step = 0; step < steps; ++step) {
    on_all_ranks([&](std::size_t r) {  // every rank its shard
      auto& m = sim.memory[r];
      m.own.emplace(m.theta, shard);
      m.own->append(part(r, shard));
      auto const q = derive<goal>(m.theta, part(r, shard), gradient);
      m.own_gradient.assign(q[gradient].begin(), q[gradient].end());
    });
    // [sums]
    on_all_ranks([&](std::size_t r) {  // sums over ranks, in the order of ranks, on every rank
      auto& m = sim.memory[r];
      kfac_accumulator<goal, double, kfac<reduce>> all(m.theta, 1);
      m.gradient.assign(parameters, 0.0);
      for (auto const& other : sim.memory) {
        all.merge(*other.own);
        for (std::size_t i = 0; i < parameters; ++i) m.gradient[i] += other.own_gradient[i] / double(ranks);
      }
      m.factors = all.curvature();
    });
    // [/sums]
    for (auto const& layer : sim.memory[0].own->sums().layers)
      sim.sent.factors += 2 * (ranks - 1) * 8 * (layer.inputs.size() + layer.outputs.size());
    sim.sent.gradients += 2 * (ranks - 1) * 8 * parameters;

    on_all_ranks([&](std::size_t r) {  // decompositions
      auto& m = sim.memory[r];
      for (std::size_t l = 0; l < layers; ++l) {
        m.bases[l].reset();
        if (decomposing[l] != r) continue;
        auto const& block = m.factors->blocks()[l].block();
        auto const& b = block.left().basis();
        auto const& a = block.right().basis();
        auto products = zeros<double>(block.left().size(), block.right().size());
        for (std::size_t i = 0; i < products.shape(0); ++i)
          for (std::size_t j = 0; j < products.shape(1); ++j) products(i, j) = b.values(i) * a.values(j);
        m.bases[l].emplace(b.vectors, a.vectors, std::move(products));
      }
    });
    for (std::size_t l = 0; l < layers; ++l) {  // to the gradient workers, each a copy of its own
      auto const& source = *sim.memory[decomposing[l]].bases[l];
      for (std::size_t r = 0; r < ranks; ++r)
        if (r != decomposing[l] && how.works(r, decomposing[l])) {
          sim.memory[r].bases[l].emplace(source.left_basis(), source.right_basis(), source.basis_eigenvalues());
          sim.sent.bases += bytes_of(source);
        }
    }
    on_all_ranks([&](std::size_t r) {  // gradient workers precondition
      auto& m = sim.memory[r];
      m.preconditioned.assign(parameters, 0.0);
      for (std::size_t l = 0; l < layers; ++l) {
        if (!how.works(r, decomposing[l])) continue;
        parameter const& w = net::parameters[l];
        auto const offset = static_cast<std::size_t>(w.offset), size = static_cast<std::size_t>(w.size());
        auto const& order = m.factors->blocks()[l].indices();  // [W b] row by row, in the flat parameters
        // [precondition]
        auto const u = solve(embedded(*m.bases[l], order, size) + lambda * identity,
                             std::span<double const>(m.gradient).subspan(offset, size));
        // [/precondition]
        std::ranges::copy(elements(u), m.preconditioned.begin() + w.offset);
      }
    });
    for (std::size_t l = 0; l < layers; ++l) {  // to those who have no bases
      parameter const& w = net::parameters[l];
      for (std::size_t r = 0; r < ranks; ++r) {
        auto const worker = how.worker_for(r, decomposing[l]);
        if (worker == r) continue;
        std::copy_n(sim.memory[worker].preconditioned.begin() + w.offset, w.size(),
                    sim.memory[r].preconditioned.begin() + w.offset);
        sim.sent.preconditioned += 8 * static_cast<std::size_t>(w.size());
      }
    }
    auto const& first = sim.memory[0];
    for (auto const& m : sim.memory)
      sim.ranks_agree = sim.ranks_agree && same_bits(m.preconditioned, first.preconditioned);
    sim.directions.push_back(first.preconditioned);
    // One process, one batch.
    kfac_accumulator<goal, double, kfac<reduce>> whole(first.theta, ranks * shard);
    whole.append(part(0, ranks * shard));
    auto const q = derive<goal>(first.theta, part(0, ranks * shard), gradient);
    auto const single = solve(whole.curvature() + lambda * identity, q[gradient]);
    double off = 0, size = 0;
    for (std::size_t i = 0; i < parameters; ++i) {
      off += std::pow(single(i) - first.preconditioned[i], 2);
      size += single(i) * single(i);
    }
    sim.off_single = worst_of(sim.off_single, std::sqrt(off / size));
    on_all_ranks([&](std::size_t r) {
      auto& m = sim.memory[r];
      for (std::size_t i = 0; i < parameters; ++i) m.theta(i) -= learning_rate * m.preconditioned[i];
    });
  }
  return sim;
}

}  // namespace

experiment placement(settings const&) {
  experiment e(
      "E10", "Work placed on ranks",
      "Eight dense layers, 24-64-64-48-48-32-32-16-10 with tanh and a mean over 4 positions after the third, on "
      "8 ranks, each a thread with its own memory and 16 samples. Gradients and factors are summed over ranks; a "
      "layer is decomposed by one rank, its bases go to the layer's gradient workers, f of all ranks, and what "
      "these precondition goes to the others. f = 1 is COMM-OPT of KAISA, f = 1/8 MEM-OPT. " +
          std::to_string(steps) + " steps, everything anew in each.");
  counter_random random(22);
  std::vector<double> inputs(ranks * shard * 4 * 24);
  std::vector<int> labels(ranks * shard);
  for (double& x : inputs) x = 0.5 + random.normal();
  for (int& y : labels) y = static_cast<int>(random.below(10));

  io::table memory{"placement", "bases of a rank, mean, kB", "smallest", "largest", "mean, share of all"};
  io::table volume{"placement",
                   "gradients, kB a step",
                   "factors",
                   "bases",
                   "preconditioned",
                   "sum, every step",
                   "sum, factors each 10th, bases each 100th"};
  io::line_plot plot{"Memory against traffic",
                     {"bases of a rank, mean, share of all"},
                     {"kB a step between ranks", io::axis_scale::linear, true},
                     {{"everything in every step", {}, {}}, {"factors each 10th, bases each 100th step", {}, {}}},
                     ""};
  bool agree = true, same = true, counted = true;
  double off_share = 0, off_single = 0, balance = 1;
  std::vector<std::vector<double>> first;
  std::size_t const parameters = static_cast<std::size_t>(net::parameter_count);
  for (strategy const& how : strategies) {
    auto const sim = simulate(how, inputs, labels);
    agree = agree && sim.ranks_agree;
    off_single = worst_of(off_single, sim.off_single);
    if (first.empty()) first = sim.directions;
    for (std::size_t i = 0; i < steps; ++i) same = same && same_bits(first[i], sim.directions[i]);

    std::size_t all = 0, factors = 0;
    for (parameter const& w : net::parameters) {
      auto const in = static_cast<std::size_t>(w.inputs + 1), out = static_cast<std::size_t>(w.outputs);
      all += 8 * (in * in + out * out + in * out);
      factors += 8 * (in * in + out * out);
    }
    std::vector<double> held;
    for (auto const& m : sim.memory) {
      std::size_t bytes = 0;
      for (auto const& b : m.bases) bytes += b ? bytes_of(*b) : 0;
      held.push_back(static_cast<double>(bytes));
    }
    auto const range = spread_of(held);
    double const f = static_cast<double>(how.workers) / ranks, total = static_cast<double>(all);
    off_share = worst_of(off_share, std::abs(range.mean / (f * total) - 1));
    balance = worst_of(balance, range.high / range.mean);
    memory.row(how.name, 1e-3 * range.mean, 1e-3 * range.low, 1e-3 * range.high, range.mean / total);
    counted = counted && sim.sent.gradients == steps * 2 * (ranks - 1) * 8 * parameters &&
              sim.sent.factors == steps * 2 * (ranks - 1) * factors &&
              sim.sent.bases == steps * (how.workers - 1) * all &&
              sim.sent.preconditioned == steps * (ranks - how.workers) * 8 * parameters;
    auto const kb = [](std::size_t bytes) { return 1e-3 * static_cast<double>(bytes) / steps; };
    double const each =
        kb(sim.sent.gradients) + kb(sim.sent.factors) + kb(sim.sent.bases) + kb(sim.sent.preconditioned);
    double const seldom =
        kb(sim.sent.gradients) + kb(sim.sent.factors) / 10 + kb(sim.sent.bases) / 100 + kb(sim.sent.preconditioned);
    volume.row(how.name, kb(sim.sent.gradients), kb(sim.sent.factors), kb(sim.sent.bases), kb(sim.sent.preconditioned),
               each, seldom);
    plot.data[0].x.push_back(range.mean / total);
    plot.data[0].y.push_back(each);
    plot.data[1].x.push_back(range.mean / total);
    plot.data[1].y.push_back(seldom);
  }
  e.table(std::move(memory), "Eigenbases and eigenvalues that a rank holds");
  e.table(std::move(volume),
          "Bytes between ranks, all ranks together; sums over ranks are counted as rings, 2 (W - 1) times the data");
  e.plot(std::move(plot));
  e.exact("preconditioned gradients of all ranks, bit by bit", agree ? "equal" : "different", "equal (predicted)",
          agree);
  e.exact("those of all placements, bit by bit, in all steps", same ? "equal" : "different", "equal (predicted)", same);
  e.exact("against one process with one batch", off_single);
  e.exact("mean memory of a rank over f times all of it, less 1", off_share);
  e.exact(
      "bytes sent: gradients 2 (W - 1) P, factors 2 (W - 1) Σ (in² + out²), bases (f W - 1) Σ (in² + out² + in out), "
      "preconditioned (1 - f) W P",
      counted ? "as counted" : "otherwise", "the same", counted);
  e.judged("the fullest rank over the mean rank", number(balance), "1 (predicted: memory about f)", balance < 1.5,
           "at f = 1/8 each rank holds one layer and layers have different sizes; the placement balances the time of "
           "decompositions, not memory.");
  return e;
}

}  // namespace sharing_study
