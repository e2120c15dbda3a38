// refuses: batch_norm. wants a positive
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<6> | batch_norm<statistics::frozen, norm_epsilon<0, 5>> | dense<2>> {};
#else
struct net : network<input<6> | batch_norm<statistics::frozen, norm_epsilon<1, 5>> | dense<2>> {};
#endif
