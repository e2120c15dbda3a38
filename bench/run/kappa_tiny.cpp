// kappa on 2-16-16-1, where calls and activations cost more than products.
#include "kappa.hpp"

struct tiny : kappa::network<kappa::input<2> | kappa::dense<16> | kappa::act::tanh | kappa::dense<16> |
                             kappa::act::tanh | kappa::dense<1>> {};
struct curve : kappa::objective<tiny, kappa::squared_error> {};

int main(int count, char** arguments) { return bench::run_kappa<curve>(count, arguments, bench::tiny()); }
