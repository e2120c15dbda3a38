// refuses: .dense. wants at least 1
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<0> | act::relu | dense<10>> {};
#else
struct net : network<input<64> | dense<32> | act::relu | dense<10>> {};
#endif
