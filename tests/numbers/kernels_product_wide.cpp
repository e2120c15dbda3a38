// Products of wide layers, and of rows split over threads.

#include "kernels_product.hpp"

namespace {

using namespace kernel_products;

TEST_CASE("products of wide layers") {
  check_all<784, 33>();
  check_all<7, 784>();
  check_all<128, 128>();
}

// Panels that several groups of strips read.
TEST_CASE("weight gradients of many rows") {
  using tiles = kappa::kernels::transposed_tiles<float, 130, 121>;
  STATIC_REQUIRE((kappa::kernels::simd_registers == 32 || tiles::packed > 0));
  for (int threads : {1, 2}) {
    check(kernel_of<float, 121, 130, route::tiles>(), 500, threads);
    check(kernel_of<double, 121, 130, route::tiles>(), 500, threads);
  }
}

// Few rows go through panels of their own instead of the weight's, from dot products to rows beyond the outputs.
TEST_CASE("products of fewer rows than outputs") {
  for (std::size_t rows : {9u, 16u, 17u, 23u, 24u, 32u, 40u, 63u, 64u, 100u})
    for (int threads : {1, 2}) {
      check(kernel_of<float, 200, 70, route::tiles>(), rows, threads);
      check(kernel_of<double, 200, 70, route::tiles>(), rows, threads);
      check(kernel_of<float, 1029, 49, route::tiles>(), rows, threads);
    }
}

TEST_CASE("the way of a product does not change it") {
  constexpr int in = 200, out = 70;
  using turned = kappa::kernels::turned_product<float, in, out>;
  auto const x = draw<float>(64 * in, 1), w = draw<float>(in * out, 2), b = draw<float>(out, 3);
  int cheaper = 0;
  for (std::size_t rows = 0; rows <= 64; ++rows) {
    std::vector<float> y(rows * out), z(rows * out);
    kappa::kernels::multiply_by_rows<float, in, out>(rows, x.data(), w.data(), kappa::kernels::start::row, b.data(),
                                                     y.data());
    turned::multiply(rows, x.data(), w.data(), b.data(), z.data());
    REQUIRE(y == z);
    if (rows > 0) {  // planted fault: one bit
      z.back() = std::nextafter(z.back(), 1e9f);
      REQUIRE_FALSE(y == z);
    }
    cheaper += turned::wins(rows) ? 1 : 0;
  }
  REQUIRE(cheaper > 20);
  REQUIRE(cheaper < 64);
}

// Every block of rows copies W, so that a block of the few rows that others leave would cost as much as they do.
TEST_CASE("blocks of a product are about equally long") {
  constexpr int in = 200, out = 70;
  using p = product<double, in, out, route::tiles>;
  constexpr std::size_t most = 1000;
  auto const x = draw<double>(most * in, 1), w = draw<double>(in * out, 2), dy = draw<double>(most * out, 3);
  std::vector<double> y(most * out), dx(most * in), scratch(p::scratch_elements(1));
  kappa::set_threads(1);
  std::vector<std::size_t> lengths;
  auto const note = [&](std::size_t begin, std::size_t end) { lengths.push_back(end - begin); };
  auto const even = [&] {
    auto const [shortest, longest] = std::minmax_element(lengths.begin(), lengths.end());
    return *longest <= 3 * *shortest;
  };
  std::size_t several = 0;
  for (std::size_t rows = 20; rows <= most; rows += 7) {
    INFO("rows " << rows);
    lengths.clear();
    p::forward(rows, x.data(), w.data(), nullptr, y.data(), scratch.data(), note);
    REQUIRE(even());
    several += lengths.size() > 1 ? 1 : 0;
    lengths.clear();
    p::pull(rows, dy.data(), w.data(), dx.data(), false, scratch.data(), note);
    REQUIRE(even());
    several += lengths.size() > 1 ? 1 : 0;
    lengths.push_back(lengths.back() / 4);  // planted fault: a rest of few rows
    REQUIRE_FALSE(even());
  }
  REQUIRE(several > 100);
}

TEST_CASE("the split over threads does not change a product") {
  constexpr int in = 200, out = 70;
  std::size_t const rows = GENERATE(40u, 1000u);
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
