// refuses: at most 31
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<64, "a name that is far too long to be a name">> {};
#else
struct net : network<input<64> | dense<64, "a short name">> {};
#endif
