// conditioning_figures: draws the figures of condition numbers at initialisation that need no data, each with the exact
// value, the published bound and ours, as one HTML page; with --tables, tables beside published numbers.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <thread>

#include <kappa/tensor/threads.hpp>

#include "../common/program.hpp"
#include "model.hpp"

namespace {

using namespace conditioning_figures;

constexpr int missed = 6;

void append(std::vector<figure>& all, std::vector<figure> more) {
  for (auto& f : more) all.push_back(std::move(f));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Draws condition numbers of Gauss-Newton matrices at initialisation, against depth, width, the data, skip\n"
      "connections, slopes of leaky ReLU, filters and kernel sizes: the exact value, the published bound and ours.\n"
      "Writes one HTML page that needs no network to open. After Zhao, Singh, Lucchi 2024, arXiv:2411.02139.\n"
      "Every point is stored when it is measured; a run that was interrupted goes on from there."};
  app.footer(std::string(examples::exit_codes_help) +
             "\n6 a table's row is not within what is allowed, or a bound is on the wrong side of an exact value.");
  settings s;
  std::string output = "conditioning_figures", law = "kaiming";
  std::size_t thread_count = 0;
  bool restart = false, tables = false;
  auto* const seeds = app.add_option("--seeds", s.seeds, "draws of each point; more of them extend what is stored")
                          ->check(CLI::Range(1, 10000))
                          ->capture_default_str();
  app.add_option("--initialisation", law, "of the linear networks")
      ->check(CLI::IsMember({"kaiming", "xavier"}))
      ->capture_default_str();
  app.add_flag("--tables", tables,
               "the long form: tables at d = 192, of leaky ReLU at n = 500 and of published means, beside their\n"
               "reference, instead of the figures; minutes");
  app.add_flag("--short", s.is_short, "figures of a few seconds: three places on each axis, three draws");
  app.add_flag("--restart", restart, "forgets the stored points");
  app.add_option("--threads", thread_count, "0 for all cores")->check(CLI::Range(0, 1024))->capture_default_str();
  app.add_option("--output", output, "folder for report.html and the points, made if it is not there")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& e) {
    return app.exit(e) == 0 ? examples::success : examples::bad_command_line;
  }
  if (tables && s.is_short) {
    std::cerr << "--tables has no short form\n";
    return examples::bad_command_line;
  }
  if (s.is_short && seeds->count() == 0) s.seeds = 3;
  s.xavier = law == "xavier";
  s.workers = thread_count > 0 ? thread_count : std::max(1u, std::thread::hardware_concurrency());
  kappa::set_threads(1);  // the points are independent: one thread each

  std::size_t misses = 0;
  auto const code = examples::write_report("Condition numbers at initialisation", output, [&](kappa::io::report& page) {
    std::filesystem::path const folder(output);
    if (tables) {
      point_store store(folder / "tables.csv", "conditioning_figures, format 1, tables", restart);
      page.text(
          "Measured beside published numbers and those of an independent program. Everything is drawn from fixed "
          "seeds.");
      misses = show_tables(page, s, store);
      return;
    }
    point_store store(folder / "points.csv", "conditioning_figures, format 1, initialisation " + law, restart);
    page.text(
        "The condition number κ(G) of the Gauss-Newton matrix, its largest eigenvalue over the smallest non-zero "
        "one, for networks at random initialisation. Solid: exact values. Dashed: bounds and laws; those "
        "called ours are kappa's, the others are of Zhao, Singh, Lucchi (arXiv:2411.02139). Linear networks have "
        "weights of variance " +
        std::string(law == "xavier" ? "2 / (fan-in + fan-out)." : "1 / fan-in."));
    std::vector<figure> all;
    append(all, linear_figures(s));
    append(all, residual_figures(s));
    append(all, relu_figures(s));
    append(all, convolution_figures(s));
    misses = show_figures(page, all, s, store);
  });
  if (code != examples::success || misses == 0) return code;
  std::cerr << misses << (tables ? " comparisons are not within what is allowed\n" : " bounds do not hold\n");
  return missed;
}
