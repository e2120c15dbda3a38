// Lanczos and power iteration against dense spectra; certificates against true errors; relative thresholds.

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/spectrum.hpp>

#include "algebra_reference.hpp"

using namespace kappa;
namespace ref = reference;

namespace {
// A dense matrix with the given spectrum, hidden behind its product.
auto with_spectrum(std::vector<double> const& values) {
  auto const n = values.size();
  auto const q = lapack::symmetric_eigen(ref::random_positive<double>(n, 3)).vectors;
  auto a = zeros<double>(n, n);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) a(i, j) += values[k] * q(k, i) * q(k, j);
  return a;
}
}  // namespace

TEST_CASE("extreme eigenpairs of an indefinite matrix", "[spectrum]") {
  auto const d = ref::plus(ref::from(ref::random_positive<double>(40, 1)), ref::unit(40), -1);
  auto const exact = ref::eigenvalues(d);
  auto const op = symmetric(ref::to<double>(d));
  auto const top = top_eigenpairs(op, 5, lanczos{.tolerance = 1e-10, .seed = 4});
  auto const bottom = bottom_eigenpairs(op, 5, lanczos{.tolerance = 1e-10, .seed = 4});
  for (std::size_t r = 0; r < 5; ++r) {
    CHECK(ref::relative_error(top.values(r), exact[r]) < 1e-12);
    CHECK(ref::relative_error(bottom.values(r), exact[39 - r]) < 1e-12);
    CHECK(ref::relative_error(top.values(r), exact[r + 1]) > 1e-4);  // the neighbour is seen to be another
    CHECK(top.residuals(r) < 1e-9);
  }
  auto const direct = top_eigenpairs(op, 5);
  for (std::size_t r = 0; r < 5; ++r) {
    double product = 0;
    for (std::size_t i = 0; i < 40; ++i) product += direct.vectors(r, i) * top.vectors(r, i);
    CHECK(std::abs(std::abs(product) - 1) < 1e-10);
  }
}

TEMPLATE_TEST_CASE("a residual bounds the error of its eigenvalue", "[spectrum]", float, double) {
  using T = TestType;
  auto const v = ref::random<T>(200, 60, 5);
  auto const exact = ref::eigenvalues(ref::times(ref::transposed(ref::from(v)), ref::from(v)));
  auto const pairs = top_eigenpairs(low_rank(v) + 50 * identity, 4, lanczos{.tolerance = 1e-2});
  auto const rounding = 10 * std::numeric_limits<T>::epsilon() * pairs.values(0);
  for (std::size_t r = 0; r < 4; ++r) {
    CHECK(std::abs(pairs.values(r) - (exact[r] + 50)) <= pairs.residuals(r) + rounding);
    CHECK(pairs.residuals(r) <= 1.01e-2 * static_cast<double>(pairs.values(0)));
    CHECK(std::abs(pairs.values(r) - exact[r]) > pairs.residuals(r) + rounding);  // without the damping it is wrong
  }
}

TEST_CASE("multiple eigenvalues appear when the Krylov space is exhausted", "[spectrum]") {
  auto const a = with_spectrum({5, 5, 5, 2, 2, 1, 1, 1, 1, 0});
  auto const pairs = top_eigenpairs(symmetric(a), 4, lanczos{.tolerance = 1e-9});
  CHECK(ref::relative_error(pairs.values, std::vector{5, 5, 5, 2}) < 1e-12);
  CHECK(ref::relative_error(pairs.values, std::vector{5, 2, 1, 0}) > 0.1);
}

TEST_CASE("nothing depends on the scale of the operator", "[spectrum]") {
  auto const a = symmetric(ref::random_positive<double>(30, 8));
  auto const tiny = top_eigenpairs(0x1p-60 * a, 3, lanczos{}), usual = top_eigenpairs(a, 3, lanczos{});
  for (std::size_t r = 0; r < 3; ++r) CHECK(tiny.values(r) == 0x1p-60 * usual.values(r));
  CHECK(dominant_eigenpair(0x1p-60 * a).values(0) == 0x1p-60 * dominant_eigenpair(a).values(0));
}

TEST_CASE("the same seed gives the same bits, whatever the thread count", "[spectrum]") {
  auto const op = kronecker(ref::random_positive<double>(20, 1), ref::random_positive<double>(30, 2));
  auto const before = threads();
  set_threads(1);
  auto const one = top_eigenpairs(op, 3, lanczos{.seed = 5});
  set_threads(4);
  auto const four = top_eigenpairs(op, 3, lanczos{.seed = 5});
  auto const other = top_eigenpairs(op, 3, lanczos{.seed = 6});
  set_threads(before);
  CHECK(std::equal(one.vectors.data(), one.vectors.data() + one.vectors.size(), four.vectors.data()));
  CHECK_FALSE(std::equal(one.vectors.data(), one.vectors.data() + one.vectors.size(), other.vectors.data()));
}

TEST_CASE("the space of a low-rank operator: a budget, and what it says when spent", "[spectrum]") {
  auto values = std::vector<double>(60);
  for (std::size_t i = 0; i < 60; ++i) values[i] = 60 - static_cast<double>(i);
  auto const a = symmetric(with_spectrum(values));
  CHECK_THROWS_AS(top_eigenpairs(a, 3, lanczos{.tolerance = 1e-12, .max_steps = 8}), not_converged);
  CHECK_THROWS_AS(top_eigenpairs(a, 61, lanczos{}), invalid_value);
  CHECK(top_eigenpairs(a, 0, lanczos{}).values.size() == 0);
  auto const hole = matrix_free<double>(5, [](auto, std::span<double> y) { std::ranges::fill(y, std::nan("")); });
  CHECK_THROWS_AS(top_eigenpairs(hole, 1, lanczos{}), invalid_value);
  CHECK_THROWS_AS(dominant_eigenpair(hole), invalid_value);
}

TEST_CASE("power iteration finds the largest magnitude", "[spectrum]") {
  auto const a = symmetric(with_spectrum({3, 2, 1, 0.5, -7}));
  auto const pair = dominant_eigenpair(a, power_iteration{.tolerance = 1e-10});
  CHECK(ref::relative_error(pair.values(0), -7.0L) < 1e-12);
  CHECK(ref::relative_error(pair.values(0), 3.0L) > 1);
  CHECK_THROWS_AS(dominant_eigenpair(a, power_iteration{.tolerance = 1e-10, .max_iterations = 3}), not_converged);
}
