// refuses: max_pool. has a window of 5
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4, 3> | max_pool<5> | flatten | dense<2>> {};
#else
struct net : network<input<8, 5, 3> | max_pool<5> | flatten | dense<2>> {};
#endif
