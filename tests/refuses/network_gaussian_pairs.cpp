// refuses: gaussian_negative_log_likel(.|\n)*4 (.|\n)*gives 3
#include <kappa/declare.hpp>

using namespace kappa;

struct net : network<input<64> | dense<3>> {};

#ifndef CORRECTED
struct goal : objective<net, gaussian_negative_log_likelihood> {};
#else
struct pairs : network<input<64> | dense<4>> {};
struct goal : objective<pairs, gaussian_negative_log_likelihood> {};
#endif
