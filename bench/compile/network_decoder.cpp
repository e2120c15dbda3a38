// ceiling: 45
// The decoder: gradient and K-FAC.
#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "networks/decoder.hpp"

kappa::batch<float> data();

auto measured(std::span<float const> theta) {
  using namespace kappa;
  auto const q = derive<networks::next_character>(theta, data(), gradient, kfac<automatic>);
  return q[gradient].size() + q[kfac<automatic>].size();
}
