// What batch normalisation does to the condition number of the Gauss-Newton matrix, exactly.
// Quoted by docs/conditioning/batch_norm.md. Returns 1 when normalisation does not help on data with a mean.

#include <cmath>
#include <cstdio>
#include <vector>

#include <kappa/tensor/random.hpp>
#include <kappa/theory/batch_norm.hpp>

namespace {

using namespace kappa;

matrix<double> gaussian(std::size_t rows, std::size_t columns, double deviation, std::uint64_t seed) {
  counter_random random(seed);
  auto m = zeros<double>(rows, columns);
  for (double& x : elements(m)) x = deviation * random.normal();
  return m;
}

}  // namespace

int main() {
  std::size_t const d = 16, m = 100, k = 4, n = 400;
  bool good = true;
  for (double mean : {0.0, 3.0}) {
    auto inputs = gaussian(n, d, 1, 1);
    for (std::size_t q = 0; q < n; ++q)
      for (std::size_t j = 0; j < d; ++j)
        inputs(q, j) = mean + inputs(q, j) * std::pow(50, -static_cast<double>(j) / 30);
    auto const hidden = gaussian(m, d, 1 / std::sqrt(16.0), 2), output = gaussian(k, m, 0.1, 3);
    // [batch_norm]
    theory::batch_norm_network const net{.output_weight = output, .hidden_weight = hidden};  // W [k, m], V [m, d]
    theory::batch_norm_gauss_newton const normalised(net, inputs);                           // through the statistics
    double const with = theory::exact_batch_norm(normalised).value;
    // [/batch_norm]
    std::vector<double> const gains{1, 1};
    theory::small_gauss_newton const plain({hidden, output}, gains, theory::covariance_of(inputs));
    std::printf("mean %.0f: kappa of the data %.4g, centred %.4g; of G without normalisation %.4g, with %.4g\n", mean,
                theory::covariance_of(inputs).condition_number(), normalised.data().condition_number(),
                plain.condition_number(), with);
    good = good && with < plain.condition_number();
  }
  return good ? 0 : 1;
}
