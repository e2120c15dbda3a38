// refuses: hidden widths 8 and 9
// The product bound asked of a network whose hidden widths differ.
#include <kappa/declare.hpp>
#include <kappa/theory.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5> | dense<8, no_bias> | dense<9, no_bias> | dense<3, no_bias>> {};
#else
struct net : network<input<5> | dense<9, no_bias> | dense<9, no_bias> | dense<3, no_bias>> {};
#endif

double limit(vector<double> const& theta, theory::covariance const& data) {
  return theory::value_of<net>(theory::product_bound, theta, data);
}
