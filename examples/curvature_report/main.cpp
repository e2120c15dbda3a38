// curvature_report: trains a small classifier of 28×28 digits and reports its curvature, on the terminal and as one
// HTML page.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include <kappa/io.hpp>
#include <kappa/tensor/threads.hpp>
#include <kappa/version.hpp>

#include "model.hpp"
#include "strokes.hpp"

namespace {

using namespace kappa;

/// Exit codes.
enum exit_code {
  success = 0,
  unexpected = 1,
  bad_command_line = 2,
  bad_data = 3,
  cannot_write = 4,
  failed_numerics = 5
};

io::train_and_test<float> load(std::string const& folder, std::uint64_t seed) {
  if (folder.empty()) {
    std::cout << "Data: drawn digits, 8000 for training and 2000 for testing (seed " << seed << ")\n\n";
    return {strokes::dataset<float>(8000, seed), strokes::dataset<float>(2000, seed, 8000),
            "drawn digits, seed " + std::to_string(seed)};
  }
  auto data = io::load<float>(folder, {.test_fraction = 0.2, .seed = seed, .classes = 10});
  std::cout << "Data: " << data.source << "\n\n";
  if (data.train.features() != 28 * 28)
    throw shape_mismatch(folder + ": this network takes 784 features, the data have " +
                         std::to_string(data.train.features()));
  return data;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Trains a small classifier of 28x28 digits by SGD and by K-FAC and reports its curvature: the plan derived from\n"
      "its type, the spectrum of its Gauss-Newton matrix, K-FAC beside the exact blocks, and condition numbers beside\n"
      "their bounds. Writes one HTML page that needs no network to open."};
  app.footer(
      "Exit codes: 0 done, 1 unexpected error, 2 bad command line, 3 bad data, 4 the report cannot be written,\n"
      "5 a numerical failure (training diverged, a matrix that cannot be decomposed).");
  std::string data, output = "report";
  report::settings s;
  int thread_count = 0;
  app.add_option("--data", data,
                 "MNIST's IDX files (plain or .gz), features/labels as .npy or .csv in a folder, or one .csv or .npy\n"
                 "file with the label last; 784 features, 10 classes. Without it: digits the program draws itself");
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
    return app.exit(e) == 0 ? success : bad_command_line;
  }

  try {
    if (thread_count > 0) set_threads(thread_count);
    std::error_code made;
    std::filesystem::create_directories(output, made);
    if (made) throw write_error(output + ": the folder cannot be made: " + made.message());
    auto const page_path = std::filesystem::path(output) / "report.html";
    io::report page("Curvature report", "kappa " + std::to_string(version::major) + "." +
                                            std::to_string(version::minor) + "." + std::to_string(version::patch));
    page.write(page_path);  // says now, not after the work, that it cannot be written

    auto sets = load(data, s.seed);
    auto const scale = io::fit_standardization(sets.train, io::standardize::overall);
    auto const train = io::apply(scale, sets.train), test = io::apply(scale, sets.test);

    page.text("Data: " + sets.source + ". Seed " + std::to_string(s.seed) + ", " + std::to_string(threads()) +
              " threads, " + std::to_string(train.size()) + " training and " + std::to_string(test.size()) +
              " test samples, standardised.");
    report::show_plan(page);
    auto const theta = report::show_training(page, s, train, test);
    report::show_spectrum(page, s, theta, train);
    report::show_conditioning(page, s, train);
    page.write(page_path);
    std::cout << "Report: " << page_path.string() << '\n';
    return success;
  } catch (write_error const& e) {
    std::cerr << "cannot write: " << e.what() << '\n';
    return cannot_write;
  } catch (singular_matrix const& e) {
    std::cerr << "numerical failure: " << e.what() << '\n';
    return failed_numerics;
  } catch (not_converged const& e) {
    std::cerr << "numerical failure: " << e.what() << '\n';
    return failed_numerics;
  } catch (error const& e) {
    std::cerr << "bad data: " << e.what() << '\n';
    return bad_data;
  } catch (std::exception const& e) {
    std::cerr << "unexpected: " << e.what() << '\n';
    return unexpected;
  }
}
