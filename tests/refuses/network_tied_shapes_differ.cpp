// refuses: tied weight .E. is of size
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<64, "E"> | dense<32> | dense<64, "E">> {};
#else
struct net : network<input<64> | dense<64, "E"> | dense<64> | dense<64, "E">> {};
#endif
