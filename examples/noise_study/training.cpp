// Trains with SGD and with Adam, and stops at checkpoints to measure.

#include <kappa/derive/initialise.hpp>
#include <kappa/io/progress.hpp>
#include <kappa/io/text.hpp>
#include <kappa/methods/adam.hpp>
#include <kappa/methods/evaluate.hpp>
#include <kappa/methods/sgd.hpp>
#include <kappa/methods/train.hpp>

#include "model.hpp"
#include "summary.hpp"

namespace noise_study {

namespace {

template <class Optimiser>
run watch(std::string name, Optimiser optimiser, settings const& s, study_data const& data, run const* before) {
  auto theta = initialise<classifier, float>(s.seed);
  std::size_t const per_epoch = (data.train.size() + s.batch_size - 1) / s.batch_size;
  auto const looks = logarithmic_steps(s.epochs * per_epoch, s.checkpoints);
  run r{std::move(name), {}, 0, theta.size()};
  io::progress bar("training and measuring with " + r.name, looks.size());

  auto const measure = [&](std::size_t step) {
    checkpoint now;
    now.step = step;
    now.loss = evaluate<digits, float>(theta, view(data.train));
    now.held_out_loss = evaluate<digits, float>(theta, view(data.held_out));
    now.batches.resize(data.batches.size());
    bool const end = step == looks.front() || step == looks.back();
    auto const full = reference_at(theta, data.subset, end ? shown_eigenvalues : directions);
    measure_curvature(now, theta, full, data, s.seed);
    measure_steps(now, theta, data, s);
    if (end) compare_with_whole(now, theta, full, data);
    r.checkpoints.push_back(std::move(now));
    bar.note("step " + std::to_string(step) + ", loss " + io::format_number(r.checkpoints.back().loss, 3));
    ++bar;
  };
  if (before != nullptr) {  // the same parameters and mini-batches
    r.checkpoints.push_back(before->checkpoints.front());
    ++bar;
  } else {
    measure(0);
  }
  train(optimiser, theta, view(data.train), {.epochs = s.epochs, .batch_size = s.batch_size, .seed = s.seed},
        [&](training_record const& now) {
          if (std::ranges::binary_search(looks, now.step)) measure(now.step);
        });
  bar.finish();
  r.accuracy = accuracy<digits, float>(theta, view(data.held_out));
  return r;
}

}  // namespace

std::vector<run> train_and_measure(settings const& s, study_data const& data) {
  std::vector<run> runs;
  runs.push_back(watch("SGD", sgd<digits, float>(s.batch_size, {.learning_rate = s.sgd_rate, .momentum = s.momentum}),
                       s, data, nullptr));
  runs.push_back(watch("Adam", adam<digits, float>(s.batch_size, {.learning_rate = s.adam_rate}), s, data, &runs[0]));
  return runs;
}

}  // namespace noise_study
