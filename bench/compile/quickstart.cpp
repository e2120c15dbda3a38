// ceiling: 20
// What the first user compiles: gradient, GGN and K-FAC of a 784-128-10 network.
#include <kappa/kappa.hpp>

#include <vector>

namespace {
using namespace kappa;
struct mlp : network<input<784> | dense<128> | act::relu | dense<10>> {};
struct digits : objective<mlp, cross_entropy> {};
}  // namespace

int main() {
  auto const theta = initialise<mlp, float>(7);
  std::vector<float> const images(32 * 784);
  std::vector<int> const labels(32);
  auto const q = derive<digits>(theta, batch(images, labels), loss_value, gradient, ggn, kfac<expand>);
  return static_cast<int>(q[gradient].size() + q[ggn].size() + q[kfac<expand>].size());
}
