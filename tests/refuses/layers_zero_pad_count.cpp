// refuses: padding wants 1 number
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | zero_pad<1, 2, 3> | dense<2>> {};
#else
struct net : network<input<8, 4> | zero_pad<1, 2> | dense<2>> {};
#endif
