// refuses: kappa: KFRA is for a chain of dense layers and activations
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<3, 2> | dense<2> | mean_over_positions> {};
#else
struct net : network<input<6> | dense<2> | act::tanh | dense<2>> {};
#endif
struct goal : objective<net, cross_entropy> {};

int main() {
  auto const theta = initialise<net, double>(1);
  std::vector<double> const x(6);
  std::vector<int> const y(1);
  return static_cast<int>(kfra<goal, double>(theta, batch(x, y)).size());
}
