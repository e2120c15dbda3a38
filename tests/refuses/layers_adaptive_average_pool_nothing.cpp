// refuses: extents of at least 1
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | adaptive_average_pool<0> | dense<2>> {};
#else
struct net : network<input<8, 4> | adaptive_average_pool<3> | dense<2>> {};
#endif
