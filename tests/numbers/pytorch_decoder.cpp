// A GPT-like decoder, beside PyTorch.

#include "../../examples/networks/decoder.hpp"
#include "networks_by_pytorch.hpp"

using namespace kappa;

TEST_CASE("by PyTorch: decoder") {
  std::vector<double> tokens;
  std::vector<int> next;
  for (int i = 0; i < 2 * 16; ++i) {
    int const token = 7 * i % 27;
    tokens.push_back(token);
    next.push_back((5 * token + 1) % 27);
  }
  by_pytorch::check<networks::next_character>("decoder", by_pytorch::parameters<networks::decoder>(),
                                              batch(tokens, next));
}
