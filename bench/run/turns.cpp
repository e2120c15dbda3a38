// The gradient at N = 128 in turns with multiply-adds in registers, as often and as long: what share of them it reaches
// when neither is disturbed. A shared host disturbs most means over tenths of a second; a call takes milliseconds.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>

#include "growth.hpp"
#include "multiply_adds.hpp"
#include "problem.hpp"

namespace {

using namespace kappa;

struct small : network<input<784> | dense<128> | act::relu | dense<10>> {};
struct large : network<input<784> | dense<512> | act::relu | dense<256> | act::relu | dense<10>> {};
template <class Network>
struct classified : objective<Network, cross_entropy> {};

int const in_turn = 8;  // calls of each, timed one by one: the first gradient finds less in the caches

float const volatile factor = 0.999F;
float const volatile term = 0.001F;
float volatile result;

template <class Network>
void of_network(bench::problem const& p, double seconds) {
  std::size_t const n = 128;
  auto const theta = bench::parameters(p), x = bench::inputs(p, n);
  auto const y = bench::labels(p, n);
  auto work = workspace_for<classified<Network>, float>(n, loss_value, gradient);
  auto const time = [](auto const& f) {
    double const begin = bench::now(1);
    f();
    return bench::now(1) - begin;
  };
  auto const derived = [&] { derive(work, theta, batch(x, y), loss_value, gradient); };
  int repeats = 1000;
  auto const registers = [&] { result = bench::multiply_adds<float>(repeats, factor, term); };
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
  of_network<small>(bench::small(), seconds);
  of_network<large>(bench::large(), seconds);
}
