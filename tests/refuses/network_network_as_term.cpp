// refuses: is not a term of a network
#include <kappa/declare.hpp>

using namespace kappa;

struct body : network<input<64> | dense<32>> {};

#ifndef CORRECTED
struct net : network<input<64> | body{} | dense<10>> {};
#else
struct net : network<body::declaration{} | dense<10>> {};
#endif
