// refuses: .cross_entropy. wants 2 
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<32> | act::relu | dense<1>> {};

#ifndef CORRECTED
struct goal : objective<net, cross_entropy> {};
#else
struct goal : objective<net, binary_cross_entropy> {};
#endif
