// noise_study: how noisy the curvature of mini-batches is while a small classifier of digits is trained, on the
// terminal and as one HTML page.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include <kappa/tensor/threads.hpp>

#include "../common/digits.hpp"
#include "../common/program.hpp"
#include "model.hpp"

namespace {

using namespace noise_study;

io::dataset<float> some(io::dataset<float> const& all, std::size_t most, std::uint64_t seed) {
  auto const order = io::shuffled_indices(all.size(), seed);
  return io::take(all, std::span<std::size_t const>(order).first(std::min(most, all.size())));
}

study_data prepare(std::string const& path, settings const& s) {
  auto sets = examples::digits(path, s.training_samples, s.test_samples, s.seed);
  study_data data{some(sets.train, s.training_samples, s.seed), some(sets.test, s.test_samples, s.seed), {}, {}, {}};
  if (data.train.size() < s.batch_size)
    throw shape_mismatch("at least " + std::to_string(s.batch_size) +
                         " training samples were expected, for one "
                         "mini-batch; there are " +
                         std::to_string(data.train.size()));
  data.subset = some(data.train, s.reference_samples, s.seed + 1);
  for (std::size_t b = 0; b < s.mini_batches; ++b) {
    data.batches.push_back(some(data.subset, s.batch_size, s.seed + 2 + b));
    data.sub_batches.push_back(some(data.batches.back(), s.batch_size / sub_sampling, s.seed));
  }
  std::cout << "Data: " << sets.source << ", " << data.train.size() << " for training and " << data.held_out.size()
            << " held out\n\n";
  return data;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Trains a small classifier of 28x28 digits by SGD and by Adam and studies, at checkpoints, the noise of its\n"
      "curvature: spectra and leading spaces of mini-batches in four approximations beside the full batch's, the\n"
      "signal-to-noise of slopes and curvatures along the leading directions, and steps damped for it. Writes one "
      "HTML\n"
      "page that needs no network to open. After ViViT (Dangel, Tatzel and Hennig 2023)."};
  app.footer(examples::exit_codes_help);
  std::string path, output = "report";
  settings s;
  int thread_count = 1;
  bool is_short = false;
  app.add_option("--data", path, examples::data_help);
  app.add_option("--seed", s.seed, "of the drawn digits, the parameters, the batches and the Monte Carlo draws")
      ->capture_default_str();
  app.add_option("--epochs", s.epochs, "passes over the training data")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--training", s.training_samples, "training samples, at most")
      ->check(CLI::Range(160, 1000000))
      ->capture_default_str();
  app.add_option("--full-batch", s.reference_samples,
                 "training samples of the full-batch matrix; memory grows as its "
                 "square, 250 MB for 512")
      ->check(CLI::Range(160, 2048))
      ->capture_default_str();
  app.add_option("--batch", s.batch_size, "samples of a mini-batch, in training and in measuring")
      ->check(CLI::Range(80, 512))
      ->capture_default_str();
  app.add_option("--mini-batches", s.mini_batches, "mini-batches measured at each checkpoint")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--checkpoints", s.checkpoints, "checkpoints of a training, evenly spaced in log(step + 1)")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  app.add_flag("--short", is_short,
               "a study of a few seconds: fewer samples, mini-batches and checkpoints, whatever "
               "the other options say");
  app.add_option("--threads", thread_count, "0 for all cores")->check(CLI::Range(0, 1024))->capture_default_str();
  app.add_option("--output", output, "folder for report.html, made if it is not there")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& e) {
    return app.exit(e) == 0 ? examples::success : examples::bad_command_line;
  }
  if (is_short) {
    s.epochs = 4;
    s.training_samples = 480;
    s.test_samples = 200;
    s.reference_samples = 160;
    s.batch_size = 80;
    s.mini_batches = 2;
    s.checkpoints = 3;
  }
  if (s.batch_size > s.reference_samples) {
    std::cerr << "--batch " << s.batch_size << " is more than --full-batch " << s.reference_samples << '\n';
    return examples::bad_command_line;
  }

  return examples::write_report("Noise study", output, [&](io::report& page) {
    if (thread_count > 0) set_threads(thread_count);
    auto const data = prepare(path, s);
    auto const runs = train_and_measure(s, data);
    show_setting(page, s, data, runs);
    show_spectra(page, runs);
    show_overlaps(page, s, runs);
    show_noise(page, s, runs);
    show_steps(page, s, runs);
  });
}
