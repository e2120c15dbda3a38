#pragma once

#include <cmath>
#include <cstdint>

#include <kappa/shapes/network.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::inline KAPPA_ARCH {

/// Random parameters [P]: weights normal with variance gain² / fan_in (He et al. 2015 with gain √2), biases 0; the
/// parameters of other layers as those say, a norm's scale 1 and its shift 0.
/// The same for a seed on every machine and for every scalar type up to rounding.
template <network_type Network, real T>
vector<T> initialise(std::uint64_t seed, double gain = 1.4142135623730951) {
  auto theta = zeros<T>(static_cast<std::size_t>(Network::parameter_count));
  for (std::size_t p = 0; p < Network::parameters.size(); ++p) {
    parameter const& w = Network::parameters[p];
    counter_random random(seed, p);
    if (w.layer != nullptr) {
      for (node const& n : Network::nodes) {
        if (n.parameter != static_cast<int>(p)) continue;
        shape const& in = Network::nodes[static_cast<std::size_t>(n.a)].out;
        for (int i = 0; i < w.size(); ++i) {
          double const deviation = w.layer->initial_deviation(in, n.set, i);
          theta(static_cast<std::size_t>(w.offset + i)) =
              static_cast<T>(w.layer->initial_mean(in, n.set, i) + (deviation != 0 ? deviation * random.normal() : 0));
        }
        break;
      }
      continue;
    }
    double const deviation = gain / std::sqrt(static_cast<double>(w.inputs));
    for (int i = 0; i < w.weight_size(); ++i)
      theta(static_cast<std::size_t>(w.offset + i)) = static_cast<T>(deviation * random.normal());
  }
  return theta;
}

}  // namespace kappa::inline KAPPA_ARCH
