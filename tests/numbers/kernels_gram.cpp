// Gram matrices of weight-space columns: blocks of samples and of columns, and memory.

#include "kernels_factors.hpp"

namespace {

using namespace kernel_factors;

TEST_CASE("Gram matrices of several blocks of samples and of columns") {
  check_layer<float, 4, 130>(48, 9, 1, 2);
  REQUIRE(column_gram<float>{64, 130}.by_pairs(30, 3, 5));
  check_layer<float, 64, 130>(30, 3, 5, 2);
}

TEST_CASE("Gram matrices of columns over more positions than are taken at a time") {
  REQUIRE_FALSE(column_gram<double>{20, 5}.by_pairs(2, 3, 1100));
  check_layer<double, 20, 5>(2, 3, 1100, 2);
  check_layer<double, 3, 7>(2, 2, 700, 1);
}

TEST_CASE("scratch of a Gram matrix grows with the packed operands, not with their products") {
  // Operands, and a hundred rows or those of one sample; (N R)^2 elements for A A' would be twice the bound.
  auto const bound = [](std::size_t n, std::size_t k, std::size_t r) {
    return 2 * n * r * (64 + k * 130) + 3 * std::max<std::size_t>(100, 2 * k * r) * n * k * r;
  };
  for (std::size_t r : {1u, 5u}) {
    REQUIRE(column_gram<float>{64, 130}.by_pairs(4096, 2, r));
    REQUIRE(factors<float, 64, 130>::gram_scratch(4096, 2, r, 1) < bound(4096, 2, r));
    REQUIRE_FALSE(4096 * r * 4096 * r < 2 * bound(4096, 2, r));
  }
}

}  // namespace
