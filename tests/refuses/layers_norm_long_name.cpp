// refuses: at most 31 characters
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<6> | layer_norm<"a name that has thirty-two letters"> | dense<2>> {};
#else
struct net : network<input<6> | layer_norm<"a short name"> | dense<2>> {};
#endif
