// refuses: positive denominator
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | scale<1, 0> | dense<10>> {};
#else
struct net : network<input<64> | scale<1, 2> | dense<10>> {};
#endif
