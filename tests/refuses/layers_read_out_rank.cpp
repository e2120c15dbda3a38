// refuses: masked_mean_over_positions. wants
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5> | ragged | masked_mean_over_positions> {};
#else
struct net : network<input<5, 2> | ragged | masked_mean_over_positions> {};
#endif
