// refuses: a second input
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<32> | input<32> | dense<10>> {};
#else
struct net : network<input<64> | dense<32> | dense<10>> {};
#endif
