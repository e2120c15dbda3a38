// κ(G) without its matrix against the dense eigenvalues, its certificates, and how near the Loewner and Rayleigh bounds
// are. KAPPA_LONG_TESTS=1 adds the dense matrix of order 1920, the printed table, and d = 784 with its cost.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <vector>

#include "theory_brute_force.hpp"

#include <kappa/testing/random_instance.hpp>
#include <kappa/theory.hpp>

using namespace kappa;
using testing::weights;

namespace {

struct setting {
  std::size_t inputs, hidden, depth, outputs;
  weights law;
  double power;  // the data's eigenvalues are j^-power
};

theory::small_gauss_newton network_at(setting const& s, std::uint64_t seed) {
  std::vector<matrix<double>> layers;
  for (std::size_t l = 0; l < s.depth; ++l)
    layers.push_back(testing::random_weight(l + 1 == s.depth ? s.outputs : s.hidden, l == 0 ? s.inputs : s.hidden,
                                            s.law, seed + 100 * l));
  std::vector<double> spectrum(s.inputs);
  for (std::size_t j = 0; j < s.inputs; ++j) spectrum[j] = std::pow(static_cast<double>(j + 1), -s.power);
  auto const data = theory::covariance_of(testing::random_inputs(s.inputs, s.inputs, spectrum, seed));
  return {std::move(layers), std::vector<double>(s.depth, 1.0), data};
}

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void check_against_dense(theory::small_gauss_newton const& g) {
  auto const found = theory::condition_number_matrix_free(g);
  auto const dense = lapack::symmetric_eigenvalues(g.dense());
  double const largest = dense(0), smallest = dense(dense.size() - 1), exact = largest / smallest;
  double const rounding = 1e-15 * static_cast<double>(g.order()) * exact;
  CHECK(std::abs(found.value() / exact - 1) <= 1e-9 + rounding);
  // The certificates: each value is on its side of the end, the Loewner bound on the other; a residual says how near an
  // eigenvalue is.
  CHECK(found.largest.value <= largest * (1 + 1e-12));
  CHECK(found.largest.limit >= largest * (1 - 1e-12));
  CHECK(found.smallest.value >= smallest * (1 - rounding));
  CHECK(found.smallest.limit <= smallest * (1 + rounding));
  CHECK(std::abs(found.largest.value - largest) <= found.largest.residual + 1e-12 * largest);
  CHECK(found.smallest.residual <= 1e-6 * found.smallest.value + 1e-12 * largest);
  CHECK(found.limit() >= exact * (1 - rounding));
  CHECK(found.products < 400);
}

}  // namespace

TEST_CASE("Matrix-free and dense condition numbers agree") {
  for (setting const& s :
       {setting{20, 40, 3, 6, weights::gaussian, 0}, setting{30, 50, 5, 4, weights::xavier, 1.5},
        setting{24, 12, 4, 5, weights::gaussian, 1}, setting{9, 30, 2, 7, weights::kaiming, 3},
        setting{40, 60, 4, 1, weights::gaussian, 2}, setting{1, 20, 3, 8, weights::gaussian, 0},
        setting{12, 12, 1, 3, weights::gaussian, 2}, setting{15, 40, 3, 9, weights::near_singular, 1}})
    for (std::uint64_t seed : {1u, 2u}) check_against_dense(network_at(s, seed));
}

TEST_CASE("The operator is the dense matrix; the preconditioner inverts its block diagonal part") {
  auto const g = network_at({7, 10, 4, 3, weights::gaussian, 1}, 5);
  auto const op = theory::small_operator(g);
  auto const dense = g.dense();
  theory::compression_preconditioner const invert(g);
  auto x = zeros<double>(21), y = x, t = x;
  for (std::size_t i = 0; i < 21; ++i) {
    x.fill(0), x(i) = 1;
    op.apply(elements(x), elements(y));
    for (std::size_t j = 0; j < 21; ++j) CHECK(std::abs(y(j) - dense(j, i)) <= 1e-13 * dense(0, 0));
  }
  // On u ⊗ v it undoes (u ⊗ ·)ᵀ Ĝ (u ⊗ ·).
  auto const u = invert.directions();
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t a = 0; a < 3; ++a)
      for (std::size_t p = 0; p < 7; ++p) x(a * 7 + p) = u(i, a) * static_cast<double>(p + 1);
    op.apply(elements(x), elements(y));
    auto compressed = zeros<double>(21);
    for (std::size_t p = 0; p < 7; ++p) {
      double value = 0;
      for (std::size_t a = 0; a < 3; ++a) value += u(i, a) * y(a * 7 + p);
      for (std::size_t a = 0; a < 3; ++a) compressed(a * 7 + p) = u(i, a) * value;
    }
    invert(elements(compressed), elements(t));
    for (std::size_t j = 0; j < 21; ++j) CHECK(std::abs(t(j) - x(j)) <= 1e-9);
  }
  CHECK(theory::condition_number_matrix_free(g).products == theory::condition_number_matrix_free(g).products);
}

TEST_CASE("A network without full rank is refused, a search cut short is reported") {
  auto const necked = network_at({8, 3, 3, 5, weights::gaussian, 1}, 1);
  CHECK_THROWS_AS(theory::condition_number_matrix_free(necked), singular_matrix);
  auto const g = network_at({20, 40, 3, 6, weights::gaussian, 3}, 1);
  CHECK_THROWS_AS(theory::condition_number_matrix_free(g, {.max_products = 4}), not_converged);
}

TEST_CASE("Settings of the published experiments: Rayleigh and Loewner enclose κ within 2 and 6 percent") {
  bool const full = brute_force::long_tests();
  struct row {
    setting s;
    double published;  // κ of another draw of the same law
  };
  for (row const& r :
       {row{{192, 500, 3, 10, weights::xavier, 0}, 8.64}, row{{192, 500, 3, 10, weights::xavier, 1.5}, 7.30e3},
        row{{192, 500, 5, 10, weights::gaussian, 0}, 37.7}, row{{192, 500, 5, 10, weights::gaussian, 3}, 3.83e7},
        row{{192, 300, 5, 10, weights::gaussian, 3}, 5.97e7}}) {
    setting const& s = r.s;
    auto const g = network_at(s, 3);
    double const exact = theory::condition_number_matrix_free(g).value();
    double const below = theory::rayleigh_bound_t::value(g), above = theory::loewner_bound_t::value(g);
    double const seven = theory::eq_7_t::value(g), loosest = theory::max_bound_t::value(g);
    char line[160];
    std::snprintf(line, sizeof line, "L %zu, m %zu, j^-%g: kappa %.4g, RL %.3f, PL %.3f, (7) %.2f, (8) %.3g", s.depth,
                  s.hidden, s.power, exact, below / exact, above / exact, seven / exact, loosest / exact);
    INFO(line);
    if (full) std::puts(line);
    CHECK(below >= 0.98 * exact);
    CHECK(above <= 1.06 * exact);
    CHECK(below <= exact * (1 + 1e-9));
    CHECK(above >= exact * (1 - 1e-9));
    CHECK(seven >= above * (1 - 1e-9));
    CHECK(loosest >= 3 * seven);
    if (!full) continue;
    check_against_dense(g);  // of order 1920
    // The published number is one more draw of the same law.
    double mean = 0, squares = 0;
    for (std::uint64_t draw = 10; draw < 20; ++draw) {
      double const x = std::log(theory::condition_number_matrix_free(network_at(s, draw)).value());
      mean += x / 10, squares += x * x / 10;
    }
    double const deviation = std::sqrt(squares - mean * mean);
    std::printf("  published %.4g, ten draws %.4g times or divided by %.3f\n", r.published, std::exp(mean),
                std::exp(deviation));
    CHECK(deviation < 0.2);
    CHECK(std::abs(std::log(r.published) - mean) <= 3.5 * deviation);
  }
}

TEST_CASE("The cost at d = 784, k = 10, L = 5, m = 500, with KAPPA_LONG_TESTS") {
  if (!brute_force::long_tests()) return;
  set_threads(1);
  for (double power : {0., 3.}) {
    auto const g = network_at({784, 500, 5, 10, weights::gaussian, power}, 1);
    double const begin = processor_seconds();
    double const below = theory::rayleigh_bound_t::value(g), above = theory::loewner_bound_t::value(g);
    double const bounds = processor_seconds() - begin;
    auto const found = theory::condition_number_matrix_free(g);
    double const exact = processor_seconds() - begin - bounds;
    std::printf("d 784, j^-%g: Rayleigh %.6g, Loewner %.6g in %.2f s; exact %.6g in %.2f s, %zu products\n", power,
                below, above, bounds, found.value(), exact, found.products);
    CHECK(bounds < 2);
    CHECK(below <= found.value());
    CHECK(above >= found.value());
  }
}
