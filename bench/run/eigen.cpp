// Eigen on the networks whose products dominate.
#include "eigen.hpp"

int main(int count, char** arguments) {
  using namespace bench::eigen;
  Eigen::setNbThreads(bench::threads());
  for (std::size_t const n : {32U, 128U, 512U}) {
    add<relu_units, Dynamic, Dynamic, Dynamic>(bench::small(), n);
    add<relu_units, Dynamic, Dynamic, Dynamic, Dynamic>(bench::large(), n);
  }
  return bench::run(count, arguments);
}
