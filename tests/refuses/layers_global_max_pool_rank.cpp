// refuses: global_max_pool. wants an
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | flatten | global_max_pool | dense<2>> {};
#else
struct net : network<input<8, 4> | global_max_pool | dense<2>> {};
#endif
