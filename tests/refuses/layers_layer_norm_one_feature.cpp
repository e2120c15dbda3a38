// refuses: layer_norm. wants to
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<6, 4> | dense<1> | layer_norm<> | dense<2>> {};
#else
struct net : network<input<6, 4> | dense<3> | layer_norm<> | dense<2>> {};
#endif
