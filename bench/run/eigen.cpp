// Eigen's gradients: batches of any size, and on the small networks every size fixed, sample by sample.
#include "eigen.hpp"

int main(int count, char** arguments) {
  using namespace bench::eigen;
  Eigen::setNbThreads(bench::threads());
  for (std::size_t const n : {32U, 128U, 512U}) {
    add<relu_units, Dynamic, Dynamic, Dynamic>(bench::small(), n);
    add<relu_units, Dynamic, Dynamic, Dynamic, Dynamic>(bench::large(), n);
  }
  for (std::size_t const n : {1U, 64U, 1024U}) {
    add<tanh_units, Dynamic, Dynamic, Dynamic, Dynamic>(bench::tiny(), n);
    add<tanh_units, Dynamic, Dynamic, Dynamic, Dynamic>(bench::control(), n);
    add<tanh_units, Dynamic, Dynamic, Dynamic, Dynamic, Dynamic, Dynamic>(bench::physics(), n);
    add_per_sample<tanh_units, 2, 16, 16, 1>(bench::tiny(), n);
    add_per_sample<tanh_units, 4, 32, 32, 2>(bench::control(), n);
    add_per_sample<tanh_units, 2, 50, 50, 50, 50, 1>(bench::physics(), n);
  }
  return bench::run(count, arguments);
}
