// Residual connections: weak ones do nothing at initialisation, strong ones leave the data's condition number.
// Quoted by docs/conditioning/residual.md. Returns 1 when a statement is violated.

#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include <kappa/tensor/random.hpp>
#include <kappa/theory/bounds.hpp>
#include <kappa/theory/residual.hpp>

int main() {
  using namespace kappa;
  std::vector<matrix<double>> layers;
  counter_random random(1);
  std::size_t const widths[] = {10, 60, 60, 60, 10};
  for (std::size_t l = 0; l < 4; ++l) {
    auto w = zeros<double>(widths[l + 1], widths[l]);
    for (double& x : elements(w)) x = random.normal() / std::sqrt(60.0);
    layers.push_back(std::move(w));
  }
  auto sigma = zeros<double>(10, 10);
  for (std::size_t i = 0; i < 10; ++i) sigma(i, i) = 1;
  theory::covariance const data(sigma);
  std::printf("%6s %10s %10s %12s %10s\n", "beta", "kappa", "Eq. (7)", "norm bound", "log ratio");
  bool good = true;
  double plain = 0;
  for (double beta : {0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 20.0}) {
    // [chain]
    theory::residual_chain const chain(layers, beta, data);  // W^l + β I, W^l [outputs, inputs]
    double const exact = chain.gauss_newton().condition_number();
    double const seven = theory::eq_7_t::value(chain.gauss_newton());
    double const norms = theory::residual_norm_bound(chain).value;  // finite when β exceeds every ‖W^l‖
    double const spread = theory::residual_spread(beta).value;      // of log κ, relative to β = 0, when wide
    // [/chain]
    if (beta == 0) plain = std::log(exact);
    std::printf("%6.2f %10.4g %10.4g %12.4g %6.3f (%.3f)\n", beta, exact, seven, norms, std::log(exact) / plain,
                spread);
    good = good && exact <= seven * (1 + 1e-12) && seven <= norms * (1 + 1e-12);
  }
  return good ? 0 : 1;
}
