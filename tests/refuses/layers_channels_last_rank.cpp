// refuses: channels_last. wants a value
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8> | channels_last | dense<2>> {};
#else
struct net : network<input<8, 3> | channels_last | dense<2>> {};
#endif
