// refuses: ranks 2 and 1
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5, 8> | (id + mean_over_positions) | dense<10>> {};
#else
struct net : network<input<5, 8> | (mean_over_positions + sum_over_positions) | dense<10>> {};
#endif
