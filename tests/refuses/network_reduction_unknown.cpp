// refuses: reduction
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<10>> {};

#ifndef CORRECTED
struct goal : objective<net, cross_entropy, dense<3>> {};
#else
struct goal : objective<net, cross_entropy, sum> {};
#endif
