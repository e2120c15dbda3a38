// The condition number of a linear network's Gauss-Newton matrix beside what theory says about it: what
// docs/conditioning.md quotes. Returns 1 when a bound is violated.

#include <cmath>
#include <cstdio>
#include <string_view>

#include <kappa/declare.hpp>
#include <kappa/testing/random_instance.hpp>
#include <kappa/theory.hpp>

namespace {

using namespace kappa;

// [networks]
struct wide : network<input<20> | dense<60, no_bias> | dense<10, no_bias>> {};
struct narrow : network<input<20> | dense<5, no_bias> | dense<10, no_bias>> {};
struct deep : network<input<20> | repeat<3>(dense<60, no_bias>) | dense<10, no_bias>> {};
struct skipping : network<input<20> | repeat<3>(residual(dense<20, no_bias>)) | dense<10, no_bias>> {};

static_assert(theory::one_hidden_layer<wide> && theory::linear_network<skipping>);
static_assert(theory::generic_rank<wide>() == 200);    // k d: the Gauss-Newton matrix is as full as it can be
static_assert(theory::generic_rank<narrow>() == 125);  // r (d + k - r) behind a bottleneck r
// [/networks]

// [bounds_for]
static_assert(theory::bounds_for<wide>::contains<theory::lemma_2_t>);
static_assert(!theory::bounds_for<deep>::contains<theory::lemma_2_t>);
constexpr theory::refused_statement why = theory::refusals_for<deep>()[0];  // "4 dense layers: Lemma 2 is for 2, ..."
// [/bounds_for]
static_assert(std::string_view(why.reason.s).starts_with("4 dense layers: Lemma 2 is for 2"));

template <class Net>
bool report(char const* title, double data_condition) {
  auto const [theta, inputs] = testing::draw<Net>(
      {.seed = 1, .samples = 200, .law = testing::weights::gaussian, .data_condition = data_condition});
  // [report]
  auto const summary = theory::condition_report<Net>(theta, inputs);  // inputs [n, d]; name, value, value / exact
  std::printf("%s\n%s\n", title, summary.text().c_str());
  // [/report]
  for (theory::reported_bound const& b : summary.bounds) {
    if (b.claims != theory::relation::lower_bound && b.slack < 1 - 1e-9) return false;
    if (b.claims == theory::relation::lower_bound && b.slack > 1 + 1e-9) return false;
  }
  return true;
}

bool hypotheses() {
  auto const [theta, inputs] = testing::draw<wide>({.seed = 2, .samples = 200, .data_condition = 100});
  // [hypotheses]
  auto const summary = theory::condition_report<wide>(theta, inputs);
  for (theory::reported_bound const& b : summary.bounds)
    for (theory::checked_hypothesis const& c : b.checks)
      std::printf("%s: %s %s, for %s\n", b.name, c.says, c.holds ? "holds" : "does not hold", c.gives);
  // [/hypotheses]
  // [whitening]
  auto const white = theory::condition_report<wide>(theta, theory::whitened(inputs));  // X Σ^{-1/2}
  auto const centred = theory::covariance_of(inputs, theory::centring::mean);
  matrix<double> const root = centred.square_root();  // by eigendecomposition
  // [/whitening]
  double worst = 0;  // on white data Lemma 2, the first statement, is an equality
  if (!white.bounds.empty()) worst = std::abs(white.bounds.front().slack - 1);
  return worst < 1e-9 && root.shape(0) == 20;
}

bool in_intervals() {
  auto const [theta, inputs] = testing::draw<deep>({.seed = 2, .samples = 60, .data_condition = 100});
  // [intervals]
  theory::linear_gauss_newton<deep> const g(theta, theory::covariance_of(inputs));
  theory::enclosed_gauss_newton const in(g);
  theory::interval const exact = in.condition_number();                // holds κ(G) of exactly these numbers
  theory::interval const seven = theory::eq_7_t::value(in);            // holds what Eq. (7) says
  bool const proved = in.decided() && exact.upper() <= seven.lower();  // ranks are proved, too
  // [/intervals]
  std::printf("kappa in [%.10g, %.10g], Eq. (7) in [%.10g, %.10g]: %s\n", exact.lower(), exact.upper(), seven.lower(),
              seven.upper(), proved ? "proved" : "not proved");
  return proved;
}

bool without_the_matrix() {
  auto const [theta, inputs] =
      testing::draw<deep>({.seed = 2, .samples = 60, .law = testing::weights::gaussian, .data_condition = 100});
  theory::linear_gauss_newton<deep> const g(theta, theory::covariance_of(inputs));
  // [matrix_free]
  auto const found = theory::condition_number_matrix_free(g);  // products with Σ A_l ⊗ C_l only
  std::printf("kappa %.10g by %zu products; never below that and never above %.4g\n", found.value(), found.products,
              found.limit());
  std::printf("an eigenvalue within %.1e of %.10g, another within %.1e of %.10g\n", found.largest.residual,
              found.largest.value, found.smallest.residual, found.smallest.value);
  // [/matrix_free]
  return std::abs(found.value() / g.condition_number() - 1) < 1e-9;
}

bool one_by_one() {
  auto const [theta, inputs] = testing::draw<wide>({.seed = 2, .samples = 200, .data_condition = 100});
  // [statements]
  theory::covariance const data = theory::covariance_of(inputs);           // X'X / n, uncentred
  theory::linear_gauss_newton<wide> const g(theta, data);                  // the small matrix, of order k d
  double const exact = g.condition_number();                               // over its non-zero eigenvalues
  double const formula = theory::exact_one_hidden_layer(g).value;          // the same from two problems of order d
  double const limit = theory::lemma_2(g).value;                           // never below
  double const again = theory::value_of<wide>(theory::eq_7, theta, data);  // in one call
  // [/statements]
  std::printf("exact %.6g, formula %.6g, Lemma 2 %.6g, Eq. (7) %.6g\n", exact, formula, limit, again);
  return exact <= limit && std::abs(formula / exact - 1) < 1e-9 && std::abs(again / limit - 1) < 1e-9;
}

}  // namespace

int main() {
  bool good = report<wide>("20-60-10, white data", 1);
  good = report<wide>("20-60-10, data of condition number 1000", 1000) && good;
  good = report<narrow>("20-5-10, a bottleneck, data of condition number 10", 10) && good;
  good = report<deep>("20-60-60-60-10, data of condition number 100", 100) && good;
  good = report<skipping>("20=20=20=20-10, residual layers, data of condition number 100", 100) && good;
  good = one_by_one() && good;
  good = hypotheses() && in_intervals() && without_the_matrix() && good;
  return good ? 0 : 1;
}
