// refuses: max_pool takes a window
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | max_pool<2, groups_of<2>> | flatten | dense<2>> {};
#else
struct net : network<input<8, 4> | max_pool<2, stride<2>> | flatten | dense<2>> {};
#endif
