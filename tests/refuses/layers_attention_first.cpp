// refuses: has no input
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<attention<heads<2>> | dense<2>> {};
#else
struct net : network<input<5, 8> | attention<heads<2>> | dense<2>> {};
#endif
