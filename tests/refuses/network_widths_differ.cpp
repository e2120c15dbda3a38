// refuses: widths 64 and 32
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | (id + (dense<32> | act::relu)) | dense<10>> {};
#else
struct net : network<input<64> | (id + (dense<64> | act::relu)) | dense<10>> {};
#endif
