// refuses: conv. wants groups that
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5, 5, 4> | conv<6, 3, groups_of<4>> | global_average_pool | dense<2>> {};
#else
struct net : network<input<5, 5, 4> | conv<8, 3, groups_of<4>> | global_average_pool | dense<2>> {};
#endif
