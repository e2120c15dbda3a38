// One hidden layer with ReLU: the exact condition number of the Gauss-Newton matrix, its bounds, and what width does.
// Quoted by docs/conditioning/relu.md. Returns 1 when a bound is violated.

#include <cstdio>

#include <kappa/declare.hpp>
#include <kappa/tensor/random.hpp>
#include <kappa/theory/relu_network.hpp>

namespace {

using namespace kappa;

// [network]
struct classifier : network<input<40> | dense<100, no_bias> | act::relu | dense<3, no_bias>> {};
struct leaky : network<input<40> | dense<100, no_bias> | act::leaky<3, 10> | dense<3, no_bias>> {};

static_assert(theory::relu_network<classifier> && theory::relu_layers_of<leaky>.slope == 0.3);
// [/network]

template <class Net>
bool report(char const* title) {
  counter_random random(1);
  auto theta = zeros<double>(static_cast<std::size_t>(Net::parameter_count));
  for (double& t : elements(theta)) t = 0.2 * random.normal();
  auto inputs = zeros<double>(30, 40);
  for (double& x : elements(inputs)) x = random.normal();
  // [statements]
  theory::relu_gauss_newton<Net> const g(theta, inputs);          // inputs [n, d]; the kernel matrix, of order n k
  double const exact = theory::exact_relu(g).value;               // over its non-zero eigenvalues
  double const published = theory::relu_bound(g).value;           // never below
  double const by_samples = theory::relu_sample_bound(g).value;   // never above `published`
  double const floor = theory::relu_sample_lower_bound(g).value;  // never above `exact`
  // [/statements]
  std::printf("%s: %.4g <= %.4g <= %.4g <= %.4g\n", title, floor, exact, by_samples, published);
  return floor <= exact && exact <= by_samples && by_samples <= published;
}

bool slopes() {
  std::printf("%6s %10s %10s %10s %10s %10s\n", "slope", "exact", "by samples", "published", "Frobenius", "m -> inf");
  bool good = true;
  for (double slope : {0.0, 0.1, 0.3, 0.5, 1.0}) {
    // [table]
    theory::relu_sizes const sizes{.samples = 100, .inputs = 600, .hidden = 200, .outputs = 5};
    theory::relu_row const row = theory::relu_at_initialisation(sizes, slope, 1);  // He's weights, whitened data
    // [/table]
    std::printf("%6.1f %10.4g %10.4g %10.4g %10.4g %10.4g\n", row.slope, row.exact, row.sample_bound, row.bound,
                row.norm_bound, row.width_limit);
    good = good && row.exact <= row.sample_bound * (1 + 1e-12);
  }
  return good;
}

}  // namespace

int main() {
  bool good = report<classifier>("ReLU");
  good = report<leaky>("leaky ReLU, slope 0.3") && good;
  return slopes() && good ? 0 : 1;
}
