// refuses: this quantity was not derived: add it to the list of quantities that derive is given
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

using namespace kappa;

struct net : network<input<3> | dense<2>> {};
struct goal : objective<net, cross_entropy> {};

int main() {
  auto const theta = initialise<net, float>(1);
  std::vector<float> const x(3);
  std::vector<int> const y(1);
#ifndef CORRECTED
  auto const q = derive<goal>(theta, batch(x, y), loss_value);
#else
  auto const q = derive<goal>(theta, batch(x, y), loss_value, gradient);
#endif
  return static_cast<int>(q[gradient].size());
}
