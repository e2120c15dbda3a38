// refuses: max_pool. wants an image or a
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<8> | max_pool<2> | dense<2>> {};
#else
struct net : network<input<8, 2> | max_pool<2> | dense<2>> {};
#endif
