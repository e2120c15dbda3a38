#pragma once
/// \file
/// Random instances of small networks, and how far K-FAC is from the Gauss-Newton matrix on them.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/derive/initialise.hpp>

namespace sharing_study {

using namespace kappa;

/// Parameters, inputs of the given mean and variance 1, targets and labels.
template <objective_type Objective>
struct instance {
  using net = typename Objective::network;
  vector<double> theta;
  std::vector<double> inputs, targets;
  std::vector<int> labels;
  std::vector<unsigned char> mask;
  std::vector<double> adjacency;

  instance(std::size_t samples, std::uint64_t seed, double mean = 0.5)
      : theta(initialise<net, double>(seed, 1.0)),
        inputs(samples * static_cast<std::size_t>(net::input_shape.size())),
        targets(samples * static_cast<std::size_t>(Objective::terms * Objective::target_size)),
        labels(samples * static_cast<std::size_t>(Objective::terms)) {
    counter_random random(seed, 1000);
    for (double& x : inputs) x = mean + random.normal();
    for (double& y : targets) y = random.normal();
    for (int& y : labels) y = static_cast<int>(random.below(static_cast<std::uint64_t>(Objective::outputs)));
    for (parameter const& w : net::parameters)  // biases begin at 0, which would be too tame
      for (int i = w.weight_size(); i < w.size(); ++i)
        theta(static_cast<std::size_t>(w.offset + i)) = 0.3 * random.normal();
  }
  batch<double> data() const {
    auto b = Objective::loss::takes_labels ? batch<double>(inputs, labels) : batch<double>(inputs, targets);
    b.side.mask = mask;
    b.side.adjacency = adjacency;
    return b;
  }
};

/// ‖K - G‖ / ‖G‖ in the Frobenius norm, for the block of each parameter.
template <network_type Net>
std::vector<double> block_errors(matrix<double> const& k, matrix<double> const& g) {
  std::vector<double> all;
  for (parameter const& p : Net::parameters) {
    double difference = 0, norm = 0;
    for (auto i = static_cast<std::size_t>(p.offset); i < static_cast<std::size_t>(p.offset + p.size()); ++i)
      for (auto j = static_cast<std::size_t>(p.offset); j < static_cast<std::size_t>(p.offset + p.size()); ++j) {
        difference += (k(i, j) - g(i, j)) * (k(i, j) - g(i, j));
        norm += g(i, j) * g(i, j);
      }
    all.push_back(std::sqrt(difference / norm));
  }
  return all;
}

/// Reduce is measured where it does not belong, too: `kfac<reduce>` would not compile there.
struct layer_errors {
  std::vector<double> expand, reduce;
};
// [errors]
template <objective_type Objective>
layer_errors errors_of(instance<Objective> const& at) {
  auto const q = derive<Objective>(at.theta, at.data(), ggn, kfac<expand>, kfac<reduce_unaggregated>);
  auto const g = to_dense(q[ggn]);
  using net = typename Objective::network;
  return {block_errors<net>(to_dense(q[kfac<expand>]), g),
          block_errors<net>(to_dense(q[kfac<reduce_unaggregated>]), g)};
}
// [/errors]

}  // namespace sharing_study
