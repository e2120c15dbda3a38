// refuses: is not a term of a network
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<10> | cross_entropy> {};
#else
struct net : network<input<64> | dense<10>> {};
#endif
