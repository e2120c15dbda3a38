// Which statements are about a network type, and the report that evaluates them.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "theory_networks.hpp"

#include <kappa/testing/random_instance.hpp>
#include <kappa/theory.hpp>

using namespace kappa;
using theory::bounds_for;

namespace {

struct tanh_net : network<input<5> | dense<8, no_bias> | act::tanh | dense<3, no_bias>> {};
struct relu_net : network<input<5> | dense<8, no_bias> | act::relu | dense<3, no_bias>> {};

// Found at compile time.
static_assert(bounds_for<linear::wide>::contains<theory::lemma_2_t>);
static_assert(bounds_for<linear::wide>::contains<theory::product_bound_t>);
static_assert(bounds_for<linear::wide>::size == theory::linear_statements::size);
static_assert(!bounds_for<linear::deep>::contains<theory::lemma_2_t>);        // two hidden layers
static_assert(!bounds_for<linear::deep>::contains<theory::product_bound_t>);  // of widths 8 and 9
static_assert(bounds_for<linear::deep>::contains<theory::rayleigh_bound_t>);
static_assert(bounds_for<linear::deep>::size == theory::linear_statements::size - 4);
static_assert(bounds_for<tanh_net>::size == 0);
static_assert(std::is_base_of_v<bounds_for<relu_net>, theory::relu_network_statements>);

constexpr bool says(theory::refused_statement const& r, std::string_view text) {
  return std::string_view(r.reason.s, static_cast<std::size_t>(r.reason.n)) == text;
}
static_assert(says(theory::refusals_for<tanh_net>()[1], "tanh at node 2: Eq. (7) is for linear networks"));
static_assert(says(theory::refusals_for<linear::deep>()[0], "3 dense layers: Lemma 2 is for 2, one hidden layer"));
static_assert(theory::refusals_for<tanh_net>().size() == theory::known_statements::size);

/// A user's own, beside the known ones.
struct my_bound {
  static constexpr char const* name = "mine";
  double operator()(theory::small_gauss_newton const& g) const { return 2 * theory::loewner_bound_t::value(g); }
};
using with_mine = decltype(theory::known_statements() + theory::statement_list<my_bound>());
static_assert(bounds_for<linear::deep, with_mine>::contains<my_bound>);

theory::reported_bound const& find(theory::condition_summary const& report, std::string_view name) {
  for (auto const& b : report.bounds)
    if (name == b.name) return b;
  FAIL("no " << name << " in the report");
  return report.bounds.front();
}

bool holds(theory::reported_bound const& b, std::string_view gives) {
  for (auto const& c : b.checks)
    if (gives == c.gives) return c.holds;
  FAIL(b.name << " has no hypothesis for " << gives);
  return false;
}

}  // namespace

TEST_CASE("A report's numbers are the statements' own") {
  using net = linear::wide;
  auto const d = testing::draw<net>({.seed = 4, .samples = 20, .law = testing::weights::gaussian, .data_condition = 9});
  auto const report = theory::condition_report<net>(d.theta, d.inputs);
  theory::linear_gauss_newton<net> const g(d.theta, theory::covariance_of(d.inputs));
  CHECK(report.exact == g.condition_number());
  CHECK(report.rank == 24);
  CHECK(report.order == 24);
  CHECK(std::abs(report.data / 9 - 1) <= 1e-12);
  CHECK(report.bounds.size() == bounds_for<net>::size);
  CHECK(report.refused.size() == theory::relu_network_statements::size);
  CHECK(find(report, "Lemma 2").value == theory::lemma_2(g).value);
  CHECK(find(report, "Rayleigh bound").value == theory::rayleigh_bound(g).value);
  for (auto const& b : report.bounds) {
    CHECK(b.slack == b.value / report.exact);
    if (b.claims != theory::relation::lower_bound) CHECK(b.slack >= 1 - 1e-10);
    if (b.claims != theory::relation::upper_bound) CHECK(b.slack <= 1 + 1e-10);
    CHECK(std::string(b.hypotheses).find("linear") == 0);
    CHECK(!std::string(b.cost).empty());
    CHECK(b.seconds >= 0);
  }
  auto const rows = report.rows();
  REQUIRE(rows.size() == report.bounds.size() + 2);
  CHECK(rows[1].value == report.exact);
  CHECK(rows[2].name == "Lemma 2");
  CHECK(report.text().find("Eq. (7)") != std::string::npos);
  CHECK(report.text().find("not covered: the network ends") == std::string::npos);
  CHECK(report.text().find("ReLU bound by samples is for dense | relu") != std::string::npos);
}

TEST_CASE("Hypotheses that depend on numbers are looked up") {
  using net = linear::wide;
  auto const white = testing::draw<net>({.seed = 1, .samples = 20, .law = testing::weights::gaussian});
  auto const on_white = theory::condition_report<net>(white.theta, white.inputs);
  CHECK(holds(find(on_white, "Lemma 2"), "equality"));
  CHECK(std::abs(find(on_white, "Lemma 2").slack - 1) <= 1e-10);
  CHECK(holds(find(on_white, "Rayleigh bound"), "more than 1"));
  auto const spread =
      testing::draw<net>({.seed = 1, .samples = 20, .law = testing::weights::gaussian, .data_condition = 100});
  auto const on_spread = theory::condition_report<net>(spread.theta, spread.inputs);
  CHECK(!holds(find(on_spread, "Lemma 2"), "equality"));
  CHECK(find(on_spread, "Lemma 2").slack > 1.01);
  CHECK(holds(find(on_spread, "Loewner bound"), "equality"));
  CHECK(std::abs(find(on_spread, "Loewner bound").slack - 1) <= 1e-10);

  auto const necked = testing::draw<linear::bottleneck>({.seed = 4, .samples = 20, .law = testing::weights::gaussian});
  auto const vacuous = theory::condition_report<linear::bottleneck>(necked.theta, necked.inputs);
  CHECK(find(vacuous, "Lemma 2").value == std::numeric_limits<double>::infinity());
  CHECK(!holds(find(vacuous, "Lemma 2"), "finite"));
  CHECK(holds(find(vacuous, "bottleneck bound"), "equality"));
  CHECK(std::abs(find(vacuous, "bottleneck bound").slack - 1) <= 1e-10);
  CHECK(!holds(find(vacuous, "Rayleigh bound"), "more than 1"));
  CHECK(find(vacuous, "Rayleigh bound").value == 1);
  CHECK(std::isfinite(find(vacuous, "flag bound").value));
  CHECK(vacuous.text().find("vacuous") != std::string::npos);
  CHECK(vacuous.text().find("finite: no (W W' or V'V is nonsingular)") != std::string::npos);
}

TEST_CASE("A report on a network with ReLU, and one that may not compute the exact number") {
  counter_random random(3);
  auto theta = zeros<double>(relu_net::parameter_count);
  for (double& x : elements(theta)) x = random.normal();
  auto inputs = zeros<float>(4, 5);
  for (float& x : elements(inputs)) x = static_cast<float>(random.normal());
  auto const report = theory::condition_report<relu_net>(theta, inputs);
  CHECK(report.order == 12);
  CHECK(report.bounds.size() == 5);
  CHECK(std::abs(find(report, "the ReLU kernel matrix").slack - 1) <= 1e-12);
  CHECK(find(report, "ReLU bound by samples").slack >= 1);
  CHECK(report.refused.front().reason.n > 0);

  auto const d = testing::draw<linear::deep>({.seed = 1, .samples = 20, .law = testing::weights::gaussian});
  auto const cheap =
      theory::condition_report<linear::deep>(d.theta, d.inputs, {.largest_order = 3, .matrix_free = false});
  CHECK(std::isnan(cheap.exact));
  CHECK(std::isnan(find(cheap, "Loewner bound").slack));
  CHECK(std::isfinite(find(cheap, "Loewner bound").value));
  CHECK(cheap.exact_by == "not computed");
  auto const free = theory::condition_report<linear::deep>(d.theta, d.inputs, {.largest_order = 3});
  theory::linear_gauss_newton<linear::deep> const g(d.theta, theory::covariance_of(d.inputs));
  CHECK(std::abs(free.exact / g.condition_number() - 1) <= 1e-9);
  CHECK(free.exact_by.find("matrix-free, ") == 0);
}
