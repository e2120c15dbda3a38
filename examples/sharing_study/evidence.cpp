// E7: prior precisions by the evidence of K-FAC, layer by layer, while a network is trained.

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/derive/predict.hpp>
#include <kappa/methods/evaluate.hpp>
#include <kappa/methods/laplace_evidence.hpp>
#include <kappa/methods/mini_batches.hpp>

#include "study.hpp"
#include "token_data.hpp"

namespace sharing_study {

namespace {

struct net : network<input<32, 16> | dense<32> | act::tanh | dense<32> | act::tanh | mean_over_positions | dense<5>> {};
struct goal : objective<net, cross_entropy> {};
struct teacher
    : network<input<32, 16> | dense<24> | act::tanh | dense<24> | act::tanh | mean_over_positions | dense<5>> {};

constexpr std::size_t layers = net::parameters.size();

/// Adam on the mean loss plus Σ_l δ_l ‖θ_l‖² / (2 N), whose minimum is that of the posterior.
class posterior_adam {
 public:
  posterior_adam(std::size_t capacity, double rate) : work(capacity), lr(rate) {}

  void step(vector<float>& theta, batch<float> const& b, std::vector<double> const& precisions, double n) {
    auto const q = derive(work, theta, b, gradient);
    auto const g = q[gradient];
    ++taken;
    double const c1 = 1 / (1 - std::pow(0.9, taken)), c2 = 1 / (1 - std::pow(0.999, taken));
    for (std::size_t l = 0; l < layers; ++l) {
      parameter const& w = net::parameters[l];
      for (auto i = static_cast<std::size_t>(w.offset); i < static_cast<std::size_t>(w.offset + w.size()); ++i) {
        double const d = static_cast<double>(g[i]) + precisions[l] / n * static_cast<double>(theta(i));
        first[i] = 0.9 * first[i] + 0.1 * d;
        second[i] = 0.999 * second[i] + 0.001 * d * d;
        theta(i) -= static_cast<float>(lr * c1 * first[i] / (std::sqrt(c2 * second[i]) + 1e-8));
      }
    }
  }

 private:
  workspace<goal, float, gradient_t> work;
  double lr;
  double taken = 0;
  std::vector<double> first = std::vector<double>(static_cast<std::size_t>(net::parameter_count));
  std::vector<double> second = first;
};

enum class selection { none, expand, reduce };

struct outcome {
  double test_nll = 0, accuracy = 0, log_evidence = 0;  // the last per sample
  std::vector<double> precisions;
  std::vector<double> epoch, by_epoch;  // of the first layer's precision
};

template <auto Mode>
laplace_evidence evidence_at(vector<float> const& theta, batch<float> const& data, double n) {
  // [evidence]
  auto const q = derive<goal>(theta, data, loss_value, kfac<Mode>);
  return laplace_evidence(-n * q[loss_value], q[kfac<Mode>], elements(theta), n);
  // [/evidence]
}

outcome train_with(selection how, double initial, batch<float> const& training, batch<float> const& test,
                   std::size_t samples, std::size_t epochs) {
  double const n = static_cast<double>(samples);
  auto theta = initialise<net, float>(5, 1.0);
  posterior_adam optimiser(100, 3e-3);
  mini_batches<goal, float> batches(training, 100, 3);
  outcome o;
  o.precisions.assign(layers, initial);
  auto const evidence_now = [&] {
    return how == selection::expand ? evidence_at<expand>(theta, training, n) : evidence_at<reduce>(theta, training, n);
  };
  for (std::size_t epoch = 1; epoch <= epochs; ++epoch) {
    batches.begin_epoch(epoch);
    for (std::size_t i = 0; i < batches.count(); ++i) optimiser.step(theta, batches.gather(i), o.precisions, n);
    if (how != selection::none && epoch > 10 && epoch % 5 == 0) {
      auto const now = evidence_now();
      for (int i = 0; i < 3; ++i) o.precisions = now.updated(o.precisions);  // MacKay
    }
    o.epoch.push_back(static_cast<double>(epoch));
    o.by_epoch.push_back(o.precisions[0]);
  }
  o.test_nll = evaluate<goal, float>(theta, test);
  o.accuracy = accuracy<goal, float>(theta, test);
  o.log_evidence = evidence_now()(o.precisions) / n;
  return o;
}

/// Median processor seconds of K-FAC of the whole training set, expand and reduce in turns.
std::pair<double, double> curvature_seconds(batch<float> const& training, std::size_t samples, std::size_t rounds) {
  auto const theta = initialise<net, float>(5, 1.0);
  auto expanded = workspace_for<goal, float>(samples, loss_value, kfac<expand>);
  auto reduced = workspace_for<goal, float>(samples, loss_value, kfac<reduce>);
  std::vector<double> seconds[2];
  for (std::size_t round = 0; round <= rounds; ++round)
    for (std::size_t k = 0; k < 2; ++k) {
      auto const start = std::clock();
      if (k == 0)
        derive(expanded, theta, training, loss_value, kfac<expand>);
      else
        derive(reduced, theta, training, loss_value, kfac<reduce>);
      if (round > 0) seconds[k].push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
  for (auto& v : seconds) std::ranges::sort(v);
  return {seconds[0][rounds / 2], seconds[1][rounds / 2]};
}

}  // namespace

experiment evidence(settings const& s) {
  std::size_t const samples = s.is_short ? 100 : 800, tests = s.is_short ? 100 : 2200, epochs = s.is_short ? 20 : 120;
  experiment e(
      "E7", "Priors by evidence",
      "Tokens [32, 16] as in E4, 16-32-32 with tanh, a mean over positions, 5 classes drawn from a teacher's "
      "softmax; N = " +
          std::to_string(samples) + ". " + std::to_string(epochs) +
          " epochs of Adam on the posterior, with one prior precision δ for each layer; from the eleventh epoch "
          "on every fifth takes three of MacKay's steps with K-FAC of the whole training set. Begun at δ = 0.01, "
          "1 and 100, and kept there for comparison.");
  auto const data = draw_tokens(samples + tests, 32, 16, 1e3, 11);
  auto outputs = predict<teacher>(initialise<teacher, float>(12, 1.0), data.whitened);
  centre(outputs);
  double squares = 0;
  for (float v : elements(outputs)) squares += static_cast<double>(v) * static_cast<double>(v);
  double const factor = 3 / std::sqrt(squares / static_cast<double>(outputs.size()));
  counter_random random(13);
  std::vector<int> labels;
  for (std::size_t i = 0; i < samples + tests; ++i) {
    double weights[5], total = 0;
    for (std::size_t c = 0; c < 5; ++c) total += weights[c] = std::exp(factor * static_cast<double>(outputs(i, c)));
    double left = random.uniform() * total;
    int label = 0;
    while (label < 4 && (left -= weights[label]) > 0) ++label;
    labels.push_back(label);
  }
  std::span<float const> const x(data.inputs);
  std::span<int const> const y(labels);
  batch<float> const training(x.first(samples * 512), y.first(samples)),
      test(x.subspan(samples * 512), y.subspan(samples));

  constexpr selection kinds[] = {selection::none, selection::expand, selection::reduce};
  constexpr char const* names[] = {"fixed", "evidence, expand", "evidence, reduce"};
  constexpr double initials[] = {1e-2, 1, 100};
  constexpr double reference[3][3] = {{.871, .859, 1.594}, {.846, .843, .866}, {.849, .846, .874}};
  io::table table{"δ", "begun at", "test NLL", "reference", "accuracy", "log evidence / N", "δ of the layers"};
  io::line_plot plot{"Prior precision of the first layer",
                     {"epoch"},
                     {"δ", io::axis_scale::logarithmic},
                     {},
                     "All six end near each other, wherever they begin."};
  std::vector<double> nll[3], log_evidence[3], ends[3][layers];
  for (std::size_t k = 0; k < 3; ++k) {
    if (k > 0) table.rule();
    for (std::size_t i = 0; i < 3; ++i) {
      auto const o = train_with(kinds[k], initials[i], training, test, samples, epochs);
      nll[k].push_back(o.test_nll);
      log_evidence[k].push_back(o.log_evidence);
      std::string deltas;
      for (std::size_t l = 0; l < layers; ++l) {
        if (l > 0) deltas += ", ";
        deltas += number(o.precisions[l]);
        ends[k][l].push_back(o.precisions[l]);
      }
      table.row(names[k], initials[i], o.test_nll, reference[k][i], o.accuracy, o.log_evidence, deltas);
      if (k > 0) plot.data.push_back({std::string(names[k]) + ", from " + number(initials[i]), o.epoch, o.by_epoch});
    }
  }
  e.table(std::move(table), "Negative log-likelihoods per sample");
  e.plot(std::move(plot));
  char const* const other = "another teacher, other labels and another order of samples than the reference's.";
  for (std::size_t k = 1; k < 3; ++k) {
    double widest = 1;
    for (auto const& layer : ends[k]) widest = worst_of(widest, spread_of(layer).high / spread_of(layer).low);
    e.judged(std::string(names[k]) + ": the final δ of a layer, largest over smallest of the three starts",
             number(widest), "independent of 4 decades of starts", widest < 2,
             "the updates were too few to forget the start in all layers.");
    constexpr double selected[2][layers] = {{4.8, 1.0, .85}, {6.5, 1.6, .71}};
    double off = 1;
    std::string mine, theirs;
    for (std::size_t l = 0; l < layers; ++l) {
      double const mean = spread_of(ends[k][l]).mean, theirs_now = selected[k - 1][l];
      off = worst_of(off, std::max(mean / theirs_now, theirs_now / mean));
      if (l > 0) {
        mine += ", ";
        theirs += ", ";
      }
      mine += number(mean);
      theirs += number(theirs_now);
    }
    e.judged(std::string(names[k]) + ": δ of the layers, within a factor of 2", mine, theirs, off < 2, other);
    auto const range = spread_of(nll[k]), fixed = spread_of(nll[0]);
    e.judged(
        std::string(names[k]) + ": test NLL no worse than the best of the fixed by more than 0.02, from all starts",
        number(range.high) + ", best fixed " + number(fixed.low), "0.874, best fixed 0.859",
        range.high < fixed.low + 0.02, other);
    auto const learned = spread_of(log_evidence[k]);
    e.judged(std::string(names[k]) + ": log evidence / N above all of the fixed",
             number(learned.low) + " to " + number(learned.high) + ", fixed at most " +
                 number(spread_of(log_evidence[0]).high),
             k == 1 ? "-1.15" : "-1.31", learned.low > spread_of(log_evidence[0]).high, other);
  }
  double const gap = std::abs(spread_of(nll[1]).mean - spread_of(nll[2]).mean);
  e.judged("test NLL, expand less reduce: the same selection", number(gap), "0.005", gap < 0.02, other);
  auto const [by_expand, by_reduce] = curvature_seconds(training, samples, s.is_short ? 3 : 15);
  e.judged("processor time of the curvature, expand over reduce",
           number(by_expand / by_reduce) + ", " + number(1e3 * by_expand) + " and " + number(1e3 * by_reduce) + " ms",
           "near 1: backward sweeps dominate", by_expand / by_reduce > 0.8 && by_expand / by_reduce < 2,
           "the share of the factor products is another in kappa.");
  return e;
}

}  // namespace sharing_study
