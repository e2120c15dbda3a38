// refuses: slice. ends at 5 of an extent
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | slice<-1, 3, 2> | dense<2>> {};
#else
struct net : network<input<8, 4> | slice<-1, 2, 2> | dense<2>> {};
#endif
