// refuses: low_rank is singular: add damping
#include <vector>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

using namespace kappa;

struct net : network<input<3> | dense<2>> {};
struct goal : objective<net, cross_entropy> {};

int main() {
  auto const theta = initialise<net, float>(1);
  std::vector<float> const x(3);
  std::vector<int> const y(1);
  auto const q = derive<goal>(theta, batch(x, y), gradient, ggn);
#ifndef CORRECTED
  auto const step = solve(q[ggn], q[gradient]);
#else
  auto const step = solve(q[ggn] + 0.1 * identity, q[gradient]);
#endif
  return static_cast<int>(step.size());
}
