// Batch norms beside PyTorch (tests/fixtures/batch_norm.py), with each choice of their statistics.

#include <kappa/layers.hpp>

#include "networks_by_pytorch.hpp"

using namespace kappa;
using by_pytorch::distance;
using by_pytorch::numbers;

namespace {

template <statistics From>
struct net : network<input<6, 6, 2> | conv<4, 3, padding<1>, no_bias> | batch_norm<From> | act::silu |
                     conv<3, 3, stride<2>> | batch_norm<From> | act::tanh | global_average_pool | dense<3>> {};
template <statistics From>
struct goal : objective<net<From>, cross_entropy> {};
using frozen = net<statistics::frozen>;

/// What PyTorch stored.
struct fixture {
  double loss;
  numbers gradient, product, statistics;
  explicit fixture(char const* choice) {
    auto const folder = std::filesystem::path(__FILE__).parent_path().parent_path() / "fixtures/batch_norm";
    numbers const all = io::read_npy<double>(folder / (std::string(choice) + ".npy")).values;
    constexpr std::ptrdiff_t parameters = frozen::parameter_count;
    REQUIRE(all.size() == 1 + 2 * parameters + frozen::statistics_count);
    loss = all[0];
    gradient.assign(all.begin() + 1, all.begin() + 1 + parameters);
    product.assign(all.begin() + 1 + parameters, all.begin() + 1 + 2 * parameters);
    statistics.assign(all.begin() + 1 + 2 * parameters, all.end());
  }
};

template <class Objective>
void check(fixture const& expected, numbers const& theta, batch<double> const& data) {
  numbers v(theta.size());
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::cos(0.2 + 0.9 * static_cast<double>(i));
  auto const q = derive<Objective>(theta, data, loss_value, gradient, hessian_vector_product(v));
  CHECK(q[loss_value] == Approx(expected.loss).epsilon(1e-12));
  CHECK(distance(q[gradient], expected.gradient) < 1e-9);
  CHECK(distance(q[hessian_vector_product], expected.product) < 1e-9);
  numbers wrong(q[gradient].begin(), q[gradient].end());
  for (double& g : wrong) g *= 1 + 1e-8;
  CHECK(distance(wrong, expected.gradient) > 1e-9);
}

}  // namespace

TEST_CASE("by PyTorch: batch norms, evaluating, training, and training with constant statistics") {
  auto const theta = by_pytorch::parameters<frozen>();
  auto const x = by_pytorch::wave(4 * 6 * 6 * 2);
  std::vector<int> const y{0, 1, 2, 0};
  batch data(x, y);
  fixture const given("frozen"), held("held"), through("through");

  check<goal<statistics::of_the_batch>>(through, theta, data);
  auto const found = batch_statistics<frozen>(theta, data);
  CHECK(distance(found, held.statistics) < 1e-12);
  CHECK(distance(found, given.statistics) > 1e-2);

  data.side.statistics = given.statistics;
  check<goal<statistics::frozen>>(given, theta, data);
  data.side.statistics = {found.data(), found.size()};
  check<goal<statistics::frozen>>(held, theta, data);

  CHECK(held.loss == Approx(through.loss).epsilon(1e-12));  // one value, two gradients
  CHECK(distance(held.gradient, through.gradient) > 1e-2);
}
