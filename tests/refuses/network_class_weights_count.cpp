// refuses: .class_weights. wants 3 
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<32> | act::relu | dense<10>> {};

#ifndef CORRECTED
struct goal : objective<net, class_weights<1, 2, 1>(cross_entropy)> {};
#else
struct goal : objective<net, class_weights<1, 2, 1, 1, 1, 1, 1, 1, 1, 1>(cross_entropy)> {};
#endif
