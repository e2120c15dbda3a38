// kappa on 784-128-10.
#include "kappa.hpp"

struct small : kappa::network<kappa::input<784> | kappa::dense<128> | kappa::act::relu | kappa::dense<10>> {};
struct digits : kappa::objective<small, kappa::cross_entropy> {};

int main(int count, char** arguments) { return bench::run_kappa<digits>(count, arguments, bench::small()); }
