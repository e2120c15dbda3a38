// Products of narrow layers and of layers as wide as a few vectors.

#include "kernels_product.hpp"

namespace {

using namespace kernel_products;

TEST_CASE("products of narrow layers") {
  check_all<1, 1>();
  check_all<1, 7>();
  check_all<3, 1>();
  check_all<7, 3>();
  check_all<10, 16>();
}

TEST_CASE("products of layers as wide as a few vectors") {
  check_all<16, 10>();
  check_all<17, 33>();
  check_all<33, 17>();
  check_all<128, 10>();
}

}  // namespace
