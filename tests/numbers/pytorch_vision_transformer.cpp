// A vision transformer, beside PyTorch.

#include "../../examples/networks/vision_transformer.hpp"
#include "networks_by_pytorch.hpp"

using namespace kappa;

TEST_CASE("by PyTorch: vision_transformer") {
  auto const x = by_pytorch::wave(2 * 28 * 28);
  std::vector<int> const y{0, 7};
  by_pytorch::check<networks::vision_transformer_classes>(
      "vision_transformer", by_pytorch::parameters<networks::vision_transformer>(), batch(x, y));
}
