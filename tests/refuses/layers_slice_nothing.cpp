// refuses: slice. takes 0 elements of 8
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | slice<0, 1, 0> | dense<2>> {};
#else
struct net : network<input<8, 4> | slice<0, 1, 1> | dense<2>> {};
#endif
