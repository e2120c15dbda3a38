// refuses: kappa: the third argument of kfac_optimiser is a K-FAC, as kfac<reduce, monte_carlo<1>>
#include <kappa/declare.hpp>
#include <kappa/methods/kfac_optimiser.hpp>

using namespace kappa;
struct net : network<input<2> | dense<3>> {};
struct fit : objective<net, squared_error> {};

#ifndef CORRECTED
kfac_optimiser<fit, double, ggn> optimiser(4);
#else
kfac_optimiser<fit, double, kfac<reduce, monte_carlo<1>>> optimiser(4);
#endif

int main() {}
