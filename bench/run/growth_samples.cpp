// How cost grows with the batch: 784-128-10.
#include "growth_network.hpp"

int main(int count, char** arguments) {
  bench::growth_options const options(count, arguments);
  for (std::size_t const n : {16U, 32U, 64U, 128U, 256U, 512U, 1024U, 2048U})
    if (n <= options.most) bench::time_network<128, 10>(options, "N", n, n);
}
