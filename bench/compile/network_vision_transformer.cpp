// ceiling: 45
// The vision transformer: gradient and K-FAC.
#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "networks/vision_transformer.hpp"

kappa::batch<float> data();

auto measured(std::span<float const> theta) {
  using namespace kappa;
  auto const q = derive<networks::vision_transformer_classes>(theta, data(), gradient, kfac<automatic>);
  return q[gradient].size() + q[kfac<automatic>].size();
}
