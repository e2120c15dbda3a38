// refuses: rank 2 or more
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<32> | mean_over_positions | dense<10>> {};
#else
struct net : network<input<4, 64> | dense<32> | mean_over_positions | dense<10>> {};
#endif
