// Hutchinson's estimators and stochastic Lanczos quadrature against exact traces, with their predicted errors.

#include <numeric>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/spectrum.hpp>

#include "algebra_reference.hpp"

using namespace kappa;
namespace ref = reference;

TEST_CASE("a trace estimate lies within its standard error, and the error is the predicted one", "[spectrum]") {
  auto const a = ref::random_positive<double>(50, 1);
  auto const op = symmetric(a);
  double off_diagonal = 0;
  for (std::size_t i = 0; i < 50; ++i)
    for (std::size_t j = 0; j < 50; ++j)
      if (i != j) off_diagonal += a(i, j) * a(i, j);
  auto const t = hutchinson_trace(op, {.samples = 4000, .seed = 3});
  CHECK(std::abs(t.value - trace(op)) < 4 * t.standard_error);
  CHECK(std::abs(t.value - 1.1 * trace(op)) > 4 * t.standard_error);
  CHECK(t.standard_error == Approx(std::sqrt(2 * off_diagonal / 4000)).epsilon(0.05));
  CHECK(hutchinson_trace(op, {.samples = 4000, .seed = 3}).value == t.value);
  CHECK(hutchinson_trace(op, {.samples = 4000, .seed = 4}).value != t.value);
  CHECK_THROWS_AS(hutchinson_trace(op, {.samples = 0}), invalid_value);
}

TEST_CASE("signs are exact for a diagonal operator", "[spectrum]") {
  auto const d = ref::random<double>(20, 2);
  auto const t = hutchinson_trace(diagonal_matrix(d), {.samples = 2});
  CHECK(std::abs(t.value - trace(diagonal_matrix(d))) < 1e-12);
  CHECK(t.standard_error < 1e-12);
}

TEST_CASE("a diagonal estimate", "[spectrum]") {
  auto const a = ref::random_positive<double>(30, 5);
  auto const e = hutchinson_diagonal(symmetric(a), {.samples = 3000, .seed = 1});
  double chi = 0, wrong = 0;
  for (std::size_t i = 0; i < 30; ++i) {
    double off_diagonal = 0;
    for (std::size_t j = 0; j < 30; ++j)
      if (j != i) off_diagonal += a(i, j) * a(i, j);
    CHECK(e.standard_errors(i) == Approx(std::sqrt(off_diagonal / 3000)).epsilon(0.1));
    chi += std::pow((e.values(i) - a(i, i)) / e.standard_errors(i), 2) / 30;
    wrong += std::pow((e.values(i) - 1.1 * a(i, i)) / e.standard_errors(i), 2) / 30;
  }
  CHECK(chi < 2);
  CHECK(wrong > 2);
}

TEST_CASE("quadrature: exact moments up to degree 2 m - 1, weights that sum to one", "[spectrum]") {
  auto const a = ref::random_positive<double>(40, 6);
  auto const op = symmetric(a);
  auto const density = density_of(op, {.probes = 1, .steps = 4, .seed = 2});
  auto const v = detail::random_direction<double>(40, 2, 0);
  auto power = std::vector<double>(v);
  for (int p = 0; p <= 8; ++p) {
    auto const moment = detail::dot<double>(v, power);
    auto const found = density.mean([&](double x) { return std::pow(x, p); }).value;
    if (p < 8)
      CHECK(std::abs(found - moment) < 1e-12 * moment);
    else
      CHECK(std::abs(found - moment) > 1e-8 * moment);  // one degree further it is not exact
    auto image = power;
    op.apply(std::span<double const>(power), std::span<double>(image));
    power = image;
  }
}

TEST_CASE("functions of an operator: log det and the smoothed density", "[spectrum]") {
  auto const a = ref::random_positive<double>(60, 7, 0.5L);
  auto const exact = ref::eigenvalues(ref::from(a));
  auto const density = density_of(symmetric(a), {.probes = 200, .steps = 40, .seed = 9});
  auto const mean_log = density.mean([](double x) { return std::log(x); });
  auto const expected = log_det(symmetric(a)) / 60;
  CHECK(std::abs(mean_log.value - expected) < 4 * mean_log.standard_error);
  CHECK(std::abs(mean_log.value - 1.5 * expected) > 4 * mean_log.standard_error);
  for (double t : {0.6, 1.0, 2.0}) {
    double smooth = 0;
    for (auto x : exact)
      smooth += std::exp(-std::pow(static_cast<double>(x) - t, 2) / (2 * 0.09)) / (0.3 * std::sqrt(2 * M_PI)) / 60;
    auto const found = density.at(t, 0.3);
    CHECK(std::abs(found.value - smooth) < 4 * found.standard_error);
    CHECK(std::abs(found.value - 1.3 * smooth) > 4 * found.standard_error);
  }
  CHECK_THROWS_AS(density.at(0, 0), invalid_value);
  CHECK_THROWS_AS(density_of(symmetric(a), {.probes = 0}), invalid_value);
}

TEST_CASE("a low rank ends the process early, at any scale", "[spectrum]") {
  auto const v = ref::random<double>(200, 5, 8);
  for (double scale : {1.0, 0x1p-30}) {
    auto const density = density_of(scale * low_rank(v), {.probes = 3, .steps = 50});
    for (auto const& q : density.quadratures()) {
      CHECK(q.nodes.size() <= 7);
      CHECK(std::abs(std::accumulate(q.weights.begin(), q.weights.end(), 0.0) - 1) < 1e-12);
      CHECK(q.nodes(0) == Approx(scale * top_eigenpairs(low_rank(v), 1).values(0)).epsilon(1e-12));
    }
  }
}
