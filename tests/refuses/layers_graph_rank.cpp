// refuses: graph_normalised. wants
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<40> | graph_convolution<8>> {};
#else
struct net : network<input<5, 8> | graph_convolution<8>> {};
#endif
