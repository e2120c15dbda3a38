// refuses: adaptive_average_pool. has
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | adaptive_average_pool<3, 2> | dense<2>> {};
#else
struct net : network<input<8, 4> | adaptive_average_pool<3> | dense<2>> {};
#endif
