// refuses: kappa: forward_only has no vectors
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
  auto const q = derive<goal>(theta, batch(x, y), ekfac<expand, forward_only>);
#else
  auto const q = derive<goal>(theta, batch(x, y), kfac<expand, forward_only>);
#endif
  return static_cast<int>(q.samples());
}
