// refuses: batch_norm., node 2, couples
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
#ifndef CORRECTED
  return theta.size() + explain<goal<statistics::of_the_batch>>(gradient_variance).text.size() > 0 ? 0 : 1;
#else
  return theta.size() + explain<goal<statistics::of_the_batch>>(gradient).text.size() > 0 ? 0 : 1;
#endif
}
