// refuses: 3 dense layers: Lemma 2 is for
#include <kappa/declare.hpp>
#include <kappa/theory.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5> | dense<8, no_bias> | dense<8, no_bias> | dense<3, no_bias>> {};
#else
struct net : network<input<5> | dense<8, no_bias> | dense<3, no_bias>> {};
#endif

double limit(theory::linear_gauss_newton<net> const& g) { return theory::lemma_2(g).value; }
