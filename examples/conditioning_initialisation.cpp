// Condition numbers at random initialisation: what is known before a weight is drawn.
// Quoted by docs/conditioning/initialisation.md. Returns 1 when a law is missed.

#include <cmath>
#include <cstdio>
#include <vector>

#include <kappa/tensor/random.hpp>
#include <kappa/theory/bounds.hpp>
#include <kappa/theory/initialisation.hpp>
#include <kappa/theory/lyapunov.hpp>

namespace {

using namespace kappa;

matrix<double> gaussian(std::size_t rows, std::size_t columns, double variance, counter_random& random) {
  auto m = zeros<double>(rows, columns);
  for (double& x : elements(m)) x = std::sqrt(variance) * random.normal();
  return m;
}

theory::small_gauss_newton drawn(theory::gaussian_chain const& c, std::uint64_t seed) {
  counter_random random(seed);
  std::vector<matrix<double>> layers;
  for (std::size_t l = 0; l < c.layers; ++l) {
    bool const first = l == 0, last = l + 1 == c.layers;
    layers.push_back(gaussian(last ? c.outputs : c.hidden, first ? c.inputs : c.hidden,
                              first  ? c.first_variance
                              : last ? c.last_variance
                                     : c.middle_variance,
                              random));
  }
  auto white = zeros<double>(c.inputs, c.inputs);
  for (std::size_t i = 0; i < c.inputs; ++i) white(i, i) = 1;
  std::vector<double> const gains(c.layers, 1.0);
  return {layers, gains, theory::covariance(white)};
}

}  // namespace

int main() {
  bool good = true;
  // [laws]
  theory::gaussian_chain const chain = theory::kaiming(20, 400, 10, 3);   // d, m, k, L
  double const kappa = theory::wide_limit(chain, true).condition_number;  // to first order in the width
  double const seven = theory::eq_7_limit(chain).value;                   // what Eq. (7) tends to
  double const growth = theory::lyapunov_slope(chain).value;              // of log κ per layer, at great depth
  auto const sure = theory::random_matrix_bound(theory::kaiming(20, 400, 10, 2), 3);  // one hidden layer
  // [/laws]
  auto const g = drawn(chain, 1);
  double const eq_7 = theory::eq_7_t::value(g), exact = g.condition_number();
  std::printf("kappa %.3f (wide limit %.3f), Eq. (7) %.3f (limit %.3f), slope %.4f\n", exact, kappa, eq_7, seven,
              growth);
  good = good && std::abs(exact / kappa - 1) < 0.3 && eq_7 <= 1.05 * seven;

  double const one_hidden = drawn(theory::kaiming(20, 400, 10, 2), 2).condition_number();
  std::printf("one hidden layer: %.3f <= %.3f with probability %.3f\n", one_hidden, sure.value, sure.probability);
  good = good && one_hidden <= sure.value;

  // [spectra]
  std::vector<double> const data{4, 2, 1}, product{3, 2, 0.5};
  auto const balanced = theory::balanced_spectrum(product, 4, 3, data);  // 4 layers, 3 outputs: all 9 eigenvalues
  // [/spectra]
  std::printf("balanced, four layers: %.4g ... %.4g\n", balanced(0), balanced(8));
  return good ? 0 : 1;
}
