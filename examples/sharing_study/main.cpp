// sharing_study: K-FAC of layers with shared weights, experiment by experiment beside the figures of a reference, on
// the terminal and as one HTML page.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include <kappa/tensor/threads.hpp>

#include "../common/program.hpp"
#include "study.hpp"

namespace {

using namespace sharing_study;

struct entry {
  char const* name;
  experiment (*run)(settings const&);
};
constexpr entry experiments[] = {{"E1", exactness},    {"E2", failures}, {"E3", factor_cost}, {"E4", steps_reduce},
                                 {"E5", steps_expand}, {"E7", evidence}, {"E8", influence},   {"E9", inverse_free},
                                 {"E10", placement},   {"E11", damping}};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Reproduces, in small, what is said of K-FAC for layers that share their weights: where expand and reduce are\n"
      "exact and how they fail, what they cost, how many steps they take, what priors they select, and how they damp,\n"
      "rank influence, do without inverses and share work between ranks. Writes one HTML page with every figure "
      "beside\n"
      "the reference's. After Eschenhagen et al. (2023)."};
  app.footer(std::string(examples::exit_codes_help) + "\n5 also when a claim of exactness does not hold.");
  std::string output = "report";
  settings s;
  int thread_count = 1;
  std::vector<std::string> all, only;
  for (entry const& e : experiments) all.emplace_back(e.name);
  app.add_option("--only", only, "some of E1 to E11, as E1,E4 (there is no E6)")
      ->delimiter(',')
      ->check(CLI::IsMember(all));
  app.add_option("--seeds", s.seeds, "trainings of each kind in E4 and E5")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_flag("--short", s.is_short,
               "a study of some seconds: few instances, and trainings too short for their figures to mean anything");
  app.add_option("--threads", thread_count, "0 for all cores")->check(CLI::Range(0, 1024))->capture_default_str();
  app.add_option("--output", output, "folder for report.html, made if it is not there")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& e) {
    return app.exit(e) == 0 ? examples::success : examples::bad_command_line;
  }

  std::string failed;
  auto const code = examples::write_report("K-FAC of shared weights", output, [&](io::report& page) {
    if (thread_count > 0) set_threads(thread_count);
    page.text(
        "Each section has the set-up, what was measured, and its figures beside those of the reference. A verdict is "
        "\"within\" where the mean over random instances lies in the range that the reference states; where the "
        "reference has a single figure of a single random instance, where that figure lies between the smallest and "
        "the "
        "largest of the instances here. Data are synthetic throughout.");
    if (s.is_short) page.text("This is the short form: only the claims of exactness mean anything.");
    io::table summary{"experiment", "comparisons", "within", "outside", "seconds"};
    for (entry const& e : experiments) {
      if (!only.empty() && std::ranges::find(only, e.name) == only.end()) continue;
      auto const start = std::chrono::steady_clock::now();
      experiment const done = e.run(s);
      summary.row(e.name, done.comparisons(), done.within(), done.comparisons() - done.within(),
                  std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      done.show(page);
      if (!done.all_exact()) failed += " " + done.name();
    }
    page.heading("Summary").table(summary);
    std::cout << '\n' << summary << '\n';
  });
  if (code == examples::success && !failed.empty()) {
    std::cerr << "a claim of exactness does not hold:" << failed << '\n';
    return examples::failed_numerics;
  }
  return code;
}
