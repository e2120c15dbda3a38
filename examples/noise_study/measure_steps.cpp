// What one step from one mini-batch does to the held-out loss.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <kappa/derive.hpp>
#include <kappa/methods/directional_newton.hpp>
#include <kappa/methods/evaluate.hpp>

#include "model.hpp"

namespace noise_study {

namespace {

// θ + factor · direction.
template <class Direction>
vector<float> moved(vector<float> const& theta, double factor, Direction const& direction) {
  auto there = theta;
  for (std::size_t i = 0; i < there.size(); ++i) there(i) += static_cast<float>(factor) * direction[i];
  return there;
}

// Of the rates 10⁻³, 10^-2.75, ..., 10 the one after whose step the batch's own loss is least.
template <class Gradient>
double best_rate(vector<float> const& theta, Gradient const& g, batch<float> const& own) {
  double best = 0, least = std::numeric_limits<double>::infinity();
  for (int i = 0; i <= 16; ++i) {
    double const rate = std::pow(10.0, -3 + 0.25 * i);
    double const loss = evaluate<digits, float>(moved(theta, -rate, g), own);
    if (loss < least) {
      least = loss;
      best = rate;
    }
  }
  return best;
}

}  // namespace

void measure_steps(checkpoint& now, vector<float> const& theta, study_data const& data, settings const& s) {
  auto const held_out = view(data.held_out);
  for (std::size_t b = 0; b < data.batches.size(); ++b) {
    measurement& m = now.batches[b];
    auto const own = view(data.batches[b]);
    auto const q = derive<digits>(theta, own, gradient, ggn, ggn_from<exact, per_layer>, per_sample_gradient_operator);
    auto const sub = derive<digits>(theta, view(data.sub_batches[b]), ggn_from<monte_carlo<1>>(s.seed + b));
    auto const gain = [&](double factor, auto const& step) {
      return (now.held_out_loss - evaluate<digits, float>(moved(theta, factor, step), held_out)) / now.held_out_loss;
    };
    auto const g = q[gradient];
    m.gain[sgd_step] = gain(-s.sgd_rate, g);
    m.gain[searched_sgd_step] = gain(-best_rate(theta, g, own), g);
    // [steps]
    bootstrap_damping const bootstrap{.seed = s.seed};
    auto const newton = directional_newton_step_of(q, ggn, leading{directions}, bootstrap);
    auto const by_layer = directional_newton_step_of(q, ggn_from<exact, per_layer>, leading{directions}, bootstrap);
    auto const cheap = directional_newton_step_of(sub, ggn_from<monte_carlo<1>>, q, leading{directions}, bootstrap);
    // [/steps]
    m.gain[newton_step] = gain(1, elements(newton.step));
    m.gain[layer_newton_step] = gain(1, elements(by_layer.step));
    m.gain[cheap_newton_step] = gain(1, elements(cheap.step));
    m.gain[constant_newton_step] =
        gain(1, elements(directional_newton_step_of(q, ggn, leading{directions}, constant_damping{1}).step));
    for (float d : newton.damping[0]) m.damping.push_back(static_cast<double>(d));
  }
}

}  // namespace noise_study
