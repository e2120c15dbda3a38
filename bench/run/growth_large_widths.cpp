// The same for large widths, apart to keep compilers' work short.
#include "growth_network.hpp"

int main(int count, char** arguments) { bench::time_widths<1024, 2048, 4096>({count, arguments}); }
