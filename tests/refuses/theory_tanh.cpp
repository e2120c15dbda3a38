// refuses: tanh at node 2: Eq\. \(7\)
// A bound for linear networks asked of one that is not.
#include <kappa/declare.hpp>
#include <kappa/theory.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5> | dense<8, no_bias> | act::tanh | dense<3, no_bias>> {};
#else
struct net : network<input<5> | dense<8, no_bias> | act::identity | dense<3, no_bias>> {};
#endif

double limit(vector<double> const& theta, theory::covariance const& data) {
  return theory::value_of<net>(theory::eq_7, theta, data);
}
