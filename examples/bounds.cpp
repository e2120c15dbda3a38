// The condition number of a linear network's Gauss-Newton matrix beside what theory says about it: what
// docs/conditioning.md quotes. Returns 1 when a bound is violated.

#include <cstdio>

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
  return good ? 0 : 1;
}
