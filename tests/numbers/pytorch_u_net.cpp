// A U-Net, beside PyTorch.

#include "../../examples/networks/u_net.hpp"
#include "networks_by_pytorch.hpp"

using namespace kappa;

TEST_CASE("by PyTorch: u_net") {
  auto const x = by_pytorch::wave(2 * 16 * 16);
  std::vector<int> y;
  for (int i = 0; i < 2 * 16 * 16; ++i) y.push_back(i / 3 % 2);
  by_pytorch::check<networks::pixel_classes>("u_net", by_pytorch::parameters<networks::u_net>(), batch(x, y));
}
