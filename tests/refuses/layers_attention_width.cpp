// refuses: attention. wants queries,
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5, 8> | dense<8> | attention_core<heads<2>>> {};
#else
struct net : network<input<5, 8> | dense<24> | attention_core<heads<2>>> {};
#endif
