// kappa on dense layers over positions.
#include "kappa.hpp"

namespace {
using namespace kappa;
struct net : network<input<32, 64> | dense<128> | act::relu | dense<64> | act::relu | mean_over_positions | dense<10>> {
};
struct classes : objective<net, cross_entropy> {};
}  // namespace

int main(int count, char** arguments) { return bench::run_kappa<classes>(count, arguments, bench::positions()); }
