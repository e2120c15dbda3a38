// Lemma 2, Eq. (7) and their kin on random linear networks of every regime of widths: no violation as read in
// theory/bounds.hpp, and violations as soon as they are read otherwise.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "theory_networks.hpp"
#include "theory_tally.hpp"
#include "worst.hpp"

#include <kappa/theory.hpp>

using namespace kappa;
using linear::tally;
using linear::try_on;
using testing::sweep;

namespace {

/// Lemma 2 with the smallest non-zero singular values: what a routine for singular values calls the smallest.
struct misread_lemma_2 {
  static constexpr char const* name = "Lemma 2, misread";
  static constexpr theory::hypothesis needs = theory::hypothesis::one_hidden_layer;
  double operator()(theory::small_gauss_newton const& g) const {
    auto const w = g.left_spectrum(0), v = g.right_spectrum(1);
    return g.data().condition_number() * (w.largest + v.largest) / (w.smallest_non_zero + v.smallest_non_zero);
  }
};

/// Eq. (7) with the smallest non-zero eigenvalues.
struct misread_eq_7 {
  static constexpr char const* name = "Eq. (7), misread";
  double operator()(theory::small_gauss_newton const& g) const {
    double over = 0, under = 0;
    for (std::size_t l = 0; l < g.depth(); ++l) {
      over += g.left_spectrum(l).largest * g.right_spectrum(l).largest;
      under += g.left_spectrum(l).smallest_non_zero * g.right_spectrum(l).smallest_non_zero;
    }
    return g.data().condition_number() * over / under;
  }
};

/// The Loewner bound with A_l and C_l = diag(√s) B_l diag(√s) bounded the wrong way round.
struct inverted_loewner {
  static constexpr char const* name = "Loewner, ends exchanged";
  double operator()(theory::small_gauss_newton const& g) const {
    auto above = zeros<double>(g.data().rank(), g.data().rank());
    auto below = above;
    for (std::size_t l = 0; l < g.depth(); ++l) {
      auto const c = g.weighted_right(l);
      for (std::size_t i = 0; i < c.size(); ++i) {
        above.data()[i] += g.left_spectrum(l).smallest * c.data()[i];
        below.data()[i] += g.left_spectrum(l).largest * c.data()[i];
      }
    }
    auto const high = lapack::symmetric_eigenvalues(above), low = lapack::symmetric_eigenvalues(below);
    return high(0) / low(low.size() - 1);
  }
};

}  // namespace

TEST_CASE("Lemma 2 has no violation on 1,200 random networks of one hidden layer") {
  auto const t = try_on<linear::one_hidden_layer>(theory::lemma_2, {.instances = 200, .seed = 1000});
  CHECK(t.instances == 1200);
  CHECK(t.failures == 0);
  CHECK(t.decided() >= 600);
  CHECK(t.undecided <= 60);
}

TEST_CASE("Eq. (7) has no violation on 1,400 random linear networks, rectangular and bottleneck ones among them") {
  auto const t = try_on<linear::all>(theory::eq_7, {.instances = 100, .seed = 2000});
  CHECK(t.instances == 1400);
  CHECK(t.failures == 0);
  CHECK(t.decided() >= 600);
  CHECK(t.undecided <= 70);
}

TEST_CASE("The other upper bounds have no violation either") {
  auto const plan = sweep{.instances = 100, .seed = 3000};
  for (auto const& t : {try_on<linear::all>(theory::eq_7_convex, plan), try_on<linear::all>(theory::max_bound, plan),
                        try_on<linear::all>(theory::loewner_bound, plan)}) {
    CHECK(t.failures == 0);
    CHECK(t.decided() >= 400);
  }
  auto const flag = try_on<linear::all>(theory::flag_bound, plan);
  CHECK(flag.failures == 0);
  CHECK(flag.vacuous == 0);  // finite in every regime of widths
  CHECK(flag.decided() >= 1200);
  auto const neck = try_on<linear::one_hidden_layer>(theory::bottleneck_bound, plan);
  CHECK(neck.failures == 0);
  CHECK(neck.vacuous == 0);
}

TEST_CASE("Misread with non-zero singular values, both are violated") {
  for (auto const& v : {testing::try_statement<linear::bottleneck>(misread_lemma_2{}),
                        testing::try_statement<linear::between>(misread_lemma_2{}),
                        testing::try_statement<linear::early_bottleneck>(misread_eq_7{}),
                        testing::try_statement<linear::late_bottleneck>(misread_eq_7{})}) {
    INFO(v.text());
    CHECK(v.failures > 20);
    CHECK(!v.holds());
    REQUIRE(v.smallest);
    CHECK(v.smallest->exact > 1.01 * v.smallest->stated);
  }
  CHECK(testing::try_statement<linear::deep>(inverted_loewner{}).failures > 20);
  // The right readings on the same networks.
  CHECK(testing::try_statement<linear::bottleneck>(theory::lemma_2).failures == 0);
  CHECK(testing::try_statement<linear::bottleneck>(theory::flag_bound).holds());
  CHECK(testing::try_statement<linear::early_bottleneck>(theory::flag_bound).holds());
}

TEST_CASE("Lemma 2 is an equality on white data") {
  double worst = 0;
  int equalities = 0;
  linear::for_each<linear::one_hidden_layer>([&]<class Net>(std::type_identity<Net>) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      auto const d = testing::draw<Net>({.seed = seed, .samples = 12, .law = testing::weights::gaussian});
      theory::linear_gauss_newton<Net> const g(d.theta, theory::covariance_of(d.inputs));
      double const stated = theory::lemma_2(g).value, exact = g.condition_number();
      if (!std::isfinite(stated) || exact > 1e4) continue;
      worst = worst_of(worst, std::abs(stated / exact - 1));
      ++equalities;
    }
  });
  CHECK(equalities > 200);
  CHECK(worst <= 1e-10);

  auto const plan = sweep{.instances = 60, .whitened = true, .may_be_vacuous = true};
  auto const white = try_on<linear::one_hidden_layer>(theory::lemma_2, plan);
  CHECK(white.failures == 0);
  CHECK(testing::try_statement<linear::wide>(theory::lemma_2, plan, theory::relation::equality).holds());
  // The bottleneck's form is one where neither W Wᵀ nor VᵀV has full rank.
  for (auto law : {testing::weights::orthogonal, testing::weights::gaussian, testing::weights::rank_deficient})
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      auto const d = testing::draw<linear::bottleneck>({.seed = seed, .samples = 12, .law = law});
      theory::linear_gauss_newton<linear::bottleneck> const g(d.theta, theory::covariance_of(d.inputs));
      CHECK(std::abs(theory::bottleneck_bound(g).value / g.condition_number() - 1) <= 1e-10);
      CHECK(std::abs(theory::flag_bound(g).value / g.condition_number() - 1) <= 1e-10);
    }
  // On data that are not white it is a bound and no more.
  CHECK(!testing::try_statement<linear::wide>(theory::lemma_2, {}, theory::relation::equality).holds());
}

TEST_CASE("How the bounds stand to one another") {
  int finite = 0, tighter = 0;
  linear::for_each<linear::all>([&]<class Net>(std::type_identity<Net>) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      auto const d =
          testing::draw<Net>({.seed = seed, .samples = 12, .law = testing::weights::gaussian, .data_condition = 50});
      theory::linear_gauss_newton<Net> const g(d.theta, theory::covariance_of(d.inputs));
      double const seven = theory::eq_7(g).value;
      double const convex = theory::eq_7_convex(g).value, loosest = theory::max_bound(g).value;
      CHECK(seven <= loosest * (1 + 1e-12));
      CHECK(std::isfinite(convex) == std::isfinite(loosest));
      if (std::isfinite(convex)) CHECK(std::abs(convex / seven - 1) <= 1e-12);
      if constexpr (theory::one_hidden_layer<Net>) {
        // Eq. (7) at depth two is Lemma 2: as doubles, or both infinite.
        double const two = theory::lemma_2(g).value;
        CHECK((two == seven || std::abs(two / seven - 1) <= 1e-12));
      }
      double const loewner = theory::loewner_bound(g).value, exact = g.condition_number();
      CHECK(loewner <= seven * (1 + 1e-12));
      // The Loewner bound is exact at depth two and for one output.
      if ((g.depth() == 2 || g.outputs() == 1) && std::isfinite(loewner)) CHECK(std::abs(loewner / exact - 1) <= 1e-10);
      if (g.depth() > 3 && std::isfinite(loewner)) {
        tighter += loewner < 0.9 * seven;
        CHECK(loewner > exact * (1 + 1e-6));
      }
      if (std::isfinite(seven)) {
        CHECK(g.rank() == g.order());  // a finite bound says that G has full rank k r
        CHECK(std::abs(theory::flag_bound(g).value / seven - 1) <= 1e-12);
        ++finite;
      }
    }
  });
  CHECK(finite > 150);
  CHECK(tighter > 5);
}
