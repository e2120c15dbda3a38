// refuses: `reduce` of a network that
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

using namespace kappa;

struct net : network<input<5, 3> | dense<4> | act::tanh | dense<2>> {};
struct tokens : objective<net, cross_entropy> {};

int main() {
  auto const theta = initialise<net, float>(1);
  std::vector<float> const x(15);
  std::vector<int> const y(5);
#ifndef CORRECTED
  auto const q = derive<tokens>(theta, batch(x, y), gradient, kfac<reduce>);
#else
  auto const q = derive<tokens>(theta, batch(x, y), gradient, kfac<expand>, kfac<automatic>, kfac<reduce_unaggregated>);
#endif
  return static_cast<int>(q.samples());
}
