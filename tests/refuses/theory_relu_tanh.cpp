// refuses: tanh at node 2: the ReLU
// The kernel matrix of ReLU networks asked of another activation.
#include <kappa/declare.hpp>
#include <kappa/theory/relu_network.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5> | dense<8, no_bias> | act::tanh | dense<3, no_bias>> {};
#else
struct net : network<input<5> | dense<8, no_bias> | act::relu | dense<3, no_bias>> {};
#endif

double limit(theory::relu_gauss_newton<net> const& g) { return theory::relu_bound(g).value; }
