// What a second thread gives: K-FAC factors and the Gram matrix at N = 512, and what each takes on one thread.
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>

#include "growth.hpp"
#include "problem.hpp"

namespace {

using namespace kappa;

struct small : network<input<784> | dense<128> | act::relu | dense<10>> {};
struct large : network<input<784> | dense<512> | act::relu | dense<256> | act::relu | dense<10>> {};
template <class Network>
struct classified : objective<Network, cross_entropy> {};

template <class Network>
void of_network(bench::growth_options const& options, bench::problem const& p) {
  using objective = classified<Network>;
  std::size_t const n = options.short_form ? 64 : 512;
  auto const theta = bench::parameters(p), x = bench::inputs(p, n);
  auto const y = bench::labels(p, n);
  auto const time = [&](std::string const& task, auto const&... quantities) {
    set_threads(2);
    auto work = workspace_for<objective, float>(n, quantities...);
    auto const run = [&] { derive(work, theta, batch(x, y), quantities...); };
    std::vector<bench::contender> const both{{"1", run, 1}, {"2", run, 2}};
    auto const times = bench::compare(both, 4 * options.seconds);
    for (std::size_t i = 0; i < 2; ++i) bench::print_growth(task + " " + p.name, "threads", i + 1, times[i]);
  };
  time("gradient", loss_value, gradient);
  time("kfac", kfac<expand>);
  time("ggn_gram", ggn);
}

}  // namespace

int main(int count, char** arguments) {
  bench::growth_options const options(count, arguments);
  of_network<small>(options, bench::small());
  of_network<large>(options, bench::large());
}
