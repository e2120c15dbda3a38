// refuses: slice. begins at -1 of an
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | slice<0, -1, 2> | dense<2>> {};
#else
struct net : network<input<8, 4> | slice<0, 0, 2> | dense<2>> {};
#endif
