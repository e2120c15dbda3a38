// refuses: node 0, .global_max_pool., has
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<global_max_pool | dense<2>> {};
#else
struct net : network<input<8, 4> | global_max_pool | dense<2>> {};
#endif
