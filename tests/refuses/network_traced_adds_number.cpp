// refuses: is not a term of a network
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | traced<[](variable x) { return x + 1; }> | dense<10>> {};
#else
struct net : network<input<64> | traced<[](variable x) { return x + x; }> | dense<10>> {};
#endif
