// E3: what the factors of expand and reduce cost, alone and as a part of a step.

#include <algorithm>
#include <array>
#include <chrono>

#include <kappa/algebra.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/layers.hpp>
#include <kappa/methods/kfac_optimiser.hpp>
#include <kappa/methods/sgd.hpp>

#include "study.hpp"

namespace sharing_study {

namespace {

constexpr std::size_t positions = 256, d_in = 144, d_out = 32;

// A convolution of 16 x 16 places, patches of 3 x 3 x 16.
struct image_net
    : network<input<16, 16, 16> | conv<32, 3, same_padding> | act::relu | mean_over_positions | dense<10>> {};
struct images : objective<image_net, cross_entropy> {};

double median(std::vector<double> v) {
  std::ranges::sort(v);
  return v[v.size() / 2];
}

/// Median seconds of several tasks, run in turns so that what disturbs one disturbs all.
template <class... Task>
std::array<double, sizeof...(Task)> timed(std::size_t rounds, Task&&... task) {
  std::array<std::vector<double>, sizeof...(Task)> seconds;
  std::size_t i = 0;
  auto const one = [&](auto& run) {
    auto const start = std::chrono::steady_clock::now();
    run();
    seconds[i++ % sizeof...(Task)].push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  };
  (task(), ...);
  for (std::size_t r = 0; r < rounds; ++r) (one(task), ...);
  std::array<double, sizeof...(Task)> medians{};
  for (std::size_t t = 0; t < sizeof...(Task); ++t) medians[t] = median(seconds[t]);
  return medians;
}

struct measured {
  double expand_factors = 0, reduce_factors = 0;  // ms: the products alone
  double sgd = 0, expand_step = 0, reduce_step = 0;
  double bytes = 0, expand_bytes = 0, reduce_bytes = 0;  // of workspaces
};

measured measure(std::size_t samples, std::size_t rounds) {
  counter_random random(3, samples);
  std::vector<float> patches(samples * positions * d_in), pixels(samples * 16 * 16 * 16);
  std::vector<int> labels(samples);
  for (auto* values : {&patches, &pixels})
    for (float& v : *values) v = static_cast<float>(random.uniform() - 0.3);
  for (int& y : labels) y = static_cast<int>(random.below(10));
  measured m;
  {
    // The functions that a derivation calls for a dense layer of these sizes.
    std::vector<float> gradients(samples * positions * d_out), a(145 * 145), b(d_out * d_out), means(samples * d_in),
        sums(samples * d_out);
    for (float& v : gradients) v = static_cast<float>(random.uniform() - 0.5);
    auto const n = samples;
    auto const seconds = timed(
        rounds,
        [&] {
          // [expand]
          kernels::second_moment<float, 144>(n * positions, patches.data(), 1.0f / float(n * positions), a.data(), true,
                                             false);
          kernels::second_moment<float, 32>(n * positions, gradients.data(), 1.0f, b.data(), false, false);
          // [/expand]
        },
        [&] {
          // [reduce]
          kernels::mean_positions<float, 144>(n, positions, patches.data(), means.data());
          kernels::second_moment<float, 144>(n, means.data(), 1.0f / float(n), a.data(), true, false);
          kernels::sum_positions<float, 32>(n, positions, gradients.data(), sums.data());
          kernels::second_moment<float, 32>(n, sums.data(), 1.0f, b.data(), false, false);
          // [/reduce]
        });
    m.expand_factors = 1e3 * seconds[0];
    m.reduce_factors = 1e3 * seconds[1];
  }
  auto const start = initialise<image_net, float>(1);
  batch<float> const data(pixels, labels);
  auto sgd_theta = start, expand_theta = start, reduce_theta = start;
  kfac_options const options{.learning_rate = 1e-4, .damping = 0.01, .factor_period = 1, .decomposition_period = 5};
  sgd<images, float> plain(samples, {.learning_rate = 1e-4});
  kfac_optimiser<images, float, kfac<expand, monte_carlo<1>>> expanded(samples, options);
  kfac_optimiser<images, float, kfac<reduce, monte_carlo<1>>> reduced(samples, options);
  // Five steps are one period: a decomposition is in each.
  auto const seconds = timed(
      rounds,
      [&] {
        for (int i = 0; i < 5; ++i) plain.step(elements(sgd_theta), data);
      },
      [&] {
        for (int i = 0; i < 5; ++i) expanded.step(elements(expand_theta), data);
      },
      [&] {
        for (int i = 0; i < 5; ++i) reduced.step(elements(reduce_theta), data);
      });
  m.sgd = 200 * seconds[0];
  m.expand_step = 200 * seconds[1];
  m.reduce_step = 200 * seconds[2];
  m.bytes = static_cast<double>(workspace<images, float, loss_value_t, gradient_t>::bytes(samples));
  m.expand_bytes = static_cast<double>(
      workspace<images, float, loss_value_t, gradient_t, decltype(kfac<expand, monte_carlo<1>>)>::bytes(samples));
  m.reduce_bytes = static_cast<double>(
      workspace<images, float, loss_value_t, gradient_t, decltype(kfac<reduce, monte_carlo<1>>)>::bytes(samples));
  return m;
}

}  // namespace

experiment factor_cost(settings const& s) {
  auto const batches = s.is_short ? std::vector<std::size_t>{8} : std::vector<std::size_t>{8, 16, 32, 64};
  std::size_t const rounds = s.is_short ? 3 : 31;
  experiment e("E3", "What the factors cost",
               "A layer with R = 256 positions, 144 inputs (a patch of 3 x 3 x 16) and 32 outputs, in float, " +
                   std::to_string(threads()) + (threads() == 1 ? " thread" : " threads") +
                   ". The factor products are timed alone, by the functions that a derivation calls, and as a part of "
                   "a whole step of the K-FAC "
                   "optimiser, for a convolution of these sizes, ReLU, a mean over places and 10 classes: Monte Carlo "
                   "factors at every step, eigenbases at every fifth. All run in turns, " +
                   std::to_string(rounds) + " rounds.");
  io::table table{"N", "expand, ms", "reduce, ms", "ratio"};
  io::table whole{"N", "SGD step, ms", "K-FAC step, expand, ms", "reduce, ms", "ratio"};
  io::table memory{"N",
                   "read by the products, expand, MB",
                   "reduce, MB",
                   "workspace of the gradient, MB",
                   "with K-FAC expand",
                   "with K-FAC reduce"};
  io::line_plot plot{"Expand over reduce",
                     {"samples N", io::axis_scale::logarithmic},
                     {"ratio of times", io::axis_scale::logarithmic},
                     {{"factor products", {}, {}}, {"whole step", {}, {}}},
                     ""};
  std::vector<double> factor_ratios, step_ratios, memory_ratios;
  for (std::size_t n : batches) {
    auto const m = measure(n, rounds);
    double const factors = m.expand_factors / m.reduce_factors, step = m.expand_step / m.reduce_step;
    table.row(n, m.expand_factors, m.reduce_factors, factors);
    whole.row(n, m.sgd, m.expand_step, m.reduce_step, step);
    double const sums = 4e-6 * static_cast<double>(n * (d_in + d_out));
    memory.row(n, static_cast<double>(positions) * sums, sums, 1e-6 * m.bytes, 1e-6 * m.expand_bytes,
               1e-6 * m.reduce_bytes);
    memory_ratios.push_back(m.expand_bytes / m.reduce_bytes);
    factor_ratios.push_back(factors);
    step_ratios.push_back(step);
    for (std::size_t i = 0; i < 2; ++i) {
      plot.data[i].x.push_back(static_cast<double>(n));
      plot.data[i].y.push_back(i == 0 ? factors : step);
    }
  }
  e.table(std::move(table), "Factor products: medians");
  e.table(std::move(whole), "A whole step, the mean of five: medians");
  e.plot(std::move(plot));
  e.table(std::move(memory), "Memory: what the products read, by formula; and workspaces of the convolution");
  auto const factors = spread_of(factor_ratios), step = spread_of(step_ratios), held = spread_of(memory_ratios);
  e.judged("factor products, expand over reduce, least of all N", number(factors.low), "at least 4", factors.low >= 4,
           "the machine did something else while this ran.");
  e.in_range(
      "factor products, expand over reduce", factors, 5, 7,
      "kappa's sums over positions run at the memory's speed and take half of numpy's time, its product for expand, "
      "of 145 columns with the bias's one, somewhat longer than BLAS's of 144. The reference's range on a loaded "
      "machine is 3.5 to 16.");
  e.judged("whole step, expand over reduce", said(step), "much smaller", step.mean < 0.5 * factors.mean,
           "the factors are most of the step here.");
  e.judged(
      "peak memory, expand over reduce", number(held.mean), "about R = 256", held.mean > 128,
      "the reference counts what the factor products read, whose ratio is 256 here too. kappa keeps the patches for "
      "the gradient of the weights in any case, so expand reads what is there and neither variant needs more.");
  return e;
}

}  // namespace sharing_study
