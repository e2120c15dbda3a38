// A project's own unit test of a bound, and of one that is false: nothing but Catch2 and the installed kappa.
// [consumer]
#include <catch2/catch.hpp>
#include <kappa/declare.hpp>
#include <kappa/testing/bounds.hpp>

using namespace kappa;
using namespace kappa::testing;

struct my_net : network<input<4> | dense<7, no_bias> | dense<6, no_bias> | dense<3, no_bias>> {};

TEST_CASE("Eq. (7) holds for my network") { REQUIRE_THAT(my_net{}, satisfies<theory::eq_7>(sweep{.rigorous = true})); }
// [/consumer]

// [consumer_false]
/// A deliberately false bound: the sum of Eq. (7) without the data.
struct forgets_the_data {
  static constexpr char const* name = "Eq. (7) without the data";
  double operator()(theory::small_gauss_newton const& g) const { return theory::eq_7_t::value(g) / g.data_condition(); }
};

TEST_CASE("A false bound", "[.false]") { REQUIRE_THAT(my_net{}, satisfies(forgets_the_data{})); }
// [/consumer_false]
