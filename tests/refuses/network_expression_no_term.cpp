// refuses: term
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<10> {};
#else
struct net : network<input<64> | dense<10>> {};
#endif
