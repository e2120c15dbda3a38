// What a second thread gives: K-FAC factors and the Gram matrix at N = 512, and what each takes on one thread. In turn
// with each, multiply-adds in registers on one thread and on two: what the machine gives meanwhile, be its processors
// two cores or, for a while, one that a host shares out.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <kappa/derive/derive.hpp>

#include "classifiers.hpp"
#include "growth.hpp"
#include "multiply_adds.hpp"
#include "problem.hpp"

namespace {

using namespace kappa;

// So many repeats, by all threads together.
void registers(int repeats) {
  parallel_ranges(static_cast<std::size_t>(threads()), 1, 1, [=](std::size_t begin, std::size_t end) {
    int const own = repeats / threads() * static_cast<int>(end - begin);
    bench::run_multiply_adds(own);
  });
}

template <class Network>
void of_network(bench::growth_options const& options, bench::problem const& p) {
  using objective = bench::digits<Network>;
  std::size_t const n = options.short_form ? 64 : 512;
  auto const theta = bench::parameters(p), x = bench::inputs(p, n);
  auto const y = bench::labels(p, n);
  auto const of_task = [&](std::string const& task, auto const&... quantities) {
    set_threads(2);
    auto work = workspace_for<objective, float>(n, quantities...);
    auto const run = [&] { derive(work, theta, batch(x, y), quantities...); };
    auto const time = [](int count, int calls, auto const& f) {
      set_threads(count);
      f();  // finds its data with the other core
      double const begin = bench::now(2);
      for (int i = 0; i < calls; ++i) f();
      return (bench::now(2) - begin) / calls;
    };
    double const once = time(2, 1, run);
    int const calls = std::max(1, static_cast<int>(2e5 * options.seconds / once));
    // Registers take about as long as the task, so that a turn is of one piece.
    int const repeats = std::max(1000, static_cast<int>(500 * once));
    auto const multiply_adds = [=] { registers(repeats); };
    std::size_t const turns =
        std::max<std::size_t>(5, static_cast<std::size_t>(40 * options.seconds * 1e6 / (6 * once * calls)));
    for (std::size_t turn = 0; turn < turns; ++turn) {
      double const alone = time(1, calls, multiply_adds), one = time(1, calls, run), two = time(2, calls, run),
                   together = time(2, calls, multiply_adds);
      std::printf("{\"threads\": \"%s %s\", \"one\": %.6g, \"two\": %.6g, \"registers\": %.4g}\n", task.c_str(),
                  p.name.c_str(), one, two, alone / together);
    }
  };
  of_task("gradient", loss_value, gradient);
  of_task("kfac", kfac<expand>);
  of_task("ggn_gram", ggn);
}

}  // namespace

int main(int count, char** arguments) {
  bench::growth_options const options(count, arguments);
  of_network<bench::small_classifier>(options, bench::small());
  of_network<bench::large_classifier>(options, bench::large());
}
