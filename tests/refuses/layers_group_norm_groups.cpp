// refuses: group_norm. wants groups
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<4, 4, 8> | group_norm<3> | dense<2>> {};
#else
struct net : network<input<4, 4, 8> | group_norm<4> | dense<2>> {};
#endif
