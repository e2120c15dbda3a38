// refuses: class_weights wants cross_entropy
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<3>> {};

#ifndef CORRECTED
struct goal : objective<net, class_weights<1, 2, 3>(class_weights<1, 1, 2>(cross_entropy))> {};
#else
struct goal : objective<net, class_weights<1, 2, 6>(cross_entropy)> {};
#endif
