// refuses: label_smoothing wants cross_entropy
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<3>> {};

#ifndef CORRECTED
struct goal : objective<net, label_smoothing<0.1>(squared_error)> {};
#else
struct goal : objective<net, label_smoothing<0.1>(cross_entropy)> {};
#endif
