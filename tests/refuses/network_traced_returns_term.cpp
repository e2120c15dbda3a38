// refuses: a function from `variable` to `variable`
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | traced<[](variable) { return dense<64>; }> | dense<10>> {};
#else
struct net : network<input<64> | traced<[](variable x) { return dense<64>(x); }> | dense<10>> {};
#endif
