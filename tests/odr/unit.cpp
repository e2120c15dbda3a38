// Compiled twice, as UNIT = baseline and UNIT = avx2; each computes the same thing with its own code.
#include <everything.hpp>

#include <vector>

#define KAPPA_TEXT_OF(name) #name
#define KAPPA_TEXT(name) KAPPA_TEXT_OF(name)

// Shared by both units on purpose: the same types, so the same symbols but for the architecture.
struct net : kappa::network<kappa::input<3, 4> | kappa::dense<9> | kappa::act::gelu | kappa::mean_over_positions |
                            kappa::dense<3>> {};
struct goal : kappa::objective<net, kappa::cross_entropy> {};

namespace UNIT {

char const* architecture() { return KAPPA_TEXT(KAPPA_ARCH); }

double work() {
  auto const theta = kappa::initialise<net, double>(5);
  std::vector<double> x(7 * 12, 0.5);
  std::vector<int> y(7, 1);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += 0.125 * static_cast<double>(i % 11);
  auto const q = kappa::derive<goal>(theta, kappa::batch(x, y), kappa::loss_value, kappa::gradient, kappa::ggn,
                                     kappa::kfac<kappa::expand, kappa::monte_carlo<2>>(3));
  auto const step = kappa::solve(q[kappa::ggn] + 0.1 * kappa::identity, q[kappa::gradient]);
  double sum = q[kappa::loss_value];
  for (double v : kappa::elements(step)) sum += v * v;
  return sum;
}

}  // namespace UNIT
