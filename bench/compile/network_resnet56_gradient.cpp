// ceiling: 45
// ResNet-56's gradient: within twice ResNet-20's.
#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "networks/resnet.hpp"

namespace networks {
struct resnet56 : resnet_of<9> {};
struct resnet56_classes : objective<resnet56, cross_entropy> {};
}  // namespace networks

kappa::batch<float> data();

auto measured(std::span<float const> theta) {
  using namespace kappa;
  auto const q = derive<networks::resnet56_classes>(theta, data(), gradient);
  return q[gradient].size();
}
