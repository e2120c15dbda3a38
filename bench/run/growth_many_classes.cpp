// The same for many classes, apart to keep compilers' work short.
#include "growth_network.hpp"

int main(int count, char** arguments) { bench::time_classes<50, 100>({count, arguments}); }
