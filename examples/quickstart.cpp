// One network, one call, and the curvature as operators.

// [quickstart]
#include <cstdio>
#include <kappa/kappa.hpp>
#include <vector>

using namespace kappa;

struct mlp : network<input<784> | dense<128> | act::relu | dense<10>> {};
struct digits : objective<mlp, cross_entropy> {};
static_assert(mlp::parameter_count == 101'770);  // known before anything runs
// struct bad : network<input<64> | (id + dense<32>)> {};  does not compile: widths 64 and 32 meet at `+`, node 2

int main() {
  auto const theta = initialise<mlp, float>(7);
  std::vector<float> images(32 * 784);  // any contiguous array will do
  std::vector<int> labels(32);
  counter_random random(1);
  for (float& v : images) v = static_cast<float>(random.normal());
  for (int& v : labels) v = static_cast<int>(random.below(10));

  auto const q = derive<digits>(theta, batch(images, labels), loss_value, gradient, ggn, kfac<expand>);  // one sweep

  auto const newton = solve(q[ggn] + 0.1 * identity, q[gradient]);            // low rank + λI: Woodbury
  auto const natural = solve(q[kfac<expand>] + 0.1 * identity, q[gradient]);  // Kronecker + λI: two eigenbases
  auto const spectrum = eigenvalues(q[ggn]);                                  // all 32 · 9, from the Gram matrix
  std::printf("loss %.4f, %zu eigenvalues from %.3g to %.3g\n", q[loss_value], spectrum.size(),
              static_cast<double>(spectrum(0)), static_cast<double>(spectrum(spectrum.size() - 1)));
  std::printf("steps along the first parameter: Newton %.3g, K-FAC %.3g\n", static_cast<double>(newton(100'000)),
              static_cast<double>(natural(100'000)));
}
// [/quickstart]
