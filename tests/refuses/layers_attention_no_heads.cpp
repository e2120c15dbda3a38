// refuses: attention. wants heads, at
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5, 8> | attention<heads<0>> | dense<2>> {};
#else
struct net : network<input<5, 8> | attention<heads<1>> | dense<2>> {};
#endif
