// refuses: one of 2 uses
#include <kappa/declare.hpp>
#include <kappa/theory.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5> | tied_repeat<2>(dense<5, no_bias>)> {};
#else
struct net : network<input<5> | repeat<2>(dense<5, no_bias>)> {};
#endif

auto layers(vector<double> const& theta) { return theory::layer_matrices<net>(theta); }
