// refuses: zero_pad. pads side 3 by -1
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | zero_pad<-1, 2> | dense<2>> {};
#else
struct net : network<input<8, 4> | zero_pad<1, 2> | dense<2>> {};
#endif
