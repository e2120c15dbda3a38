// ceiling: 45
// ResNet-20: gradient and K-FAC.
#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "networks/resnet.hpp"

kappa::batch<float> data();

auto measured(std::span<float const> theta) {
  using namespace kappa;
  auto const q = derive<networks::resnet20_classes>(theta, data(), gradient, kfac<automatic>);
  return q[gradient].size() + q[kfac<automatic>].size();
}
