// refuses: embedding. wants token
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5, 1> | embedding<100, 8>> {};
#else
struct net : network<input<5> | embedding<100, 8>> {};
#endif
