// ceiling: 45
// The graph network: gradient and K-FAC.
#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "networks/graph_network.hpp"

kappa::batch<float> data();

auto measured(std::span<float const> theta) {
  using namespace kappa;
  auto const q = derive<networks::graph_property>(theta, data(), gradient, kfac<automatic>);
  return q[gradient].size() + q[kfac<automatic>].size();
}
