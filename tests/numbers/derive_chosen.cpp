// A convolution that only a pool reads: its vectors lie where the pool chose, and everything derived from them is what
// is derived from vectors at all positions, which the same network has when an identity stands before the pool.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra/operations.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

#include "held.hpp"
#include "reference.hpp"

using namespace kappa;
using kappa::reference::relative_error;

namespace {

// Odd extents leave a column without a window; padding, strides, a relu that moves behind the pool, and one that chose
// nothing before it; the images below are read by two convolutions, whose vectors meet.
template <auto Before>
struct image_net : network<input<11, 12, 2> | conv<5, 3, padding<1>> | Before | max_pool<2> | act::relu |
                           concatenate(conv<9, window<3, 2>, stride<1, 2>, padding<1, 0>> | Before |
                                           max_pool<window<2, 1>, stride<2, 1>> | act::tanh,
                                       conv<2, window<3, 2>, stride<1, 2>, padding<1, 0>, no_bias> | act::tanh |
                                           max_pool<window<2, 1>, stride<2, 1>>) |
                           flatten | dense<4>> {};
template <auto Before>
struct images : objective<image_net<Before>, cross_entropy> {};
template <auto Before>
struct sequence_net : network<input<20, 3> | conv<6, 4> | Before | max_pool<3> | act::tanh | conv<9, 3, no_bias> |
                              Before | max_pool<1, stride<2>> | flatten | dense<4>> {};
template <auto Before>
struct sequences : objective<sequence_net<Before>, cross_entropy, sum> {};

constexpr std::size_t samples = 7;

/// What is compared: of EKFAC and of Gauss-Newton matrices more than their operators.
template <class Derivation, class Quantity>
std::vector<double> read(Derivation& q, Quantity const& which) {
  if constexpr (requires { q.nearest_kfac(which); }) {
    // In bases of no meaning; and the nearest Kronecker products, which read the same vectors.
    std::vector<matrix<double>> left, right;
    counter_random random(6);
    auto const draw = [&](std::size_t order) {
      auto m = zeros<double>(order, order);
      for (double& v : elements(m)) v = random.normal();
      return m;
    };
    auto const nearest = q.nearest_kfac(which);
    std::vector<double> all;
    for (auto const& b : nearest.blocks()) {
      left.push_back(draw(b.block().left().size()));
      right.push_back(draw(b.block().right().size()));
      auto const dense = to_dense(b.block());
      all.insert(all.end(), dense.data(), dense.data() + dense.size());
    }
    for (auto const& m : q.second_moments(which, left, right)) all.insert(all.end(), m.data(), m.data() + m.size());
    return all;
  } else if constexpr (requires { q[which].root().gram(); }) {
    // VᵀV, and V Vᵀ x.
    std::vector<double> all(q[which].root().gram().begin(), q[which].root().gram().end());
    vector<double> x = zeros<double>(q[which].size());
    counter_random random(12);
    for (double& v : x) v = random.normal();
    std::ranges::copy(apply(q[which], x), std::back_inserter(all));
    return all;
  } else {
    return held_numbers::held(q, which);
  }
}

template <objective_type Objective, quantity... Quantities>
int chosen_nodes() {
  int count = 0;
  for (node_plan const& p : program<Objective, request_of<Quantities...>()>::value.nodes) count += p.chosen_by >= 0;
  return count;
}

/// Both networks' quantities; the twin has another θ, which every quantity must tell apart.
template <template <auto> class Objective, quantity... Quantities>
void agrees(int chosen, Quantities const&... quantities) {
  using direct = Objective<id>;
  using spread = Objective<act::identity>;
  REQUIRE(chosen_nodes<direct, Quantities...>() == chosen);
  REQUIRE(chosen_nodes<spread, Quantities...>() == 0);
  using net = typename direct::network;
  auto const theta = initialise<net, double>(3);
  auto other = theta;
  counter_random random(5);
  for (double& v : other) v += 0.1 * random.normal();
  std::vector<double> x(samples * static_cast<std::size_t>(net::input_shape.size()));
  for (double& v : x) v = random.normal();
  std::vector<int> const labels{0, 1, 2, 3, 0, 1, 2};
  auto const of = [&]<class Which>(std::type_identity<Which>, auto const& at) {
    auto q = derive<Which>(at, batch(x, labels), quantities...);
    return std::vector<std::vector<double>>{read(q, quantities)...};
  };
  for (int thread_count : {1, 2}) {
    set_threads(thread_count);
    auto const got = of(std::type_identity<direct>(), theta), expected = of(std::type_identity<spread>(), theta),
               wrong = of(std::type_identity<spread>(), other);
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO("quantity " << i << " on " << thread_count << " threads");
      CHECK(relative_error(got[i], expected[i]) < 1e-12);
      CHECK_FALSE(relative_error(got[i], wrong[i]) < 1e-3);
    }
  }
  set_threads(1);
}

/// A direction for products.
template <template <auto> class Objective>
std::vector<double> direction() {
  std::vector<double> v(static_cast<std::size_t>(Objective<id>::network::parameter_count));
  counter_random random(9);
  for (double& e : v) e = random.normal();
  return v;
}

}  // namespace

TEST_CASE("what is derived from the chosen elements") {
  agrees<images>(2, loss_value, gradient, per_sample_gradient_norms, ggn_vector_product(direction<images>()),
                 ggn_diagonal, per_sample_ggn_diagonal, kfac<expand>, kfac<reduce>);
  agrees<sequences>(2, gradient, ggn_diagonal_from<empirical>, ggn_diagonal_from<monte_carlo<2>>(4),
                    kfac<expand, monte_carlo<3>>(4), kfac<reduce, empirical>, kfac<expand, empirical>);
}

TEST_CASE("EKFAC keeps the chosen elements") {
  agrees<sequences>(2, ekfac<expand>, ekfac<expand, exact, separate_bias>);
}

TEST_CASE("what wants the vectors at all positions still has them") {
  agrees<images>(2, per_sample_gradient, gradient_variance, ggn, kfac<expand>);
}

TEST_CASE("the plan chooses only where nothing else reads, and no element is chosen twice") {
  auto const chosen = []<auto... Terms>() {
    struct net : network<input<8, 8, 2> | (... | Terms) | flatten | dense<3>> {};
    struct goal : objective<net, cross_entropy> {};
    return chosen_nodes<goal, gradient_t>();
  };
  CHECK(chosen.operator()<conv<3, 3>, max_pool<2>>() == 1);
  CHECK(chosen_nodes<images<id>, hessian_vector_product_t>() == 0);
  CHECK(chosen.operator()<conv<3, 3>, act::relu, max_pool<2>>() == 1);
  CHECK(chosen.operator()<conv<3, 3>, global_max_pool>() == 1);
  CHECK(chosen.operator()<conv<3, 3>, max_pool<3, stride<2>>>() == 0);
  CHECK(chosen.operator()<conv<3, 3>, act::tanh, max_pool<2>>() == 0);
  CHECK(chosen.operator()<conv<3, 3>, average_pool<2>>() == 0);
  CHECK(chosen.operator()<conv<3, 3, dilation<2>>, max_pool<2>>() == 0);
  CHECK(chosen.operator()<conv<3, 3, padding<1>, circular>, max_pool<2>>() == 0);
  CHECK(chosen.operator()<conv<4, 3, groups_of<2>>, max_pool<2>>() == 0);
  CHECK(chosen.operator()<conv<2, 3, "twice">, max_pool<2>, conv<2, 3, "twice">>() == 0);
  CHECK(chosen.operator()<conv<2, 3, padding<1>>, id + id, max_pool<2>>() == 0);
}

TEST_CASE("the explanation says where vectors lie") {
  auto const text = explain<images<id>>(gradient, kfac<expand>).text;
  CHECK(text.find("vectors only where #3 chose") != std::string::npos);
  CHECK(explain<images<act::identity>>(gradient).text.find("vectors only where") == std::string::npos);
}
