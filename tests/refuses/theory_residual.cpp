// refuses: \+ at node 3:
// A residual around two layers is not one layer a W + b I.
#include <kappa/declare.hpp>
#include <kappa/theory.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5> | residual(dense<5, no_bias> | dense<5, no_bias>)> {};
#else
struct net : network<input<5> | residual(dense<5, no_bias>) | residual(dense<5, no_bias>)> {};
#endif

double limit(vector<double> const& theta, theory::covariance const& data) {
  return theory::value_of<net>(theory::eq_7, theta, data);
}
