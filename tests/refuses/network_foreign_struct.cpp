// refuses: is not a term of a network
#include <kappa/declare.hpp>

using namespace kappa;

struct own_dropout {};  // does not derive from term_base

#ifndef CORRECTED
struct net : network<input<64> | own_dropout{} | dense<10>> {};
#else
struct net : network<input<64> | id | dense<10>> {};
#endif
