// refuses: 1 to 3 extents
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<2, 3, 4, 5> | dense<10>> {};
#else
struct net : network<input<2, 3, 20> | dense<10>> {};
#endif
