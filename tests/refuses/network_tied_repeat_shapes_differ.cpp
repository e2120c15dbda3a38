// refuses: tied weight .dense. is of size
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | tied_repeat<3>(dense<32> | act::tanh) | dense<10>> {};
#else
struct net : network<input<64> | dense<32> | tied_repeat<3>(dense<32> | act::tanh) | dense<10>> {};
#endif
