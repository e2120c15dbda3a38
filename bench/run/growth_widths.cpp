// How cost grows with the width: 784-w-10 at N = 128; w = 128 is growth_samples's.
#include "growth_network.hpp"

int main(int count, char** arguments) { bench::time_widths<64, 256, 512>({count, arguments}); }
