// refuses: recall of .enc1.
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | dense<64> | mark<"encl"> | (id + recall<"enc1">) | dense<10>> {};
#else
struct net : network<input<64> | dense<64> | mark<"enc1"> | (id + recall<"enc1">) | dense<10>> {};
#endif
