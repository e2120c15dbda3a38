// refuses: conv. has a window of 7
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5, 5, 4> | conv<4, 7> | global_average_pool | dense<2>> {};
#else
struct net : network<input<5, 5, 4> | conv<4, 5> | global_average_pool | dense<2>> {};
#endif
