// ceiling: 45
// ResNet-20's gradient, to hold ResNet-56's against.
#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "networks/resnet.hpp"

kappa::batch<float> data();

auto measured(std::span<float const> theta) {
  using namespace kappa;
  auto const q = derive<networks::resnet20_classes>(theta, data(), gradient);
  return q[gradient].size();
}
