// The rounding of the sharing study: bfloat16 has 8 bits of significand, and ties go to even.

#include "../../examples/sharing_study/bfloat16.hpp"
#include "worst.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include <kappa/tensor/random.hpp>

using sharing_study::bfloat16;

TEST_CASE("bfloat16 keeps what fits and rounds ties to even") {
  for (float exact : {0.0f, 1.0f, -2.0f, 1.0f + 0x1p-7f, 1.9921875f, 0x1p-126f, -3.0f * 0x1p100f})
    CHECK(bfloat16(exact) == exact);
  CHECK(bfloat16(1 + 0x1p-8f) == 1);                       // a tie between 1 and 1 + 2⁻⁷
  CHECK(bfloat16(1 + 3 * 0x1p-8f) == 1 + 2 * 0x1p-7f);     // a tie between 1 + 2⁻⁷ and 1 + 2 · 2⁻⁷
  CHECK(bfloat16(1 + 0x1p-8f + 0x1p-20f) == 1 + 0x1p-7f);  // no tie
  CHECK(bfloat16(1.999f) == 2);                            // into the next binade
  CHECK_FALSE(bfloat16(1 + 0x1p-8f) == 1 + 0x1p-8f);
}

TEST_CASE("bfloat16 is off by at most 2⁻⁸ of a number, and by as much") {
  kappa::counter_random random(1);
  double worst = 0;
  for (int i = 0; i < 10000; ++i) {
    auto const x = static_cast<float>(random.normal());
    double const off = std::abs(static_cast<double>(bfloat16(x)) - static_cast<double>(x));
    worst = worst_of(worst, off / std::abs(static_cast<double>(x)));
    CHECK(bfloat16(bfloat16(x)) == bfloat16(x));
  }
  CHECK(worst <= 0x1p-8);
  CHECK(worst > 0x1p-9);
}
