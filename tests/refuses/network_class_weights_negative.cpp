// refuses: class_weights wants finite weights, none negative and one positive
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<3>> {};

#ifndef CORRECTED
struct goal : objective<net, class_weights<1, -2, 1>(cross_entropy)> {};
#else
struct goal : objective<net, class_weights<1, 2, 0>(cross_entropy)> {};
#endif
