#pragma once
/// \file
/// Catch2 matchers for statements about condition numbers, for Catch2 2.13 and 3:
///
///     REQUIRE_THAT(network_of<mine>, satisfies(theory::eq_7));
///     REQUIRE_THAT(network_of<mine>, attains(theory::lemma_2, sweep{.instances = 100, .whitened = true}));

#include <memory>
#include <ostream>
#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/matchers/catch_matchers_templated.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <kappa/testing/sweep.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace testing {

/// A network type as a value, for assertions.
template <network_type Net>
struct network_value {
  friend std::ostream& operator<<(std::ostream& out, network_value) { return out << "the network"; }
};
template <network_type Net>
inline constexpr network_value<Net> network_of{};

namespace detail {

#if __has_include(<catch2/catch_all.hpp>)
using any_matcher = Catch::Matchers::MatcherGenericBase;
#else
using any_matcher = Catch::Matchers::Impl::MatcherUntypedBase;
#endif

}  // namespace detail

/// Runs a sweep of its statement on the network it is matched with; its description is the verdict's text.
template <theory::statement Statement>
class statement_matcher : public detail::any_matcher {
 public:
  statement_matcher(Statement s, sweep const& plan, theory::relation claims)
      : stated(s), plan_tried(plan), relation_claimed(claims), last(std::make_shared<std::string>(Statement::name)) {}

  template <network_type Net>
  bool match(network_value<Net> const&) const {
    verdict const v = try_statement<Net>(stated, plan_tried, relation_claimed);
    *last = v.text();
    return v.holds();
  }
  std::string describe() const override {
    return (relation_claimed == theory::relation::equality ? "attains " : "satisfies ") + *last;
  }

 private:
  Statement stated;
  sweep plan_tried;
  theory::relation relation_claimed;
  std::shared_ptr<std::string> last;  // Catch2 may copy a matcher after it has matched
};

/// Matches networks on which a statement holds over a sweep of random weights and data.
template <theory::statement Statement>
statement_matcher<Statement> satisfies(Statement s, sweep const& plan = {}) {
  return {s, plan, theory::detail::relation_of<Statement>()};
}

/// Matches networks on which a bound is an equality over a sweep, wherever it is finite.
template <theory::statement Statement>
statement_matcher<Statement> attains(Statement s, sweep const& plan = {}) {
  return {s, plan, theory::relation::equality};
}

}  // namespace testing
}  // namespace kappa::inline KAPPA_ARCH
