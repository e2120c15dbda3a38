// refuses: max_pool. has padding alone
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8, 4, 3> | max_pool<2, padding<2>> | flatten | dense<2>> {};
#else
struct net : network<input<8, 4, 3> | max_pool<2, padding<1>> | flatten | dense<2>> {};
#endif
