// curvature_report: trains a small classifier of 28×28 digits and reports its curvature, on the terminal and as one
// HTML page.

#include <CLI/CLI.hpp>
#include <iostream>

#include <kappa/tensor/threads.hpp>

#include "../common/digits.hpp"
#include "../common/program.hpp"
#include "model.hpp"

int main(int argc, char** argv) {
  CLI::App app{
      "Trains a small classifier of 28x28 digits by SGD and by K-FAC and reports its curvature: the plan derived from\n"
      "its type, the spectrum of its Gauss-Newton matrix, K-FAC beside the exact blocks, and condition numbers beside\n"
      "their bounds. Writes one HTML page that needs no network to open."};
  app.footer(examples::exit_codes_help);
  std::string data, output = "report";
  report::settings s;
  int thread_count = 0;
  app.add_option("--data", data, examples::data_help);
  app.add_option("--seed", s.seed, "of the drawn digits, the initial parameters and the order of batches")
      ->capture_default_str();
  app.add_option("--epochs", s.epochs, "passes over the training data")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--batch", s.batch_size, "samples of a training step")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--samples", s.curvature_samples, "samples of the curvature's mini-batch")
      ->check(CLI::Range(2, 256))
      ->capture_default_str();
  app.add_option("--threads", thread_count, "0 for all cores")->check(CLI::Range(0, 1024))->capture_default_str();
  app.add_option("--output", output, "folder for report.html, made if it is not there")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& e) {
    return app.exit(e) == 0 ? examples::success : examples::bad_command_line;
  }

  return examples::write_report("Curvature report", output, [&](report::io::report& page) {
    if (thread_count > 0) kappa::set_threads(thread_count);
    auto const sets = examples::digits(data, 8000, 2000, s.seed);
    auto const &train = sets.train, &test = sets.test;
    std::cout << "Data: " << sets.source << ", " << train.size() << " for training and " << test.size()
              << " for testing\n\n";
    page.text("Data: " + sets.source + ". Seed " + std::to_string(s.seed) + ", " + std::to_string(kappa::threads()) +
              " threads, " + std::to_string(train.size()) + " training and " + std::to_string(test.size()) +
              " test samples, standardised.");
    report::show_plan(page);
    auto const theta = report::show_training(page, s, train, test);
    report::show_spectrum(page, s, theta, train);
    report::show_conditioning(page, s, train);
  });
}
