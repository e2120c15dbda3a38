// refuses: .dense., has no input
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<dense<32> | act::relu | dense<10>> {};
#else
struct net : network<input<64> | dense<32> | act::relu | dense<10>> {};
#endif
