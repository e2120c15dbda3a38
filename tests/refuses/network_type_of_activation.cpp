// refuses: is not a term of a network
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<32> | activations::tanh{} | dense<10>> {};
#else
struct net : network<input<64> | dense<32> | act::tanh | dense<10>> {};
#endif
