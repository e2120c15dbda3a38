// refuses: is not a term of a network
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | (id + 2 * dense<64>) | dense<10>> {};
#else
struct net : network<input<64> | (id + (dense<64> | scale<2>)) | dense<10>> {};
#endif
