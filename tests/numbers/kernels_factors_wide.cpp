// Factors of wide layers, of many samples, and both ways to a Gram matrix.

#include "kernels_factors.hpp"

namespace {

using namespace kernel_factors;

TEST_CASE("factors of a wide layer, and of many samples") {
  check_layer<double, 128, 10>(33, 10, 1, 2);
  check_layer<float, 128, 10>(33, 9, 1, 2);
  check_layer<double, 10, 17>(130, 1, 1, 2);
  check_layer<double, 10, 17>(130, 2, 3, 2);
  check_layer<double, 300, 5>(9, 2, 3, 1);
}

TEST_CASE("both ways to a Gram matrix over positions are taken") {
  // Few positions: pairs. Many positions of a small layer: the columns themselves.
  REQUIRE(column_gram<double>{128, 64}.by_pairs(16, 10, 4));
  REQUIRE_FALSE(column_gram<double>{3, 7}.by_pairs(7, 9, 5));
  REQUIRE_FALSE(column_gram<double>{300, 5}.by_pairs(3, 2, 60));
  check_layer<double, 128, 64>(5, 3, 4, 2);
  check_layer<double, 300, 5>(3, 2, 60, 2);
  check_layer<float, 20, 5>(4, 1, 40, 2);
}

}  // namespace

TEST_CASE("Gram scratch for a batch serves every smaller batch") {
  constexpr column_gram<double> wide{576, 64};
  REQUIRE(wide.by_pairs(2, 2, 64));
  REQUIRE_FALSE(wide.by_pairs(16, 2, 64));
  std::size_t const room = wide.scratch_elements(16, 2, 64, 2);
  std::size_t most = 0;
  for (std::size_t n = 1; n <= 16; ++n) {
    std::size_t const need = wide.scratch_elements(n, 2, 64, 2);
    CHECK(need <= room);
    CHECK(need >= most);
    most = need;
  }
}
