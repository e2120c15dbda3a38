#pragma once
/// \file
/// One statement tried on a list of networks.

#include <catch2/catch.hpp>

#include "theory_networks.hpp"

#include <kappa/testing/sweep.hpp>

namespace linear {

using testing::sweep;
using testing::verdict;

/// What a list of networks gives together.
struct tally {
  int instances = 0, failures = 0, vacuous = 0, undecided = 0;
  void operator+=(verdict const& v) {
    instances += v.tried.instances;
    failures += v.failures;
    vacuous += v.vacuous;
    undecided += v.undecided;
    if (v.failures > 0) UNSCOPED_INFO(v.text());
  }
  int decided() const { return instances - vacuous - undecided; }
};

template <class List>
tally try_on(auto statement, sweep const& plan) {
  tally total;
  linear::for_each<List>(
      [&]<class Net>(std::type_identity<Net>) { total += testing::try_statement<Net>(statement, plan); });
  return total;
}

/// A statement times a factor: a bound that is attained somewhere is one no longer.
template <class Statement, int Percent>
struct percent_of {
  static constexpr char const* name = "some percent of a statement";
  static constexpr theory::hypothesis needs = theory::detail::needs_of<Statement>();
  static constexpr theory::relation claims = theory::detail::relation_of<Statement>();
  static constexpr auto value(auto const& g) { return Statement::value(g) * (Percent / 100.0); }
  double operator()(theory::small_gauss_newton const& g) const { return value(g); }
};

}  // namespace linear
