// E5: steps to a target where every position has its loss.

#include <algorithm>
#include <cmath>

#include <kappa/declare.hpp>

#include "steps.hpp"
#include "token_data.hpp"

namespace sharing_study {

namespace {

struct net : network<input<8, 16> | dense<12> | act::tanh | dense<3> | act::tanh | dense<12> | act::tanh | dense<16>> {
};
struct goal : objective<net, squared_error, kappa::mean_over_positions> {};

/// Three latent variables a position, tanh of 12 mixtures of them, 16 mixtures of those; then directions of scale 1 to
/// 1/10, turned back.
std::vector<float> draw(std::size_t count, std::uint64_t seed) {
  counter_random random(seed);
  auto normal = [&](std::size_t n) {
    std::vector<double> v(n);
    for (double& x : v) x = random.normal();
    return v;
  };
  auto const u = normal(3 * 12), v = normal(12 * 16);
  auto const q = rotation(16, random);
  std::vector<float> all;
  for (std::size_t t = 0; t < count; ++t) {
    auto const latent = normal(3);
    double hidden[12] = {}, seen[16] = {}, turned[16] = {};
    for (std::size_t j = 0; j < 12; ++j) {
      for (std::size_t i = 0; i < 3; ++i) hidden[j] += latent[i] * u[12 * i + j];
      for (std::size_t k = 0; k < 16; ++k) seen[k] += std::tanh(hidden[j]) * v[16 * j + k] / 3;
    }
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t k = 0; k < 16; ++k)
        turned[i] += 2 * std::pow(10, -static_cast<double>(i) / 15) * seen[k] * q(i, k);
    for (std::size_t k = 0; k < 16; ++k) {
      double x = 0;
      for (std::size_t i = 0; i < 16; ++i) x += turned[i] * q(i, k);
      all.push_back(static_cast<float>(x));
    }
  }
  return all;
}

}  // namespace

experiment steps_expand(settings const& s) {
  budget const b = s.is_short ? budget{256, 20, 64} : budget{2000, 400, 256};
  experiment e(
      "E5", "Steps to a target, expand setting",
      "An autoencoder 16-12-3-12-16 with tanh of each of 8 positions, squared error, ρ = 1/(N R). N = " +
          std::to_string(b.samples) + ", batches of " + std::to_string(b.batch) +
          ". Data of three latent variables, their directions of scale 1 to 1/10. Methods, trials and target as "
          "in E4.");
  auto const x = draw(8 * b.samples, 7);
  batch<float> const all(x, x);
  std::size_t const part = std::min<std::size_t>(400, b.samples);
  auto const first = std::span(x).first(part * 128);
  batch<float> const subset(first, first);
  auto const found = compare_methods<goal>(e, s, all, subset, b);

  std::string const steps =
      found.said_steps("never (SGD), 400, 630, 630 (Adam), 80, 100, 180 (expand), 140, 120, 120 (reduce)");
  double const first_order =
      std::min(std::isnan(found.steps[sgd_momentum].mean) ? INFINITY : found.steps[sgd_momentum].mean,
               std::isnan(found.steps[adam_method].mean) ? INFINITY : found.steps[adam_method].mean);
  for (method m : {kfac_expand, kfac_reduce}) {
    double const share = 100 * found.steps[m].mean / first_order;
    e.judged(std::string(method_names[m]) + ": all seeds reach the target",
             std::to_string(found.reached[m]) + " of " + std::to_string(s.seeds), "3 of 3", found.reached[m] == s.seeds,
             steps);
    e.in_range(std::string(method_names[m]) + ": steps in % of the better first-order method's", {share, share, share},
               22, 23, steps);
  }
  double const ratio = found.steps[kfac_reduce].mean / found.steps[kfac_expand].mean;
  e.judged("steps of reduce over steps of expand: little difference", number(ratio), "1.06",
           ratio > 0.75 && ratio < 1.33, found.said_trials());
  return e;
}

}  // namespace sharing_study
