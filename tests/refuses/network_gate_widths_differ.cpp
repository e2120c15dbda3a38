// refuses: widths 32 and 16
#include <kappa/declare.hpp>

using namespace kappa;

#ifndef CORRECTED
struct net : network<input<64> | (dense<32> * (dense<16> | act::sigmoid)) | dense<10>> {};
#else
struct net : network<input<64> | (dense<32> * (dense<32> | act::sigmoid)) | dense<10>> {};
#endif
