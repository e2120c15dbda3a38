#pragma once
/// \file
/// Stochastic Lanczos quadrature: the eigenvalue density of any symmetric operator, and traces of its functions.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <kappa/spectrum/estimate.hpp>
#include <kappa/spectrum/lanczos.hpp>

namespace kappa::inline KAPPA_ARCH {

/// Settings. Probe i depends on (seed, i) only. The quadrature of one probe is exact for polynomials of degree
/// 2 · steps - 1.
struct stochastic_lanczos {
  std::size_t probes = 10;
  std::size_t steps = 80;
  std::uint64_t seed = 0;
};

/// Gauss quadratures of the spectral measure, one a probe: nodes descending, weights that sum to one.
class spectral_density {
 public:
  struct quadrature {
    vector<double> nodes, weights;
  };
  explicit spectral_density(std::vector<quadrature> q) : probes(std::move(q)) {}

  std::vector<quadrature> const& quadratures() const { return probes; }

  /// (1/n) tr f(A) = (1/n) Σ f(λᵢ), with the standard error over the probes.
  template <class F>
  estimate mean(F&& f) const {
    std::vector<double> samples;
    for (auto const& q : probes) {
      double sum = 0;
      for (std::size_t i = 0; i < q.nodes.size(); ++i) sum += q.weights(i) * f(q.nodes(i));
      samples.push_back(sum);
    }
    return detail::mean_of(samples);
  }

  /// The density at t, every eigenvalue widened to a normal density of standard deviation sigma.
  /// \throws invalid_value when sigma is not positive.
  estimate at(double t, double sigma) const {
    if (!(sigma > 0)) throw invalid_value("spectral_density: sigma must be positive, came " + detail::number(sigma));
    auto const height = 0.3989422804014326779 / sigma;
    return mean([&](double x) { return height * std::exp(-(x - t) * (x - t) / (2 * sigma * sigma)); });
  }

 private:
  std::vector<quadrature> probes;
};

/// The eigenvalue density of `op` (Ghorbani, Krishnan and Xiao 2019; Golub and Welsch 1969), probes · steps products.
/// A probe whose Krylov space is exhausted early has fewer nodes and is exact for its vector.
/// \throws invalid_value for zero probes or steps, a size of 0, or a product that is not finite.
template <linear_operator Op>
spectral_density density_of(Op const& op, stochastic_lanczos const& method = {}) {
  using T = value_t<Op>;
  static_assert(detail::symmetric_v<Op>, "density_of takes symmetric operators: a product is not");
  auto const n = static_cast<std::size_t>(op.size());
  if (method.probes == 0 || method.steps == 0 || n == 0)
    throw invalid_value("density_of: came " + std::to_string(method.probes) + " probes, " +
                        std::to_string(method.steps) + " steps and an operator of size " + std::to_string(n));
  std::vector<spectral_density::quadrature> probes;
  for (std::size_t i = 0; i < method.probes; ++i) {
    detail::krylov_space<Op> space(op, detail::random_direction<T>(n, method.seed, i));
    do space.step();
    while (space.steps() < std::min(n, method.steps) && space.remainder() > 0);
    auto const ritz = space.ritz();
    auto weights = zeros<double>(ritz.values.size());
    for (std::size_t s = 0; s < weights.size(); ++s) weights(s) = ritz.vectors(s, 0) * ritz.vectors(s, 0);
    probes.push_back({ritz.values, std::move(weights)});
  }
  return spectral_density(std::move(probes));
}

}  // namespace kappa::inline KAPPA_ARCH
