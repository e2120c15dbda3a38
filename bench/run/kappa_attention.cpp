// kappa on attention.
#include <kappa/layers/attention.hpp>

#include "kappa.hpp"

namespace {
using namespace kappa;
struct net : network<input<32, 64> | attention<heads<4>> | mean_over_positions | dense<10>> {};
struct classes : objective<net, cross_entropy> {};
}  // namespace

int main(int count, char** arguments) { return bench::run_kappa<classes>(count, arguments, bench::attention()); }
