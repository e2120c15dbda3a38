// Section 2: SGD with momentum beside K-FAC, from the same parameters, on the same batches.

#include <cmath>
#include <iostream>

#include <kappa/derive/initialise.hpp>
#include <kappa/io/progress.hpp>
#include <kappa/io/table.hpp>
#include <kappa/io/text.hpp>
#include <kappa/methods.hpp>

#include "model.hpp"

namespace report {

namespace {

struct run {
  std::string name;
  std::vector<training_record> history;
  std::vector<double> accuracy;  // on the test set, after each epoch
  double loss = 0;               // on the training set, at the end
};

template <class Optimiser>
run train_with(std::string name, Optimiser optimiser, vector<float>& theta, settings const& s,
               io::dataset<float> const& train_set, io::dataset<float> const& test_set) {
  run r{std::move(name), {}, {}, 0};
  batch<float> const data(elements(train_set.inputs), elements(train_set.labels));
  batch<float> const test(elements(test_set.inputs), elements(test_set.labels));
  std::size_t const per_epoch = (train_set.size() + s.batch_size - 1) / s.batch_size;
  io::progress bar("training with " + r.name, s.epochs * per_epoch);
  r.history = train(optimiser, theta, data, {.epochs = s.epochs, .batch_size = s.batch_size, .seed = s.seed},
                    [&](training_record const& now) {
                      if (now.step % per_epoch == 0) {
                        r.accuracy.push_back(accuracy<digits, float>(theta, test));
                        bar.note("loss " + io::format_number(now.loss, 3) + ", test accuracy " +
                                 io::format_number(100 * r.accuracy.back(), 3) + " %");
                      }
                      ++bar;
                    });
  bar.finish();
  r.loss = evaluate<digits, float>(theta, data);
  return r;
}

// The loss over `window` steps on average: single batches are too noisy to compare.
std::vector<double> smoothed(run const& r, std::size_t window) {
  std::vector<double> out;
  double sum = 0;
  for (std::size_t i = 0; i < r.history.size(); ++i) {
    sum += r.history[i].loss;
    if (i >= window) sum -= r.history[i - window].loss;
    out.push_back(sum / static_cast<double>(std::min(i + 1, window)));
  }
  return out;
}

std::vector<double> seconds_of(run const& r) {
  std::vector<double> out;
  for (training_record const& t : r.history) out.push_back(t.seconds);
  return out;
}

// The first step whose smoothed loss is below `target`, or nothing.
std::string steps_to(run const& r, double target) {
  auto const losses = smoothed(r, 10);
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (losses[i] < target) return std::to_string(i + 1);
  return "not reached";
}

}  // namespace

vector<float> show_training(io::report& page, settings const& s, io::dataset<float> const& train_set,
                            io::dataset<float> const& test_set) {
  auto const start = initialise<classifier, float>(s.seed);
  auto by_sgd = start, by_kfac = start;
  run const runs[] = {train_with("SGD", sgd<digits, float>(s.batch_size, {.learning_rate = 0.03, .momentum = 0.9}),
                                 by_sgd, s, train_set, test_set),
                      train_with("K-FAC",
                                 kfac_optimiser<digits, float>(s.batch_size, {.learning_rate = 0.1,
                                                                              .momentum = 0.9,
                                                                              .damping = 0.3,
                                                                              .factor_period = 2,
                                                                              .decomposition_period = 20,
                                                                              .kl_clip = 1e-3}),
                                 by_kfac, s, train_set, test_set)};

  io::table results{"optimiser", "steps", "seconds in steps", "steps to loss 0.3", "training loss", "test accuracy, %"};
  std::vector<io::series> by_step, by_second, test;
  for (run const& r : runs) {
    results.row(r.name, r.history.size(), r.history.back().seconds, io::table::cell::number(steps_to(r, 0.3)), r.loss,
                100 * r.accuracy.back());
    by_step.push_back(io::over_index(r.name, smoothed(r, 10)));
    by_second.push_back({r.name, seconds_of(r), smoothed(r, 10)});
    test.push_back(io::over_index(r.name, r.accuracy));
  }
  std::cout << "Training, the same batches and the same initial parameters\n" << results << '\n';
  page.heading("Training")
      .text(
          "SGD with momentum and K-FAC (exact damping in the Kronecker factors' eigenbases) start from the same "
          "parameters and see the same batches in the same order. Seconds are those spent in steps.")
      .table(results)
      .plot(io::line_plot{"Training loss against steps",
                          {"step"},
                          {"loss, mean of 10 steps", io::axis_scale::logarithmic},
                          by_step,
                          ""})
      .plot(io::line_plot{"Training loss against seconds",
                          {"seconds"},
                          {"loss, mean of 10 steps", io::axis_scale::logarithmic},
                          by_second,
                          ""})
      .plot(io::line_plot{"Test accuracy", {"epoch"}, {"accuracy"}, test, ""});
  return by_kfac;
}

}  // namespace report
