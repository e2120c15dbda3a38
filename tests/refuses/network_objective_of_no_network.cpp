// refuses: network_type
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<10>> {};
struct settings {};

#ifndef CORRECTED
struct goal : objective<settings, cross_entropy> {};
#else
struct goal : objective<net, cross_entropy> {};
#endif
