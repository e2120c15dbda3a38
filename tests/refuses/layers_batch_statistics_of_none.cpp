// refuses: batch_statistics wants a network with a
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<4> | dense<3> | layer_norm<> | dense<2>> {};
#else
struct net : network<input<4> | dense<3> | batch_norm<statistics::frozen> | dense<2>> {};
#endif

int main() {
  auto const theta = initialise<net, float>(1);
  std::vector<float> const x(16);
  batch_statistics<net>(theta, batch(x, std::vector<int>(4)));
}
