// refuses: label_smoothing wants a number from 0 to below 1
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<10>> {};

#ifndef CORRECTED
struct goal : objective<net, label_smoothing<1.0>(cross_entropy)> {};
#else
struct goal : objective<net, label_smoothing<0.1>(cross_entropy)> {};
#endif
