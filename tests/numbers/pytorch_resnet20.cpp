// ResNet-20, beside PyTorch.

#include "../../examples/networks/resnet.hpp"
#include "networks_by_pytorch.hpp"

using namespace kappa;

TEST_CASE("by PyTorch: resnet20") {
  auto const x = by_pytorch::wave(2 * 32 * 32 * 3);
  std::vector<int> const y{0, 7};
  by_pytorch::check<networks::resnet20_classes>("resnet20", by_pytorch::parameters<networks::resnet20>(), batch(x, y));
}
