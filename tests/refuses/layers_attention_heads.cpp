// refuses: attention. has heads that do
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5, 8> | attention<heads<3>> | dense<2>> {};
#else
struct net : network<input<5, 8> | attention<heads<4>> | dense<2>> {};
#endif
