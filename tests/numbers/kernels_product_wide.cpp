// Products of wide layers, and of rows split over threads.

#include "kernels_product.hpp"

namespace {

using namespace kernel_products;

TEST_CASE("products of wide layers") {
  check_all<784, 33>();
  check_all<7, 784>();
  check_all<128, 128>();
}

TEST_CASE("the split over threads does not change a product") {
  constexpr int in = 200, out = 70;
  std::size_t const rows = 1000;
  using p = product<double, in, out, route::tiles>;
  auto const x = draw<double>(rows * in, 1), w = draw<double>(in * out, 2), dy = draw<double>(rows * out, 3);
  std::vector<double> y1(rows * out), y2(rows * out), g1(in * out), g2(in * out), scratch(p::scratch_elements(2));
  kappa::set_threads(1);
  p::forward(rows, x.data(), w.data(), nullptr, y1.data(), scratch.data());
  p::weight_gradient(rows, dy.data(), x.data(), g1.data(), nullptr, scratch.data());
  kappa::set_threads(2);
  p::forward(rows, x.data(), w.data(), nullptr, y2.data(), scratch.data());
  p::weight_gradient(rows, dy.data(), x.data(), g2.data(), nullptr, scratch.data());
  REQUIRE(y1 == y2);
  REQUIRE(g1 == g2);
  y2[17] = std::nextafter(y2[17], 1e9);  // planted fault: one bit
  REQUIRE_FALSE(y1 == y2);
}

}  // namespace
