// kappa on 4-32-32-2.
#include "kappa.hpp"

struct controller : kappa::network<kappa::input<4> | kappa::dense<32> | kappa::act::tanh | kappa::dense<32> |
                                   kappa::act::tanh | kappa::dense<2>> {};
struct tracking : kappa::objective<controller, kappa::squared_error> {};

int main(int count, char** arguments) { return bench::run_kappa<tracking>(count, arguments, bench::control()); }
