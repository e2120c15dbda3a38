// refuses: slope between 0 and 1
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<32> | act::leaky<3, 2> | dense<10>> {};
#else
struct net : network<input<64> | dense<32> | act::leaky<2, 3> | dense<10>> {};
#endif
