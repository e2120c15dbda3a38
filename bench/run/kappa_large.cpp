// kappa on 784-512-256-10.
#include "kappa.hpp"

struct large : kappa::network<kappa::input<784> | kappa::dense<512> | kappa::act::relu | kappa::dense<256> |
                              kappa::act::relu | kappa::dense<10>> {};
struct digits : kappa::objective<large, kappa::cross_entropy> {};

int main(int count, char** arguments) { return bench::run_kappa<digits>(count, arguments, bench::large()); }
