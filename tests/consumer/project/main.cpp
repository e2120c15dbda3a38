// What a project outside does: declares its own network, derives, solves.

#include <cstdio>
#include <kappa/kappa.hpp>
#include <vector>

using namespace kappa;

struct net : network<input<4> | dense<8> | act::tanh | dense<3>> {};
struct goal : objective<net, cross_entropy> {};
static_assert(net::parameter_count == 67);

int main() {
  auto const theta = initialise<net, float>(1);
  std::vector<float> const x{1, 0, 0, 1, 0, 1, 1, 0};
  std::vector<int> const y{0, 2};
  auto const q = derive<goal>(theta, batch(x, y), loss_value, gradient, ggn);
  auto const step = solve(q[ggn] + 0.1 * identity, q[gradient]);
  double slope = 0;
  for (std::size_t i = 0; i < step.size(); ++i)
    slope += static_cast<double>(step(i)) * static_cast<double>(q[gradient][i]);
  std::printf("kappa %d.%d.%d: loss %.4f, slope along the Newton step %.4g\n", version::major, version::minor,
              version::patch, q[loss_value], slope);
  return slope > 0 ? 0 : 1;
}
