// refuses: tied_repeat wants at least one copy
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | tied_repeat<0>(dense<64>) | dense<10>> {};
#else
struct net : network<input<64> | tied_repeat<1>(dense<64>) | dense<10>> {};
#endif
