// Bounds in constant evaluation: they stand in a static_assert, and are the numbers of run time.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <kappa/declare.hpp>
#include <kappa/testing/random_instance.hpp>
#include <kappa/theory.hpp>

#include "worst.hpp"

using namespace kappa;

// [constant]
struct tiny : network<input<2> | dense<3, no_bias> | dense<2, no_bias>> {};

constexpr std::array<double, tiny::parameter_count> weights{1, 0.5, -0.5, 1,   0.25, 0.75,  // V, [3, 2]
                                                            1, -1,  0.5,  0.5, 1,    1};    // W, [2, 3]
constexpr theory::constant_covariance<tiny> sigma{{{2, 0.5}, {0.5, 1}}};

static_assert(theory::constant_value<tiny>(theory::eq_7, weights, sigma) < 7);
static_assert(theory::constant_condition_number<tiny>(weights, sigma) <
              theory::constant_value<tiny>(theory::lemma_2, weights, sigma));
// [/constant]

namespace {

struct deeper : network<input<3> | residual(dense<3, no_bias>) | dense<4, no_bias> | scale<2> | dense<2, no_bias>> {};
struct necked : network<input<3> | dense<1, no_bias> | dense<2, no_bias>> {};

constexpr bool near(double a, double b, double relative = 1e-12) {
  return a - b <= relative * b && b - a <= relative * b;
}

// On white data Lemma 2 is an equality, and a wrong number is not.
constexpr double white = theory::constant_condition_number<tiny>(weights);
static_assert(near(theory::constant_value<tiny>(theory::lemma_2, weights), white));
static_assert(!near(theory::constant_value<tiny>(theory::max_bound, weights), white));
static_assert(near(theory::constant_value<tiny>(theory::loewner_bound, weights, sigma),
                   theory::constant_condition_number<tiny>(weights, sigma)));
static_assert(near(theory::constant_value<tiny>(theory::rayleigh_bound, weights, sigma),
                   theory::constant_condition_number<tiny>(weights, sigma)));

constexpr auto theta_of_deeper = [] {
  std::array<double, deeper::parameter_count> theta{};
  for (std::size_t i = 0; i < theta.size(); ++i) theta[i] = static_cast<double>((7 * i + 3) % 11) / 10 - 0.5;
  return theta;
}();
constexpr double deep = theory::constant_condition_number<deeper>(theta_of_deeper);
static_assert(deep <= theory::constant_value<deeper>(theory::loewner_bound, theta_of_deeper) * (1 + 1e-12));
static_assert(theory::constant_value<deeper>(theory::rayleigh_bound, theta_of_deeper) <= deep * (1 + 1e-12));

// Every statement about a network in constant evaluation, as one constant.
template <class Net, class... S>
constexpr auto all_values(std::array<double, static_cast<std::size_t>(Net::parameter_count)> const& theta,
                          theory::constant_covariance<Net> const& data, theory::statement_list<S...>) {
  return std::array{theory::constant_value<Net>(S(), theta, data)...};
}
template <class Net, class... S>
auto all_values_at_run_time(theory::linear_gauss_newton<Net> const& g, theory::statement_list<S...>) {
  return std::array{S()(g).value...};
}

template <class Net>
double worst_difference(std::array<double, static_cast<std::size_t>(Net::parameter_count)> const& theta,
                        theory::constant_covariance<Net> const& data, auto const& at_compile_time) {
  auto flat = zeros<double>(theta.size());
  std::copy(theta.begin(), theta.end(), flat.begin());
  auto moments = zeros<double>(data.size(), data.size());
  for (std::size_t i = 0; i < data.size(); ++i)
    for (std::size_t j = 0; j < data.size(); ++j) moments(i, j) = data[i][j];
  auto const at_run_time = all_values_at_run_time(theory::linear_gauss_newton<Net>(flat, theory::covariance(moments)),
                                                  theory::bounds_for<Net>());
  double worst = 0;
  for (std::size_t i = 0; i < at_run_time.size(); ++i) {
    if (at_compile_time[i] == at_run_time[i]) continue;  // infinities
    worst = worst_of(worst, std::abs(at_compile_time[i] / at_run_time[i] - 1));
  }
  return worst;
}

}  // namespace

TEST_CASE("Compile time and run time give the same numbers") {
  static constexpr auto of_tiny = all_values<tiny>(weights, sigma, theory::bounds_for<tiny>());
  CHECK(worst_difference<tiny>(weights, sigma, of_tiny) <= 1e-12);
  static constexpr auto of_deeper =
      all_values<deeper>(theta_of_deeper, theory::white_data<deeper>(), theory::bounds_for<deeper>());
  CHECK(worst_difference<deeper>(theta_of_deeper, theory::white_data<deeper>(), of_deeper) <= 1e-11);
  CHECK(worst_difference<tiny>(weights, theory::white_data<tiny>(), of_tiny) > 1e-3);  // other data
  // A bottleneck: some bounds are infinite, in both.
  constexpr std::array<double, 5> narrow{1, 2, -1, 0.5, 3};
  static constexpr auto of_necked =
      all_values<necked>(narrow, theory::white_data<necked>(), theory::bounds_for<necked>());
  CHECK(worst_difference<necked>(narrow, theory::white_data<necked>(), of_necked) <= 1e-12);
  CHECK(std::ranges::count(of_necked, std::numeric_limits<double>::infinity()) >= 3);
}

TEST_CASE("The constant linear algebra at run time, on random matrices") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    counter_random random(seed);
    auto const n = 1 + seed % 7;
    auto x = zeros<double>(n, n);
    for (double& e : elements(x)) e = random.normal();
    auto const gram = lapack::gram(x);
    theory::constant_matrix m(n, n);
    std::copy(gram.begin(), gram.end(), m.data());
    auto const ours = theory::detail::symmetric_eigen(m);
    auto const theirs = lapack::symmetric_eigenvalues(gram);
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(std::abs(ours.values[i] - theirs(i)) <= 1e-14 * static_cast<double>(n) * theirs(0));
      for (std::size_t j = 0; j < n; ++j) {  // A v = λ v
        double image = 0;
        for (std::size_t c = 0; c < n; ++c) image += gram(j, c) * ours.vectors(i, c);
        CHECK(std::abs(image - ours.values[i] * ours.vectors(i, j)) <= 1e-13 * theirs(0));
      }
    }
    double const number = std::exp(40 * random.normal());
    CHECK(std::abs(theory::detail::square_root(number) / std::sqrt(number) - 1) <= 3e-16);
  }
  CHECK(theory::detail::square_root(0) == 0);
  STATIC_REQUIRE(theory::detail::square_root(2.25) == 1.5);
}
