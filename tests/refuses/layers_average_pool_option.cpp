// refuses: average_pool takes a window
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4> | average_pool<2, no_bias> | flatten | dense<2>> {};
#else
struct net : network<input<8, 4> | average_pool<2, excludes_padding> | flatten | dense<2>> {};
#endif
