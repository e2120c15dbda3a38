// refuses: circular_pad. pads circularly
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | circular_pad<9, 2> | dense<2>> {};
#else
struct net : network<input<8, 4> | circular_pad<8, 2> | dense<2>> {};
#endif
