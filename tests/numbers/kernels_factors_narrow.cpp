// Factors of narrow layers.

#include "kernels_factors.hpp"

namespace {

using namespace kernel_factors;

TEST_CASE("factors of narrow layers") {
  check_layers<1, 1>();
  check_layers<3, 7>();
  check_layers<7, 1>();
}

}  // namespace
