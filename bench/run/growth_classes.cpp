// How cost grows with the classes: 784-128-C at N = 128; C = 10 is growth_samples's.
#include "growth_network.hpp"

int main(int count, char** arguments) { bench::time_classes<2, 5, 20>({count, arguments}); }
