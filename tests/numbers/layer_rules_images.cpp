// The rules of norms, pooling, padding, axes, dropout and softmax against their definitions.

#include <kappa/layers.hpp>

#include "layer_check.hpp"

using namespace kappa;
using test_layers::check_layer;
using test_layers::layer_case;

TEST_CASE("norms by their definitions") {
  check_layer<layer_norm<>, 3, 5>({.every_input = true});
  check_layer<layer_norm<norm_epsilon<1, 7>, no_bias>, 37>({.every_input = true});
  check_layer<layer_norm<no_parameters>, 2, 3, 4>({.every_input = true});
  check_layer<rms_norm<>, 2, 19>({.every_input = true});
  check_layer<rms_norm<norm_epsilon<2, 3>, no_parameters>, 1>();
  check_layer<group_norm<2>, 3, 2, 4>({.every_input = true});
  check_layer<group_norm<1, norm_epsilon<1, 100>>, 5, 3>({.every_input = true});
  check_layer<group_norm<2, no_bias>, 6>({.every_input = true});
  check_layer<instance_norm<no_parameters>, 2, 3, 2>({.every_input = true});
  check_layer<group_norm<2>, 35, 4>({.every_input = true});  // more rows than are summed at once
}

TEST_CASE("pooling by its definition") {
  check_layer<max_pool<2>, 4, 4, 3>();
  check_layer<max_pool<window<3, 2>, stride<2, 1>, padding<1, 0>>, 5, 4, 2>();
  check_layer<max_pool<2, dilation<2>, stride<1>, circular, padding<1>>, 4, 3, 2>();
  check_layer<max_pool<3, stride<2>, padding<1>>, 7, 2>();
  check_layer<average_pool<2>, 4, 5, 3>();
  check_layer<average_pool<3, stride<2>, padding<1>>, 5, 6, 2>({.every_input = true});
  check_layer<average_pool<window<2, 3>, stride<1>, padding<1>, excludes_padding>, 3, 4, 2>({.every_input = true});
  check_layer<average_pool<2, stride<1>, same_padding>, 5, 2>({.every_input = true});
  check_layer<adaptive_average_pool<3, 2>, 5, 4, 2>({.every_input = true});
  check_layer<adaptive_average_pool<4>, 3, 7, 1>({.every_input = true});
  check_layer<adaptive_average_pool<3>, 7, 2>({.every_input = true});
  check_layer<global_max_pool, 3, 2, 4>();
  check_layer<global_max_pool, 5, 3>();
}

TEST_CASE("padding, upsampling and the order of axes by their definitions") {
  check_layer<zero_pad<1, 2, 0, 3>, 2, 3, 2>({.every_input = true});
  check_layer<zero_pad<2>, 2, 2, 1>({.every_input = true});
  check_layer<zero_pad<1, 2>, 3, 2>({.every_input = true});
  check_layer<circular_pad<1, 2, 3, 0>, 2, 3, 2>({.every_input = true});
  check_layer<circular_pad<2, 3>, 3, 2>({.every_input = true});
  check_layer<circular_pad<1>, 3, 2>({.every_input = true});
  check_layer<upsample<2>, 2, 3, 2>({.every_input = true});
  check_layer<upsample<1, 3>, 2, 2, 2>({.every_input = true});
  check_layer<upsample<3>, 2, 3>({.every_input = true});
  check_layer<channels_last, 2, 3, 4>({.every_input = true});
  check_layer<channels_last, 3, 4>({.every_input = true});
  check_layer<channels_first, 2, 3, 4>({.every_input = true});
  check_layer<channels_first, 3, 4>({.every_input = true});
  check_layer<slice<0, 1, 2>, 4, 2, 3>();
  check_layer<slice<1, 2, 1>, 2, 3, 2>();
  check_layer<slice<-1, 1, 2>, 2, 2, 4>();
  check_layer<slice<-2, 0, 2>, 3, 2>();
  check_layer<slice<0, 2, 3>, 6>();
}

TEST_CASE("dropout and softmax by their definitions") {
  check_layer<dropout<1, 3>, 5, 4>({.beside = {.seed = 77}, .number = 4});
  check_layer<dropout<1, 3>, 5, 4>({.every_input = true});
  check_layer<dropout<0, 1>, 6>({.beside = {.seed = 3}, .every_input = true});
  check_layer<softmax, 2, 19>({.every_input = true});
  check_layer<softmax, 2, 2, 3>({.every_input = true});
  check_layer<log_softmax, 3, 4>({.every_input = true});
  check_layer<log_softmax, 21>({.every_input = true});
}

namespace {

/// A layer's value, and what it sends down for `g`.
template <auto Term, int... Extent>
struct called {
  using net = network<(input<Extent...> | Term)>;
  static constexpr node const& layer = net::nodes[1];
  site<double> s;
  std::vector<double> scratch;

  explicit called(std::uint64_t seed = 0, std::size_t sample = 0, int place = 1)
      : scratch(layer.layer->scratch(net::input_shape, layer.set)) {
    s.in = net::input_shape;
    s.out = layer.out;
    s.set = layer.set;
    s.sample = sample;
    s.place = place;
    s.side.seed = seed;
    s.scratch = scratch.data();
  }
  std::vector<double> value(std::vector<double> const& x) const {
    std::vector<double> y(static_cast<std::size_t>(layer.out.size()));
    layer.layer->template functions<double>().apply(s, x.data(), y.data());
    return y;
  }
  std::vector<double> pulled(std::vector<double> const& x, std::vector<double> const& g) const {
    std::vector<double> gx(x.size());
    layer.layer->template functions<double>().pull(s, x.data(), 1, g.data(), gx.data(), false);
    return gx;
  }
};

}  // namespace

TEST_CASE("of equal elements the first one under a window has the derivative; NaN comes through") {
  called<max_pool<2>, 2, 4, 1> const pool;
  std::vector<double> const x = {1, 3, 5, 5, 3, 2, 5, 5};
  CHECK(pool.value(x) == std::vector<double>{3, 5});
  CHECK(pool.pulled(x, {7, 11}) == std::vector<double>{0, 7, 11, 0, 0, 0, 0, 0});
  auto const y = pool.value({1, std::nan(""), 5, 4, 3, 2, 5, 5});
  CHECK(std::isnan(y[0]));
  CHECK(y[1] == 5);
}

TEST_CASE("padding is never the largest element, and averages may leave it out") {
  CHECK(called<max_pool<2, stride<2>, padding<1>>, 2, 1>().value({-3, -2}) == std::vector<double>{-3, -2});
  CHECK(called<average_pool<2, stride<2>, padding<1>>, 2, 1>().value({-3, -2}) == std::vector<double>{-1.5, -1});
  CHECK(called<average_pool<2, stride<2>, padding<1>, excludes_padding>, 2, 1>().value({-3, -2}) ==
        std::vector<double>{-3, -2});
}

TEST_CASE("dropout keeps the mean, drops its share, and draws by seed, sample and place") {
  constexpr int n = 20'000;
  std::vector<double> const ones(n, 1.0);
  auto const y = called<dropout<1, 4>, n>(9).value(ones);
  double dropped = 0, total = 0;
  for (double v : y) {
    CHECK((v == 0 || v == 4.0 / 3));
    dropped += v == 0 ? 1 : 0;
    total += v;
  }
  double const deviation = std::sqrt(0.25 * 0.75 / n);
  CHECK(std::abs(dropped / n - 0.25) < 4 * deviation);
  CHECK(std::abs(dropped / n - 0.20) > 4 * deviation);  // the test would see another probability
  CHECK(std::abs(total / n - 1) < 4 * deviation * 4 / 3);
  CHECK(called<dropout<1, 4>, n>(9).value(ones) == y);
  CHECK(called<dropout<1, 4>, n>(0).value(ones) == ones);

  auto const agreeing = [&](std::vector<double> const& other) {
    double same = 0;
    for (std::size_t i = 0; i < n; ++i) same += (y[i] == 0) == (other[i] == 0) ? 1 : 0;
    return same / n;
  };
  // Independent masks agree where both drop or both keep: 1/16 + 9/16.
  double const spread = 4 * std::sqrt(0.625 * 0.375 / n);
  CHECK(std::abs(agreeing(called<dropout<1, 4>, n>(10).value(ones)) - 0.625) < spread);
  CHECK(std::abs(agreeing(called<dropout<1, 4>, n>(9, 1).value(ones)) - 0.625) < spread);
  CHECK(std::abs(agreeing(called<dropout<1, 4>, n>(9, 0, 2).value(ones)) - 0.625) < spread);
  CHECK(agreeing(y) == 1);
}

TEST_CASE("softmax and its logarithm do not overflow") {
  auto const p = called<softmax, 3>().value({1000, 999, -1000});
  CHECK(p[0] == Approx(1 / (1 + std::exp(-1.0))).epsilon(1e-14));
  auto const y = called<log_softmax, 3>().value({1000, 999, -1000});
  CHECK(y[0] == Approx(-std::log1p(std::exp(-1.0))).epsilon(1e-13));
  CHECK(y[2] == Approx(-2000 - std::log1p(std::exp(-1.0))).epsilon(1e-14));
}

TEST_CASE("norms of features far from zero keep their digits") {
  std::vector<double> const x = {1e8 + 1, 1e8 + 2, 1e8 + 3, 1e8 + 4};
  auto const y = called<layer_norm<no_parameters, norm_epsilon<1, 1'000'000'000>>, 4>().value(x);
  CHECK(y[0] == Approx(-1.5 / std::sqrt(1.25)).epsilon(1e-8));
  CHECK(y[3] == Approx(1.5 / std::sqrt(1.25)).epsilon(1e-8));
}

TEST_CASE("shapes, parameters and their initial values") {
  using image = network<(input<3, 8, 6> | channels_last | max_pool<3, stride<2>, padding<1>> | upsample<2, 3> |
                         zero_pad<1, 0, 2, 3> | group_norm<1> | channels_first)>;
  STATIC_REQUIRE(image::nodes[1].out == shape{3, {8, 6, 3}});
  STATIC_REQUIRE(image::nodes[2].out == shape{3, {4, 3, 3}});
  STATIC_REQUIRE(image::nodes[3].out == shape{3, {8, 9, 3}});
  STATIC_REQUIRE(image::nodes[4].out == shape{3, {9, 14, 3}});
  STATIC_REQUIRE(image::output_shape == shape{3, {3, 9, 14}});
  STATIC_REQUIRE(image::parameter_count == 6);
  STATIC_REQUIRE(
      network<(input<5, 4> | layer_norm<no_bias> | rms_norm<> | layer_norm<no_parameters>)>::parameter_count == 8);
  STATIC_REQUIRE(network<(input<4> | layer_norm<"N"> | dense<4> | layer_norm<"N">)>::parameter_count == 8 + 20);
  STATIC_REQUIRE(network<(input<5, 4> | global_average_pool)>::output_shape == shape{1, {4}});
  STATIC_REQUIRE(network<(input<5, 4, 2> | global_max_pool)>::output_shape == shape{1, {2}});
  node const& norm = image::nodes[5];
  for (int i = 0; i < 6; ++i) CHECK(norm.layer->initial_mean(norm.out, norm.set, i) == (i < 3 ? 1 : 0));
}
