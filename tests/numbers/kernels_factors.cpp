// Factors of layers as wide as a few vectors.

#include "kernels_factors.hpp"

namespace {

using namespace kernel_factors;

TEST_CASE("factors of layers as wide as a few vectors") {
  check_layers<10, 16>();
  check_layers<17, 33>();
  check_layers<33, 3>();
}

}  // namespace
