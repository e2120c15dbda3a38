// refuses: huber wants a positive, finite threshold
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<3>> {};

#ifndef CORRECTED
struct goal : objective<net, huber<0>> {};
#else
struct goal : objective<net, huber<0.5>> {};
#endif
