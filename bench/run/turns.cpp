// The gradient at N = 128 in turns with multiply-adds in registers, as often and as long: what share of them it reaches
// when neither is disturbed. A shared host disturbs most means over tenths of a second; a call takes milliseconds.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <kappa/derive/derive.hpp>

#include "classifiers.hpp"
#include "growth.hpp"
#include "multiply_adds.hpp"
#include "problem.hpp"

namespace {

using namespace kappa;

int const in_turn = 8;  // calls of each, timed one by one: the first gradient finds less in the caches

template <class Network>
void of_network(bench::problem const& p, double seconds) {
  std::size_t const n = 128;
  auto const theta = bench::parameters(p), x = bench::inputs(p, n);
  auto const y = bench::labels(p, n);
  auto work = workspace_for<bench::digits<Network>, float>(n, loss_value, gradient);
  auto const time = [](auto const& f) {
    double const begin = bench::now(1);
    f();
    return bench::now(1) - begin;
  };
  auto const derived = [&] { derive(work, theta, batch(x, y), loss_value, gradient); };
  int repeats = 1000;
  auto const registers = [&] { bench::run_multiply_adds(repeats); };
  for (int i = 0; i < 10; ++i) derived();
  registers();
  repeats = std::max(1000, static_cast<int>(repeats * time(derived) / time(registers)));
  double const mflop = 1e-6 * bench::gradient_flops(p, n),
               of_registers = 2e-6 * bench::multiply_adds_per_repeat<float> * repeats;

  std::vector<double> task, peak, share;
  double const begin = bench::now(1);
  while (task.size() < 5 || bench::now(1) - begin < 1e6 * seconds) {
    for (int i = 0; i < in_turn; ++i) peak.push_back(of_registers / time(registers));
    for (int i = 0; i < in_turn; ++i) task.push_back(mflop / time(derived));
    share.push_back(task.back() / peak.back());
  }
  double const best = *std::max_element(task.begin(), task.end()), top = *std::max_element(peak.begin(), peak.end());
  std::printf(
      "{\"network\": \"%s/%zu\", \"calls\": %zu, \"gflops\": %.4g, \"registers\": %.4g, \"median_share\": %.4g}\n",
      p.name.c_str(), n, task.size(), 1e3 * best, 1e3 * top, bench::median(share));
}

}  // namespace

int main(int count, char** arguments) {
  double const seconds = count > 1 ? std::atof(arguments[1]) : 30;
  set_threads(1);
  of_network<bench::small_classifier>(bench::small(), seconds);
  of_network<bench::large_classifier>(bench::large(), seconds);
}
