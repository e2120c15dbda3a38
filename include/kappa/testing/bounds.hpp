#pragma once
/// \file
/// Catch2 matchers and generators for statements about condition numbers, for Catch2 2.13 and 3:
///
///     REQUIRE_THAT(network_of<mine>, satisfies<theory::eq_7>());
///     REQUIRE_THAT(theory::lemma_2, is_exact_for<mine>(sweep{.instances = 100, .whitened = true}));
///     REQUIRE_THAT(my_guess{}, is_violated_by<mine>());
///     auto const d = GENERATE(instances_of<mine>(sweep{.instances = 20}));

#include <memory>
#include <ostream>
#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_tostring.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_templated.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <kappa/testing/sweep.hpp>
#include <kappa/theory/bounds.hpp>
#include <kappa/theory/lower_bounds.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace testing {

/// A network type as a value, for assertions; `network_of<mine>` and `mine{}` do the same.
template <network_type Net>
struct network_value {
  friend std::ostream& operator<<(std::ostream& out, network_value) { return out << "the network"; }
};
template <network_type Net>
inline constexpr network_value<Net> network_of{};

namespace detail {

#if __has_include(<catch2/catch_all.hpp>)
using any_matcher = Catch::Matchers::MatcherGenericBase;
template <class T>
Catch::Generators::GeneratorWrapper<T> wrapped(Catch::Generators::IGenerator<T>* made) {
  return Catch::Generators::GeneratorWrapper<T>(Catch::Detail::unique_ptr<Catch::Generators::IGenerator<T>>(made));
}
#else
using any_matcher = Catch::Matchers::Impl::MatcherUntypedBase;
template <class T>
Catch::Generators::GeneratorWrapper<T> wrapped(Catch::Generators::IGenerator<T>* made) {
  return Catch::Generators::GeneratorWrapper<T>(std::unique_ptr<Catch::Generators::IGenerator<T>>(made));
}
#endif

/// A matcher that has run a sweep describes itself by the verdict's text; Catch2 may copy it after it has matched.
class sweeping_matcher : public any_matcher {
 public:
  sweeping_matcher(char const* what, sweep const& plan, std::string before)
      : verb(what), plan_tried(plan), last(std::make_shared<std::string>(std::move(before))) {}
  std::string describe() const override { return std::string(verb) + " " + *last; }

 protected:
  template <network_type Net, theory::statement Statement>
  verdict run(Statement const& s, theory::relation claims) const {
    verdict v = try_statement<Net>(s, plan_tried, claims);
    *last = v.text();
    return v;
  }

 private:
  char const* verb;
  sweep plan_tried;
  std::shared_ptr<std::string> last;
};

}  // namespace detail

/// Runs a sweep of its statement on the network it is matched with.
template <theory::statement Statement>
class statement_matcher : public detail::sweeping_matcher {
 public:
  statement_matcher(Statement s, sweep const& plan, theory::relation claims)
      : sweeping_matcher(claims == theory::relation::equality ? "attains" : "satisfies", plan, Statement::name),
        stated(s),
        relation_claimed(claims) {}

  template <network_type Net>
  bool match(network_value<Net> const&) const {
    return this->template run<Net>(stated, relation_claimed).holds();
  }
  template <network_type Net>
  bool match(Net const&) const {
    return match(network_of<Net>);
  }

 private:
  Statement stated;
  theory::relation relation_claimed;
};

/// Runs a sweep of the statement it is matched with on its network; what it wants of the verdict is its policy.
template <network_type Net, bool Violated>
class network_matcher : public detail::sweeping_matcher {
 public:
  explicit network_matcher(sweep const& plan)
      : sweeping_matcher(Violated ? "is violated by:" : "is exact for:", plan, "a network") {}

  template <theory::statement Statement>
  bool match(Statement const& s) const {
    if constexpr (Violated) {
      return this->template run<Net>(s, theory::detail::relation_of<Statement>()).failures > 0;
    } else {
      return this->template run<Net>(s, theory::relation::equality).holds();
    }
  }
};

/// Matches networks on which a statement holds over a sweep of random weights and data.
template <theory::statement Statement>
statement_matcher<Statement> satisfies(Statement s, sweep const& plan = {}) {
  return {s, plan, theory::detail::relation_of<Statement>()};
}
/// The same for a statement that is a constant: satisfies<theory::eq_7>(sweep{...}).
template <auto Statement>
requires theory::statement<std::remove_cvref_t<decltype(Statement)>>
auto satisfies(sweep const& plan = {}) { return satisfies(std::remove_cvref_t<decltype(Statement)>(), plan); }

/// Matches networks on which a bound is an equality over a sweep, wherever it is finite.
template <theory::statement Statement>
statement_matcher<Statement> attains(Statement s, sweep const& plan = {}) {
  return {s, plan, theory::relation::equality};
}
template <auto Statement>
requires theory::statement<std::remove_cvref_t<decltype(Statement)>>
auto attains(sweep const& plan = {}) { return attains(std::remove_cvref_t<decltype(Statement)>(), plan); }

/// Matches statements that are equalities on the network over a sweep, wherever they are finite.
template <network_type Net>
network_matcher<Net, false> is_exact_for(sweep const& plan = {}) {
  return network_matcher<Net, false>(plan);
}

/// Matches statements that fail on at least one instance of a sweep.
template <network_type Net>
network_matcher<Net, true> is_violated_by(sweep const& plan = {}) {
  return network_matcher<Net, true>(plan);
}

/// One instance of a sweep with its weights and data, as a generator gives it.
template <drawable Net>
struct random_network {
  instance which;
  vector<double> theta;   ///< [P]
  matrix<double> inputs;  ///< [n, d]

  friend std::ostream& operator<<(std::ostream& out, random_network const& n) { return out << n.which.text(); }
};

namespace detail {

template <drawable Net>
class instance_generator final : public Catch::Generators::IGenerator<random_network<Net>> {
 public:
  explicit instance_generator(sweep const& plan) : plan_drawn(plan) { draw_next(); }
  random_network<Net> const& get() const override { return current; }
  bool next() override {
    if (++index >= plan_drawn.instances) return false;
    draw_next();
    return true;
  }

 private:
  void draw_next() {
    current.which = planned_for<Net>(plan_drawn, index);
    auto all = draw<Net>(current.which);
    current.theta = std::move(all.theta), current.inputs = std::move(all.inputs);
  }

  sweep plan_drawn;
  int index = 0;
  random_network<Net> current;
};

}  // namespace detail

/// A Catch2 generator of the instances a sweep tries: GENERATE(instances_of<mine>(sweep{.instances = 20})).
template <drawable Net>
auto instances_of(sweep const& plan = {}) {
  return detail::wrapped<random_network<Net>>(new detail::instance_generator<Net>(plan));
}

}  // namespace testing
}  // namespace kappa::inline KAPPA_ARCH

/// Assertions print a statement by its name, a network by its widths.
template <kappa::theory::statement S>
struct Catch::StringMaker<S, void> {
  static std::string convert(S const&) { return S::name; }
};
template <kappa::testing::drawable Net>
struct Catch::StringMaker<Net, void> {
  static std::string convert(Net const&) { return kappa::testing::detail::name_of_network<Net>(); }
};
