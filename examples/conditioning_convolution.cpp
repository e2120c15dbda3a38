// Chains of linear convolutions: the exact condition number with shared weights, and when it breaks down.
// Quoted by docs/conditioning/convolution.md. Returns 1 when a statement is violated.

#include <cmath>
#include <cstdio>
#include <vector>

#include <kappa/tensor/random.hpp>
#include <kappa/theory/convolution.hpp>

namespace {

using namespace kappa;

theory::convolution_filters gaussian(std::size_t outputs, std::size_t inputs, std::size_t taps,
                                     counter_random& random) {
  theory::convolution_filters w{outputs, inputs, taps, {}};
  for (std::size_t i = 0; i < outputs * inputs * taps; ++i)
    w.weights.push_back(random.normal() / std::sqrt(static_cast<double>(inputs * taps)));
  return w;
}

bool chain_of_two() {
  counter_random random(2);
  auto inputs = zeros<double>(200, 36);  // one channel of 36 positions
  for (double& x : elements(inputs)) x = random.normal();
  auto const first = gaussian(4, 1, 7, random), second = gaussian(4, 4, 7, random);
  // [chain]
  theory::linear_convolution_chain const chain({first, second}, 36);  // filters [out, in, taps]; 36 positions
  theory::convolution_gauss_newton const g(chain, theory::covariance_of(inputs));
  double const exact = theory::exact_convolution(g).value;  // order m_L m_0 R = 52: the length does not matter
  double const limit = theory::kernel_bound(g).value;       // κ(C) κ(Σ F Fᵀ)
  double const top = theory::symbol_top_bound(g).value;     // of the largest eigenvalue
  // [/chain]
  double const largest = g.eigenvalues()(0);
  std::printf("4 filters of 7 taps: kappa %.4g <= %.4g; largest eigenvalue %.4g <= %.4g\n", exact, limit, largest, top);
  return exact <= limit && largest <= top;
}

bool shared_root() {
  std::printf("two filters, roots 1/2 and 1/2 - gap:\n");
  bool good = true;
  for (double gap : {0.5, 0.1, 0.01}) {
    // [sylvester]
    std::vector<double> const first{-0.5, 1}, second{-0.5 + gap, 1};  // the polynomials z - 1/2 and z - 1/2 + gap
    auto const s = theory::sylvester_matrix(second, first);           // [3, 4]: G has rank 3 unless they share a root
    // [/sylvester]
    theory::linear_convolution_chain const chain({{1, 1, 2, first}, {1, 1, 2, second}}, 16);
    auto const gram = lapack::symmetric_eigenvalues(lapack::gram(s));  // S'S, the non-zero eigenvalues of S S'
    auto const e = lapack::symmetric_eigenvalues(chain.kernel_gram());
    std::printf("  gap %5.2f: kappa %.4g\n", gap, gram(0) / gram(2));
    good = good && std::abs(e(2) / gram(2) - 1) < 1e-6;
  }
  return good;
}

}  // namespace

int main() {
  bool const good = chain_of_two();
  return shared_root() && good ? 0 : 1;
}
