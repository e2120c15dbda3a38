#pragma once
/// \file
/// Steps to a target, for four optimisers that are tuned with equally many trials.

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <kappa/derive/initialise.hpp>
#include <kappa/methods/adam.hpp>
#include <kappa/methods/evaluate.hpp>
#include <kappa/methods/kfac_optimiser.hpp>
#include <kappa/methods/sgd.hpp>
#include <kappa/methods/train.hpp>

#include "study.hpp"

namespace sharing_study {

enum method { sgd_momentum, adam_method, kfac_expand, kfac_reduce, methods };
inline constexpr std::array<char const*, methods> method_names{"SGD, momentum", "Adam", "K-FAC expand", "K-FAC reduce"};

/// One choice of hyper-parameters; `damping` for K-FAC only.
struct trial {
  double rate = 0, damping = 0;
};
/// 25 trials for every method.
inline std::vector<trial> trials_of(method m, bool is_short) {
  std::vector<trial> all;
  if (m == kfac_expand || m == kfac_reduce) {
    for (double rate : {0.01, 0.03, 0.1, 0.3, 1.0})
      for (double damping : {1e-5, 1e-4, 1e-3, 1e-2, 1e-1}) all.push_back({rate, damping});
  } else {
    double const first = m == sgd_momentum ? 3e-3 : 3e-4;  // three decades
    for (int i = 0; i < 25; ++i) all.push_back({first * std::pow(10, i / 8.0)});
  }
  if (is_short) return {all[12]};
  return all;
}

struct training {
  std::vector<double> step, loss;  ///< on the subset, every ten steps
  double seconds_per_step = 0;
  double reached = std::numeric_limits<double>::quiet_NaN();  ///< the step at which the target was
  double last() const { return loss.empty() ? INFINITY : loss.back(); }
};

struct budget {
  std::size_t samples, steps, batch;
};

/// Trains until `steps`, the target, or divergence.
template <objective_type Objective, class Optimiser>
training train_to(Optimiser optimiser, batch<float> const& data, batch<float> const& subset, budget const& b,
                  std::size_t steps, std::uint64_t seed, double target) {
  training t;
  auto theta = initialise<typename Objective::network, float>(seed + 100, 1.0);
  std::size_t const per_epoch = (b.samples + b.batch - 1) / b.batch;
  training_options const o{.epochs = (steps + per_epoch - 1) / per_epoch, .batch_size = b.batch, .seed = seed};
  try {
    train(optimiser, theta, data, o, [&](training_record const& now) {
      t.seconds_per_step = now.seconds / static_cast<double>(now.step);
      if (now.step % 10 == 0) {
        t.step.push_back(static_cast<double>(now.step));
        t.loss.push_back(evaluate<Objective, float>(theta, subset));
        if (t.loss.back() <= target) {
          t.reached = t.step.back();
          return false;
        }
        if (!(t.loss.back() < 1e3)) return false;
      }
      return now.step < steps;
    });
  } catch (kappa::error const&) {  // diverged
    t.loss.push_back(INFINITY);
    t.step.push_back(0);
  }
  return t;
}

template <objective_type Objective>
training train_by(method m, trial const& h, batch<float> const& data, batch<float> const& subset, budget const& b,
                  std::size_t steps, std::uint64_t seed, double target) {
  auto const run = [&](auto optimiser) {
    return train_to<Objective>(std::move(optimiser), data, subset, b, steps, seed, target);
  };
  // [optimisers]
  kfac_options const k{.learning_rate = h.rate,
                       .damping = h.damping,
                       .factor_period = 5,
                       .decomposition_period = 5,
                       .kl_clip = 1e-2,
                       .seed = seed,
                       .damping_rule = kfac_damping::pi};
  switch (m) {
    case sgd_momentum:
      return run(sgd<Objective, float>(b.batch, {.learning_rate = h.rate, .momentum = 0.9}));
    case adam_method:
      return run(adam<Objective, float>(b.batch, {.learning_rate = h.rate}));
    case kfac_expand:
      return run(kfac_optimiser<Objective, float, kfac<expand, monte_carlo<1>>>(b.batch, k));
    default:
      return run(kfac_optimiser<Objective, float, kfac<reduce_unaggregated, monte_carlo<1>>>(b.batch, k));
  }
  // [/optimisers]
}

/// What was found, for the text around it.
struct steps_found {
  std::array<spread, methods> steps;  ///< over the seeds that reached the target; NaN where none did
  std::array<double, methods> final_loss, milliseconds;
  std::array<std::size_t, methods> reached;
  std::array<trial, methods> best;
  double target = 0;

  /// "steps here: 120, 153, 290; there: ...": what a percentage comes from.
  std::string said_steps(std::string const& reference) const {
    std::string words = "mean steps here: ";
    for (int m = 0; m < methods; ++m)
      words += std::string(method_names[static_cast<std::size_t>(m)]) + " " +
               number(steps[static_cast<std::size_t>(m)].mean) + (m + 1 < methods ? ", " : "");
    return words + "; in the reference: " + reference + ".";
  }
  std::string said_trials() const {
    auto const of = [&](method m) {
      return "a rate of " + number(best[m].rate) + " and a damping of " + number(best[m].damping);
    };
    return "K-FAC is tuned for the loss at the end, not for the steps to the target, and the trials are coarse; expand "
           "then has " +
           of(kfac_expand) + ", reduce " + of(kfac_reduce) + ".";
  }
};

/// Tunes for the mean loss over seeds after `b.steps` steps; the target is the best of the first-order methods. Then
/// trains with the best trial and every seed until the target, for at most twice the steps.
template <objective_type Objective>
steps_found compare_methods(experiment& e, settings const& s, batch<float> const& data, batch<float> const& subset,
                            budget const& b) {
  steps_found found{};
  io::line_plot plot{"Training loss of the tuned trials, seed 0",
                     {"step"},
                     {"loss on a fixed subset", io::axis_scale::logarithmic},
                     {},
                     ""};
  auto& best = found.best;
  std::array<bool, methods> at_edge{};
  for (int i = 0; i < methods; ++i) {
    auto const m = static_cast<method>(i);
    auto const trials = trials_of(m, s.is_short);
    double least = INFINITY;
    training curve;
    for (trial const& h : trials) {
      double mean = 0;
      training first;
      for (std::size_t seed = 0; seed < s.seeds && std::isfinite(mean); ++seed) {
        auto t = train_by<Objective>(m, h, data, subset, b, b.steps, seed, -INFINITY);
        mean += t.last() / static_cast<double>(s.seeds);
        if (seed == 0) first = std::move(t);
      }
      if (mean < least) {
        best[m] = h;
        least = mean;
        curve = std::move(first);
      }
    }
    at_edge[m] = trials.size() > 1 && (best[m].rate == trials.front().rate || best[m].rate == trials.back().rate);
    found.final_loss[m] = least;
    plot.data.push_back({method_names[m], curve.step, curve.loss});
  }
  found.target = std::min(found.final_loss[sgd_momentum], found.final_loss[adam_method]);
  io::table table{"method",
                  "learning rate",
                  "damping",
                  "rate at its edge",
                  "loss at " + std::to_string(b.steps),
                  "steps to target, by seed",
                  "mean",
                  "ms a step"};
  for (int i = 0; i < methods; ++i) {
    auto const m = static_cast<method>(i);
    std::vector<double> steps;
    std::string by_seed;
    double seconds = 0;
    for (std::size_t seed = 0; seed < s.seeds; ++seed) {
      auto const t = train_by<Objective>(m, best[m], data, subset, b, 2 * b.steps, seed, found.target);
      seconds += t.seconds_per_step / static_cast<double>(s.seeds);
      by_seed += (by_seed.empty() ? "" : ", ") + (std::isnan(t.reached) ? std::string("never") : number(t.reached));
      if (!std::isnan(t.reached)) steps.push_back(t.reached);
    }
    found.steps[m] = spread_of(steps);
    found.reached[m] = steps.size();
    found.milliseconds[m] = 1e3 * seconds;
    table.row(
        method_names[m], best[m].rate, m < kfac_expand ? io::table::cell::number("") : io::table::cell(best[m].damping),
        at_edge[m], found.final_loss[m], by_seed,
        steps.empty() ? io::table::cell::number("") : io::table::cell(found.steps[m].mean), found.milliseconds[m]);
  }
  plot.data.push_back({"target", {0, static_cast<double>(b.steps)}, {found.target, found.target}, io::mark::dashes});
  e.plot(std::move(plot));
  e.table(std::move(table), "The best of 25 trials for each method; the target is a loss of " + number(found.target));
  return found;
}

}  // namespace sharing_study
