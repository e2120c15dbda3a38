// Factors of narrow layers and of layers as wide as a few vectors.

#include "kernels_factors.hpp"

namespace {

using namespace kernel_factors;

TEST_CASE("factors of narrow layers") {
  check_layers<1, 1>();
  check_layers<3, 7>();
  check_layers<7, 1>();
}

TEST_CASE("factors of layers as wide as a few vectors") {
  check_layers<10, 16>();
  check_layers<17, 33>();
  check_layers<33, 3>();
}

}  // namespace
