// refuses: tied weight .E. has 1 bias
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<64, "E"> | act::tanh | dense<64, "E", no_bias>> {};
#else
struct net : network<input<64> | dense<64, "E"> | act::tanh | dense<64, "E">> {};
#endif
