// refuses: the name of an attention has at most 23 characters
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5, 8> | attention<"the encoder's first attention">> {};
#else
struct net : network<input<5, 8> | attention<"the encoder's attention">> {};
#endif
