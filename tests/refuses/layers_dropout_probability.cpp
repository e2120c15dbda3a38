// refuses: dropout. wants a probability
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8> | dropout<3, 3> | dense<2>> {};
#else
struct net : network<input<8> | dropout<2, 3> | dense<2>> {};
#endif
