// Every statement about linear networks on more than 500 random instances each, against the Gauss-Newton matrix made of
// brute-force Jacobians, and in intervals: what holds is proved, whatever rounding did.
// KAPPA_LONG_TESTS=1 tries ten times as many.
#include <catch2/catch.hpp>

#include <cmath>
#include <map>
#include <string>

#include "theory_brute_force.hpp"
#include "theory_networks.hpp"

#include <kappa/testing/sweep.hpp>
#include <kappa/theory.hpp>

using namespace kappa;
using testing::outcome;
using theory::relation;

namespace {

struct small_square : network<input<3> | repeat<3>(dense<3, no_bias>)> {};
struct small_equal : network<input<2> | repeat<2>(dense<4, no_bias>) | dense<3, no_bias>> {};
struct narrow_hidden : network<input<3> | dense<2, no_bias> | dense<3, no_bias>> {};
using networks = std::tuple<linear::wide, linear::between, linear::between_outputs, linear::bottleneck, linear::single,
                            linear::rectangular, linear::early_bottleneck, linear::late_bottleneck, linear::one_output,
                            linear::one_input, linear::residuals, small_square, small_equal, narrow_hidden>;

/// The outputs of all samples for a chain of layers a W + b I, written as a user would by hand.
template <class Net>
brute_force::duals forward(brute_force::duals const& theta, matrix<double> const& inputs) {
  brute_force::duals all;
  for (std::size_t i = 0; i < inputs.shape(0); ++i) {
    brute_force::duals x;
    for (std::size_t j = 0; j < inputs.shape(1); ++j) x.emplace_back(inputs(i, j));
    for (auto const& layer : theory::linear_layers<Net>()) {
      brute_force::duals y;
      for (int r = 0; r < layer.outputs; ++r) {
        brute_force::dual z =
            layer.shift == 0 ? brute_force::dual(0) : brute_force::dual(layer.shift) * x[static_cast<std::size_t>(r)];
        for (int c = 0; c < layer.inputs; ++c)
          z += brute_force::dual(layer.gain) * theta[static_cast<std::size_t>(layer.offset + r * layer.inputs + c)] *
               x[static_cast<std::size_t>(c)];
        y.push_back(z);
      }
      x = y;
    }
    all.insert(all.end(), x.begin(), x.end());
  }
  return all;
}

struct count {
  int instances = 0, failures = 0, proved = 0, attained = 0, vacuous = 0, undecided = 0;
};

}  // namespace

TEST_CASE("Every statement, at least 500 instances, none violated") {
  int const each = brute_force::long_tests() ? 1000 : 100;
  std::map<std::string, count> counts;
  int instances = 0, rank_mismatches = 0, outside = 0, unequal = 0, equalities = 0;
  linear::for_each<networks>([&]<class Net>(std::type_identity<Net>) {
    auto const plan = testing::sweep{.seed = 90000, .largest_data_condition = 1e3, .rigorous = true};
    for (int i = 0; i < each; ++i) {
      auto which = testing::detail::planned(plan, i, Net::input_shape.size());
      which.samples = std::min(which.samples, Net::input_shape.size() + 1);
      auto const d = testing::draw<Net>(which);
      theory::linear_gauss_newton<Net> const g(d.theta, theory::covariance_of(d.inputs));
      theory::enclosed_gauss_newton const in(g);
      auto const spectrum =
          brute_force::spectrum([&](brute_force::duals const& theta) { return forward<Net>(theta, d.inputs); },
                                {d.theta.begin(), d.theta.end()}, d.inputs.shape(0));
      auto const [exact, rounding] = brute_force::condition_of(spectrum, in.rank());
      ++instances;
      if (rounding > 1e-3 || !in.decided()) continue;
      rank_mismatches += theory::ends_of(elements(spectrum)).rank != in.rank();
      auto const enclosed = in.condition_number();
      outside += !(enclosed.lower() <= exact * (1 + rounding) && exact <= enclosed.upper() * (1 + rounding));
      theory::bounds_for<Net>::for_each([&]<class S>(S statement) {
        count& c = counts[S::name];
        ++c.instances;
        auto const t = testing::detail::judge(which, theory::detail::relation_of<S>(), enclosed, S::value(in));
        c.failures += t.result == outcome::fails;
        c.proved += t.result == outcome::holds;
        c.attained += t.result == outcome::attained;
        c.vacuous += t.result == outcome::vacuous;
        c.undecided += t.result == outcome::undecided;
        // In doubles, against the brute force.
        double const stated = statement(g).value;
        auto const claims = theory::detail::relation_of<S>();
        if (claims != relation::lower_bound) c.failures += !(exact <= stated * (1 + rounding));
        if (claims != relation::upper_bound) c.failures += !(stated <= exact * (1 + rounding));
        if (claims == relation::equality && exact < 50) {
          ++equalities;
          unequal += std::abs(stated / exact - 1) > 1e-12;
        }
      });
    }
  });
  CHECK(rank_mismatches == 0);
  CHECK(outside == 0);
  CHECK(unequal == 0);
  CHECK(equalities > 100);
  CHECK(counts.size() == theory::linear_statements::size);
  for (auto const& [name, c] : counts) {
    INFO(name << ": " << c.instances << " instances, " << c.proved << " proved, " << c.attained << " equal, "
              << c.vacuous << " vacuous, " << c.undecided << " undecided");
    CHECK(c.failures == 0);
    CHECK(c.instances >= 500);
    CHECK(5 * c.undecided <= c.instances);
    if (name != "the one-hidden-layer formula") CHECK(c.proved >= 60);
  }
  CHECK(instances == 14 * each);
}
