// kappa on 2-50-50-50-50-1, the size of physics-informed networks.
#include "kappa.hpp"

struct field
    : kappa::network<kappa::input<2> | kappa::repeat<4>(kappa::dense<50> | kappa::act::tanh) | kappa::dense<1>> {};
struct residual : kappa::objective<field, kappa::squared_error> {};

int main(int count, char** arguments) { return bench::run_kappa<residual>(count, arguments, bench::physics()); }
