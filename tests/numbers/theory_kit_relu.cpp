// The kit on networks with ReLU: the same matchers, other statements.
#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/testing/bounds.hpp>

using namespace kappa;
using namespace kappa::testing;

namespace {

// [relu]
struct gated : network<input<5> | dense<9, no_bias> | act::relu | dense<2, no_bias>> {};
struct leaky : network<input<4> | dense<6, no_bias> | act::leaky<1, 10> | dense<3, no_bias>> {};

TEST_CASE("The bounds hold for my network with ReLU") {
  REQUIRE_THAT(network_of<gated>, satisfies<theory::relu_sample_bound>(sweep{.instances = 100}));
  REQUIRE_THAT(network_of<leaky>, satisfies<theory::relu_bound>(sweep{.instances = 50, .rigorous = true}));
}
// [/relu]

/// The published bound with the slope for its square.
struct slope_not_squared {
  static constexpr char const* name = "leaky ReLU bound, the slope not squared";
  template <network_type Net>
  static constexpr kappa::sentence refusal() {
    return theory::relu_bound_t::refusal<Net>();
  }
  double operator()(theory::relu_kernel const& g) const {
    auto const x = g.input_spectrum(), w = g.weight_spectrum(), gamma = g.gamma_spectrum();
    return (x.largest * w.largest + gamma.largest) / (g.slope() * x.smallest * w.smallest + gamma.smallest);
  }
};

}  // namespace

TEST_CASE("Every statement about ReLU networks holds, in doubles and in intervals") {
  auto const each = [](auto statement, sweep const& plan, int proved) {
    for (auto const& v : {try_statement<gated>(statement, plan), try_statement<leaky>(statement, plan)}) {
      INFO(v.text());
      CHECK(v.failures == 0);
      CHECK(v.tried.instances - v.vacuous - v.undecided >= proved);
    }
  };
  for (bool rigorous : {false, true}) {
    auto const plan = sweep{.instances = 80, .seed = 40, .largest_data_condition = 100, .rigorous = rigorous};
    each(theory::exact_relu, plan, 40);
    each(theory::relu_bound, plan, 20);
    each(theory::relu_norm_bound, plan, 20);
    each(theory::relu_sample_bound, plan, 30);
    each(theory::relu_sample_lower_bound, plan, 40);
  }
}

TEST_CASE("A false one fails, and says where") {
  auto const v = try_statement<leaky>(slope_not_squared{}, {.instances = 60, .largest_data_condition = 10});
  INFO(v.text());
  CHECK(v.failures > 0);
  REQUIRE(v.smallest);
  CHECK(v.text().find("network 4-6-3 with ReLU (42 parameters)") != std::string::npos);
  auto const d = draw<leaky>(v.smallest->which);
  theory::relu_gauss_newton<leaky> const g(d.theta, d.inputs);
  CHECK(g.condition_number() == v.smallest->exact);
  CHECK_THAT(slope_not_squared{}, is_violated_by<leaky>(sweep{.instances = 60, .largest_data_condition = 10}));
}
