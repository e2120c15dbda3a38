// refuses: attention. wants positions
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8> | attention<>> {};
#else
struct net : network<input<5, 8> | attention<>> {};
#endif
