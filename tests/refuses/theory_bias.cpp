// refuses: dense at node 1 has a bias
#include <kappa/declare.hpp>
#include <kappa/theory.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5> | dense<8> | dense<3, no_bias>> {};
#else
struct net : network<input<5> | dense<8, no_bias> | dense<3, no_bias>> {};
#endif

double exact(vector<double> const& theta, matrix<double> const& inputs) {
  return theory::condition_report<net>(theta, inputs).exact;
}
