// A graph network on graphs of 12 and 9 nodes, beside PyTorch.

#include "../../examples/networks/graph_network.hpp"
#include "networks_by_pytorch.hpp"

using namespace kappa;

TEST_CASE("by PyTorch: graph_network") {
  auto const x = by_pytorch::wave(2 * 12 * 8);
  std::vector<double> const y{0.5, -1};
  std::vector<double> adjacency(2 * 12 * 12);
  std::vector<unsigned char> mask(2 * 12);
  for (int n = 0; n < 2; ++n) {
    int const nodes = n == 0 ? 12 : 9;
    auto const edge = [&](int i, int j) {
      for (int at : {i * 12 + j, j * 12 + i}) adjacency[static_cast<std::size_t>(n * 144 + at)] = 1;
    };
    for (int i = 0; i < nodes; ++i) edge(i, (i + 1) % nodes);
    edge(0, nodes / 2);
    for (int i = 0; i < nodes; ++i) mask[static_cast<std::size_t>(n * 12 + i)] = 1;
  }
  batch<double> data(x, y);
  data.side.mask = mask;
  data.side.adjacency = adjacency;
  by_pytorch::check<networks::graph_property>("graph_network", by_pytorch::parameters<networks::graph_network>(), data);
}
