// refuses: slice. is of axis 2 of a value
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | slice<2, 0, 1> | dense<2>> {};
#else
struct net : network<input<8, 4> | slice<1, 0, 1> | dense<2>> {};
#endif
