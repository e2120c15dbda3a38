// Both rules of batch norms against their definition. For one sample with many positions the batch's statistics are
// those of the positions, so the judge of layers takes both; that samples and positions are alike is checked after it.

#include <kappa/layers.hpp>

#include "layer_check.hpp"

using namespace kappa;
using test_layers::check_layer;
using test_layers::layer_case;

namespace {

constexpr auto frozen = statistics::frozen;
constexpr auto of_the_batch = statistics::of_the_batch;

layer_case with_statistics(std::vector<long double> values) {
  layer_case c;
  c.beside.statistics = std::move(values);
  c.every_input = true;
  return c;
}

/// A rule called for several samples at once.
template <auto Term, int... Extent>
struct called {
  using net = network<(input<Extent...> | Term)>;
  static constexpr node const& layer = net::nodes[net::nodes.size() - 1];
  site<double> s;
  std::vector<double> scratch, theta, direction;

  explicit called(std::size_t samples) : scratch(layer.layer->scratch(net::input_shape, layer.set)) {
    theta = reference::random_vector<double>(net::parameter_count, 3);
    direction = reference::random_vector<double>(net::parameter_count, 4);
    s.in = net::input_shape;
    s.out = layer.out;
    s.set = layer.set;
    s.samples = samples;
    s.theta = theta.data();
    s.scratch = scratch.data();
  }
  /// Everything the rule says of (x, dx, g), one after the other.
  std::vector<double> all(std::vector<double> const& x, std::vector<double> const& dx, std::vector<double> const& g) {
    auto const& f = layer.layer->template functions<double>();
    std::vector<double> result;
    auto const keep = [&](std::size_t size, auto&& call) {
      std::vector<double> y(size);
      call(y.data());
      result.insert(result.end(), y.begin(), y.end());
    };
    keep(x.size(), [&](double* y) { f.apply(s, x.data(), y); });
    keep(x.size(), [&](double* y) { f.pull(s, x.data(), 1, g.data(), y, false); });
    keep(theta.size(), [&](double* y) { f.weigh(s, x.data(), 1, g.data(), y); });
    s.direction = direction.data();
    keep(x.size(), [&](double* y) { f.push(s, x.data(), dx.data(), y); });
    keep(x.size(), [&](double* y) { f.push_pull(s, x.data(), dx.data(), g.data(), y); });
    keep(theta.size(), [&](double* y) { f.push_weigh(s, x.data(), dx.data(), g.data(), y); });
    s.direction = nullptr;
    return result;
  }
};

}  // namespace

TEST_CASE("batch norms with frozen statistics by their definition") {
  check_layer<batch_norm<frozen>, 3, 2>(with_statistics({0.5L, -1, 2, 0.25L}));
  check_layer<batch_norm<frozen, norm_epsilon<1, 7>, no_bias>, 5>(
      with_statistics({0.5L, -1, 2, 0.25L, 0, 1, 2, 3, 0.125L, 0}));
  check_layer<batch_norm<frozen, no_parameters>, 2, 3, 2>(with_statistics({-2, 1, 0.5L, 4}));
  layer_case c = with_statistics({-2, 1, 0.5L, 4});
  c.beside.mask = {1, 0, 1};
  check_layer<ragged | batch_norm<frozen>, 3, 2>(c);
}

TEST_CASE("batch norms with the batch's statistics by their definition") {
  check_layer<batch_norm<of_the_batch>, 5, 3>({.every_input = true});
  check_layer<batch_norm<of_the_batch, norm_epsilon<1, 7>, no_bias>, 2, 2, 2>({.every_input = true});
  check_layer<batch_norm<of_the_batch, no_parameters>, 4, 1>({.every_input = true});
  check_layer<batch_norm<of_the_batch>, 35, 2>({.every_input = true});  // more rows than are summed at once
  check_layer<ragged | batch_norm<of_the_batch>, 5, 2>({.beside = {.mask = {1, 1, 0, 1, 1}}});
  check_layer<ragged | batch_norm<of_the_batch>, 4, 2, 2>({.beside = {.mask = {1, 0, 1, 1}}});
}

TEST_CASE("samples and positions are the same to the batch's statistics") {
  auto const x = reference::random_vector<double>(24, 1), dx = reference::random_vector<double>(24, 2),
             g = reference::random_vector<double>(24, 5);
  auto const once = called<batch_norm<of_the_batch>, 12, 2>(1).all(x, dx, g);
  CHECK(called<batch_norm<of_the_batch>, 4, 2>(3).all(x, dx, g) == once);
  CHECK(called<batch_norm<of_the_batch>, 2, 2, 2>(3).all(x, dx, g) == once);
  CHECK(called<batch_norm<of_the_batch>, 2>(12).all(x, dx, g) == once);
  CHECK(called<batch_norm<of_the_batch>, 4, 2>(2).all(x, dx, g) != once);  // not the first two samples alone
}

TEST_CASE("masks of several samples") {
  unsigned char const mask[6]{1, 1, 0, 1, 0, 0};
  called<ragged | batch_norm<of_the_batch>, 3, 2> padded(2);
  padded.s.side.mask = mask;
  auto x = reference::random_vector<double>(12, 1), g = reference::random_vector<double>(12, 5);
  auto const some = padded.all(x, x, g);
  std::vector<double> const seen{x[0], x[1], x[2], x[3], x[6], x[7]}, of_seen{g[0], g[1], g[2], g[3], g[6], g[7]};
  auto const short_one = called<batch_norm<of_the_batch>, 2>(3).all(seen, seen, of_seen);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(some[i] == short_one[i]);            // y
    CHECK(some[12 + i] == short_one[6 + i]);   // gx
    CHECK(some[24 + i] == short_one[12 + i]);  // w
  }
  CHECK(some[6] == short_one[4]);
  for (std::size_t i : {4u, 5u, 8u, 11u}) {
    CHECK(some[i] == 0);
    CHECK(some[12 + i] == 0);
  }
  x[4] = x[9] = 77;  // padding says nothing
  CHECK(padded.all(x, x, g) == some);
  x[2] = 77;
  CHECK(padded.all(x, x, g) != some);
}

TEST_CASE("means far from zero keep their digits") {
  called<batch_norm<of_the_batch, no_parameters, norm_epsilon<1, 1'000'000'000>>, 1> far(4);
  std::vector<double> const x = {1e8 + 1, 1e8 + 2, 1e8 + 3, 1e8 + 4};
  auto const y = far.all(x, x, x);
  CHECK(y[0] == Approx(-1.5 / std::sqrt(1.25)).epsilon(1e-8));
  CHECK(y[3] == Approx(1.5 / std::sqrt(1.25)).epsilon(1e-8));
}

TEST_CASE("what a network knows of its batch norms") {
  struct net : network<input<4, 4, 3> | batch_norm<frozen> | conv<2, 3> | batch_norm<of_the_batch, no_bias> | flatten |
                       batch_norm<frozen, no_parameters> | dense<2>> {};
  STATIC_REQUIRE(net::statistics_count == 2 * (3 + 2 + 8));
  STATIC_REQUIRE(net::reads_statistics);
  STATIC_REQUIRE(net::couples_samples);
  STATIC_REQUIRE(net::nodes[static_cast<unsigned>(net::coupling_node)].shift == 6);
  STATIC_REQUIRE(net::parameters[0].size() == 6);
  struct plain : network<input<4> | dense<2> | layer_norm<>> {};
  STATIC_REQUIRE(plain::statistics_count == 0);
  STATIC_REQUIRE_FALSE(plain::reads_statistics);
  STATIC_REQUIRE_FALSE(plain::couples_samples);
}
