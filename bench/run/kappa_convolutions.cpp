// kappa on two convolutions.
#include <kappa/layers/convolution.hpp>
#include <kappa/layers/pooling.hpp>

#include "kappa.hpp"

namespace {
using namespace kappa;
struct net : network<input<28, 28, 1> | conv<16, 5> | act::relu | max_pool<2> | conv<32, 5> | act::relu | max_pool<2> |
                     flatten | dense<10>> {};
struct classes : objective<net, cross_entropy> {};
}  // namespace

int main(int count, char** arguments) { return bench::run_kappa<classes>(count, arguments, bench::convolutions()); }
