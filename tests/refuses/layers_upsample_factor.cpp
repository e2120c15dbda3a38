// refuses: upsample. wants factors
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4, 2> | upsample<2, 0> | dense<2>> {};
#else
struct net : network<input<8, 4, 2> | upsample<2, 1> | dense<2>> {};
#endif
