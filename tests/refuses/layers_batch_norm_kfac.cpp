// refuses: batch_norm., node 2, couples
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

template <statistics From>
struct net : network<input<4, 2> | dense<3> | batch_norm<From> | flatten | dense<2>> {};
template <statistics From>
struct goal : objective<net<From>, cross_entropy> {};

int main() {
  auto const theta = initialise<net<statistics::frozen>, float>(1);
  std::vector<float> const x(16);
  std::vector<int> const y(2);
#ifndef CORRECTED
  auto work = workspace_for<goal<statistics::of_the_batch>, float>(2, gradient, kfac<expand>);
  derive(work, theta, batch(x, y), gradient, kfac<expand>);
#else
  auto work = workspace_for<goal<statistics::of_the_batch>, float>(2, gradient);
  derive(work, theta, batch(x, y), gradient);
#endif
}
