// ceiling: 45
// The U-Net: gradient and K-FAC.
#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "networks/u_net.hpp"

kappa::batch<float> data();

auto measured(std::span<float const> theta) {
  using namespace kappa;
  auto const q = derive<networks::pixel_classes>(theta, data(), gradient, kfac<automatic>);
  return q[gradient].size() + q[kfac<automatic>].size();
}
