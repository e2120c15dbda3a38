// refuses: ignore_index wants a loss on class labels
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<10>> {};

#ifndef CORRECTED
struct goal : objective<net, ignore_index<-100>(squared_error)> {};
#else
struct goal : objective<net, ignore_index<-100>(cross_entropy)> {};
#endif
