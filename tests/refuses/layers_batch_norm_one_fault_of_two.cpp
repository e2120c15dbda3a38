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
  derive<goal<statistics::of_the_batch>>(theta, batch(x, y), ggn_from<exact, groups<0, 1>>, kfac<reduce>);
#else
  derive<goal<statistics::of_the_batch>>(theta, batch(x, y), ggn_vector_product(theta));
#endif
}
