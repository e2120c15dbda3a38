// refuses: acts at 4 positions|positions:
#include <kappa/declare.hpp>
#include <kappa/theory.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<4, 5> | dense<3, no_bias> | flatten> {};
#else
struct net : network<input<4, 5> | flatten | dense<3, no_bias>> {};
#endif

double exact(theory::linear_gauss_newton<net> const& g) { return g.condition_number(); }
