// The kit for users' own tests: a statement that holds passes, a false one fails and says where.
// [a_test]
#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/testing/bounds.hpp>

using namespace kappa;
using namespace kappa::testing;

struct mine : network<input<5> | dense<8, no_bias> | dense<3, no_bias>> {};

TEST_CASE("The bounds hold for my network") {
  REQUIRE_THAT(network_of<mine>, satisfies<theory::eq_7>());
  REQUIRE_THAT(network_of<mine>, satisfies<theory::eq_7>(sweep{.instances = 50, .rigorous = true}));
  REQUIRE_THAT(theory::lemma_2, is_exact_for<mine>(sweep{.instances = 100, .seed = 7, .whitened = true}));
}
// [/a_test]

// [a_statement]
/// A guess: the data's condition number bounds the network's.
struct my_guess {
  static constexpr char const* name = "my guess";
  double operator()(theory::small_gauss_newton const& g) const { return g.data().condition_number(); }
};
// [/a_statement]

namespace {

struct tenth_less {
  static constexpr char const* name = "nine tenths of Lemma 2";
  static constexpr theory::hypothesis needs = theory::hypothesis::one_hidden_layer;
  double operator()(auto const& g) const { return 0.9 * theory::lemma_2(g).value; }
};

struct generic_tenth_less {
  static constexpr char const* name = "nine tenths of Lemma 2, for any number";
  static constexpr theory::hypothesis needs = theory::hypothesis::one_hidden_layer;
  static auto value(auto const& g) { return theory::lemma_2_t::value(g) * 0.9; }
  double operator()(theory::small_gauss_newton const& g) const { return value(g); }
};

struct without_data {
  static constexpr char const* name = "Eq. (7) without the data";
  double operator()(auto const& g) const { return theory::eq_7(g).value / g.data().condition_number(); }
};

struct floor_of_one {
  static constexpr char const* name = "at least one";
  static constexpr theory::relation claims = theory::relation::lower_bound;
  double operator()(theory::small_gauss_newton const&) const { return 1; }
};

struct no_number {
  static constexpr char const* name = "not a number";
  double operator()(theory::small_gauss_newton const&) const { return std::numeric_limits<double>::quiet_NaN(); }
};

struct no_bound {
  static constexpr char const* name = "no bound";
  double operator()(theory::small_gauss_newton const&) const { return std::numeric_limits<double>::infinity(); }
};

struct bottleneck : network<input<6> | dense<3, no_bias> | dense<5, no_bias>> {};

std::string digits(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", x);
  return text;
}

/// The verdict on a statement that must fail, whose text must say seed, shapes and both numbers.
template <class Net>
verdict failing(auto statement, sweep const& plan, std::string const& shape) {
  auto const v = try_statement<Net>(statement, plan);
  auto const matcher = satisfies(statement, plan);
  CHECK(!matcher.match(network_of<Net>));
  std::string const text = matcher.describe();
  INFO(text);
  CHECK(!v.holds());
  REQUIRE(v.smallest);
  CHECK(text == "satisfies " + v.text());
  for (std::string const& part :
       {std::string(statement.name), shape, std::to_string(v.failures) + " of " + std::to_string(plan.instances),
        "seed " + std::to_string(v.first->which.seed) + ",", "seed " + std::to_string(v.smallest->which.seed) + ",",
        std::to_string(v.smallest->which.samples) + " samples", digits(v.smallest->exact), digits(v.smallest->stated),
        v.smallest->which.text()})
    CHECK(text.find(part) != std::string::npos);
  return v;
}

}  // namespace

TEST_CASE("Nine tenths of Lemma 2 fails on white data, and shrinks") {
  auto const v = failing<mine>(tenth_less{}, {.instances = 50, .seed = 400, .whitened = true}, "5-8-3 (64 parameters)");
  CHECK(v.failures + v.vacuous + v.undecided == 50);  // an equality less a tenth fails wherever it is finite
  // One sample, orthogonal weights, seed 0: nothing smaller can be drawn.
  CHECK(v.smallest->which == instance{.seed = 0, .samples = 1, .law = weights::orthogonal, .data_condition = 1});
  CHECK(std::abs(v.smallest->exact * 0.9 / v.smallest->stated - 1) <= 1e-12);
}

TEST_CASE("Eq. (7) without the condition number of the data fails, and shrinks to the least spread") {
  auto const v = failing<mine>(without_data{}, {.instances = 50, .seed = 30}, "5-8-3 (64 parameters)");
  CHECK(v.smallest->which.seed < 20);
  CHECK(v.smallest->which.samples == 2);  // one sample has no spread
  CHECK(v.smallest->which.data_condition == 10);
  CHECK(v.smallest->which.law == weights::orthogonal);
}

TEST_CASE("A user's own guess fails") {
  failing<mine>(my_guess{}, {.instances = 40}, "5-8-3 (64 parameters)");
  failing<bottleneck>(no_number{}, {.instances = 10}, "6-3-5 (33 parameters)");
}

TEST_CASE("The smallest failure can be drawn again, and a sweep is reproducible") {
  auto const plan = sweep{.instances = 30, .seed = 11};
  auto const v = try_statement<mine>(my_guess{}, plan);
  REQUIRE(v.smallest);
  auto const d = draw<mine>(v.smallest->which);
  theory::linear_gauss_newton<mine> const g(d.theta, theory::covariance_of(d.inputs));
  CHECK(g.condition_number() == v.smallest->exact);
  CHECK(my_guess{}(g) == v.smallest->stated);
  CHECK(v.smallest->exact > v.smallest->stated);
  CHECK(try_statement<mine>(my_guess{}, plan).text() == v.text());
}

TEST_CASE("Lower bounds and equalities are statements too") {
  CHECK_THAT(network_of<mine>, satisfies(floor_of_one{}));
  CHECK_THAT(network_of<mine>, satisfies(theory::exact_one_hidden_layer));
  CHECK_THAT(network_of<bottleneck>, satisfies(theory::exact_one_hidden_layer));
  CHECK(!attains(floor_of_one{}).match(network_of<mine>));
  CHECK(!attains(theory::eq_7).match(network_of<mine>));
}

TEST_CASE("A bound that says nothing does not pass unnoticed") {
  auto const matcher = satisfies(no_bound{}, {.instances = 20});
  CHECK(!matcher.match(network_of<mine>));
  CHECK(matcher.describe().find("20 vacuous") != std::string::npos);
  CHECK(matcher.describe().find("says nothing") != std::string::npos);
  CHECK_THAT(network_of<mine>, satisfies(no_bound{}, sweep{.instances = 20, .may_be_vacuous = true}));
  // Narrower than input and output, Lemma 2 is infinite unless the data span no more than the hidden layer.
  auto const v = try_statement<bottleneck>(theory::lemma_2);
  CHECK(v.holds());
  CHECK(v.vacuous > 150);
  CHECK(try_statement<bottleneck>(theory::flag_bound).vacuous == 0);
}

TEST_CASE("Data are drawn with the spectrum that was asked for, weights by the law") {
  auto const d = draw<mine>({.seed = 1, .samples = 9, .law = weights::orthogonal, .data_condition = 1e4});
  auto const sigma = theory::covariance_of(d.inputs);
  CHECK(std::abs(sigma.condition_number() / 1e4 - 1) <= 1e-10);
  theory::linear_gauss_newton<mine> const g(d.theta, sigma);
  CHECK(std::abs(g.left_spectrum(0).smallest - 1) <= 1e-12);
  CHECK(std::abs(g.right_spectrum(1).largest - 1) <= 1e-12);
  auto const white = draw<mine>({.seed = 1, .samples = 9, .law = weights::rank_deficient});
  theory::linear_gauss_newton<mine> const deficient(white.theta, theory::covariance_of(white.inputs));
  CHECK(std::abs(deficient.data().condition_number() - 1) <= 1e-12);
  CHECK(deficient.left_spectrum(0).rank == 2);
  CHECK(deficient.right_spectrum(1).rank == 4);
}

TEST_CASE("The matchers' other spellings") {
  CHECK_THAT(mine{}, satisfies<theory::loewner_bound>(sweep{.instances = 20}));
  CHECK_THAT(network_of<mine>, satisfies(theory::rayleigh_bound, sweep{.instances = 20}));
  CHECK_THAT(mine{}, attains<theory::loewner_bound>(sweep{.instances = 20}));
  CHECK_THAT(my_guess{}, is_violated_by<mine>());
  CHECK(!is_violated_by<mine>().match(theory::eq_7));
  CHECK(!is_exact_for<mine>().match(theory::eq_7));
  auto const exact = is_exact_for<mine>(sweep{.instances = 30});
  CHECK(exact.match(theory::exact_one_hidden_layer));
  CHECK(exact.describe().find("is exact for: the one-hidden-layer formula on network 5-8-3") == 0);
  CHECK(Catch::StringMaker<theory::eq_7_t>::convert(theory::eq_7) == "Eq. (7)");
}

TEST_CASE("A verdict tells the tightest and the loosest instance") {
  auto const v = try_statement<mine>(theory::eq_7, {.instances = 60});
  REQUIRE(v.tightest);
  REQUIRE(v.loosest);
  CHECK(v.tightest->slack() >= 1 - 1e-12);
  CHECK(v.loosest->slack() > 2 * v.tightest->slack());
  for (trial const& t : {*v.tightest, *v.loosest}) {  // drawn again, they are the same
    auto const d = draw<mine>(t.which);
    theory::linear_gauss_newton<mine> const g(d.theta, theory::covariance_of(d.inputs));
    CHECK(theory::eq_7(g).value / g.condition_number() == t.slack());
    CHECK(v.text().find("stated / exact " + digits(t.slack()) + ", seed " + std::to_string(t.which.seed)) !=
          std::string::npos);
  }
}

TEST_CASE("A generator gives the instances of a sweep") {
  static int seen = 0;
  auto const plan = sweep{.instances = 7, .seed = 3};
  auto const n = GENERATE_COPY(instances_of<mine>(plan));
  CHECK(n.which.seed == plan.seed + static_cast<std::uint64_t>(seen));
  CHECK(n.inputs == draw<mine>(n.which).inputs);
  CHECK(n.theta.size() == 64);
  if (++seen == 7) CHECK(n.which.law == weights::bottlenecked);
}

TEST_CASE("In intervals a false bound is refuted and a true one proved") {
  auto const plan = sweep{.instances = 60, .seed = 2, .rigorous = true};
  auto const held = try_statement<mine>(theory::eq_7, plan);
  CHECK(held.holds());
  CHECK(held.attained + held.undecided + held.vacuous <= 20);  // one sample, white data, near singular
  auto const equal = try_statement<mine>(theory::exact_one_hidden_layer, plan);
  CHECK(equal.holds());
  CHECK(equal.attained >= 45);
  auto const refuted = try_statement<mine>(generic_tenth_less{}, {.instances = 40, .whitened = true, .rigorous = true});
  CHECK(refuted.failures > 30);
  REQUIRE(refuted.smallest);
  CHECK(refuted.smallest->exact - refuted.smallest->exact_error >
        refuted.smallest->stated + refuted.smallest->stated_error);
  CHECK(refuted.text().find(" +- ") != std::string::npos);
  // Written for doubles only, a statement has nothing to say in intervals.
  CHECK_THROWS_AS(try_statement<mine>(my_guess{}, plan), invalid_value);
}

TEST_CASE("Weights and data by law") {
  auto const half = random_weight(6, 8, weights::bottlenecked, 1);
  CHECK(theory::ends_of(elements(lapack::symmetric_eigenvalues(lapack::gram(half)))).rank == 3);
  for (auto [law, variance] : {std::pair{weights::gaussian, 1. / 400}, std::pair{weights::kaiming, 2. / 400},
                               std::pair{weights::xavier, 2. / 600}}) {
    auto const w = random_weight(200, 400, law, 5);
    double squares = 0;
    for (double const x : w) squares += x * x;
    CHECK(std::abs(squares / 80000 / variance - 1) < 0.03);  // the standard error is 0.005
  }
  std::vector<double> const spectrum{9, 4, 0.5};
  auto const sigma = theory::covariance_of(random_inputs(12, 5, spectrum, 8));
  REQUIRE(sigma.rank() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(std::abs(sigma.eigenvalues()(i) / spectrum[i] - 1) <= 1e-12);
  CHECK_THROWS_AS(random_inputs(2, 5, spectrum, 8), shape_mismatch);
  CHECK_THROWS_AS(random_inputs(9, 5, std::vector<double>{1, 0}, 8), invalid_value);
}
