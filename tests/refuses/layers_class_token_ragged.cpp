// refuses: class_token. joins a
#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<5, 8> | ragged | class_token<> | attention<>> {};
#else
struct net : network<input<5, 8> | class_token<> | attention<>> {};
#endif
