// E4: steps to a target where positions are averaged before the loss.

#include <algorithm>

#include <kappa/declare.hpp>
#include <kappa/derive/predict.hpp>

#include "steps.hpp"
#include "token_data.hpp"

namespace sharing_study {

namespace {

struct net : network<input<8, 16> | dense<24> | act::tanh | dense<24> | act::tanh | mean_over_positions | dense<5>> {};
struct goal : objective<net, cross_entropy> {};

}  // namespace

experiment steps_reduce(settings const& s) {
  budget const b = s.is_short ? budget{256, 20, 64} : budget{2000, 400, 256};
  experiment e("E4", "Steps to a target, reduce setting",
               "Tokens [8, 16] with covariance eigenvalues 1 to 1/1000, 16-24-24 with tanh, a mean over positions, 5 "
               "classes; the labels are a teacher's without noise. N = " +
                   std::to_string(b.samples) + ", batches of " + std::to_string(b.batch) +
                   ". K-FAC: Monte Carlo factors with one draw, decay 0.95, factors and eigenbases every 5 steps, π "
                   "damping, momentum 0.9, KL clip 0.01. 25 trials for every method (the reference: 5, 4, 9 and 9); "
                   "the target is the better mean loss over seeds of SGD and Adam after " +
                   std::to_string(b.steps) + " steps, on 400 training samples.");
  auto const data = draw_tokens(b.samples, 8, 16, 1e3, 7);
  auto outputs = predict<net>(initialise<net, float>(8, 1.0), data.whitened);
  centre(outputs);
  std::vector<int> labels;
  for (std::size_t n = 0; n < b.samples; ++n) {
    auto const* const f = outputs.data() + 5 * n;
    labels.push_back(static_cast<int>(std::max_element(f, f + 5) - f));
  }
  batch<float> const all(data.inputs, labels);
  std::size_t const part = std::min<std::size_t>(400, b.samples);
  batch<float> const subset(std::span(data.inputs).first(part * 128), std::span<int const>(labels).first(part));
  auto const found = compare_methods<goal>(e, s, all, subset, b);

  auto const share = [&](method m) { return 100 * found.steps[m].mean / found.steps[adam_method].mean; };
  std::string const steps =
      found.said_steps("400, 510, 490 (SGD), 430, 430, 360 (Adam), 160, 160, 190 (expand), 140, 160, 140 (reduce)");
  std::string const other = "another teacher, and a finer grid with larger rates for the first-order methods.";
  e.judged("loss of the target", number(found.target), "0.267", std::abs(found.target / 0.267 - 1) < 0.25, other);
  for (method m : {kfac_expand, kfac_reduce}) {
    std::string const name = method_names[m];
    e.judged(name + ": all seeds reach the target", std::to_string(found.reached[m]) + " of " + std::to_string(s.seeds),
             "3 of 3", found.reached[m] == s.seeds, other);
    e.in_range(name + ": steps in % of Adam's", {share(m), share(m), share(m)}, 36, 42, steps);
    e.judged(name + ": loss after " + std::to_string(b.steps) + " steps is below half the target; in parts of it",
             number(found.final_loss[m] / found.target), m == kfac_expand ? "0.33" : "0.24",
             found.final_loss[m] < 0.5 * found.target, other);
  }
  e.judged("reduce takes no more steps than expand",
           number(found.steps[kfac_reduce].mean) + " and " + number(found.steps[kfac_expand].mean), "147 and 170",
           found.steps[kfac_reduce].mean <= found.steps[kfac_expand].mean, found.said_trials());
  double const slower = found.milliseconds[kfac_expand] / found.milliseconds[kfac_reduce];
  e.judged("time of a step, expand over reduce", number(slower), "0.8 to 1.2", slower > 0.8 && slower < 1.2,
           "the factors' share of a step is another in kappa.");
  return e;
}

}  // namespace sharing_study
