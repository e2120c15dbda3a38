// Covariances of data, their roots, whitening, and condition numbers by a relative threshold.
#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

#include <kappa/testing/random_instance.hpp>
#include <kappa/theory/covariance.hpp>

using namespace kappa;
using theory::centring;

namespace {

/// X [n, d] of dependent columns about a mean.
matrix<double> sample(std::size_t n, std::size_t d, double mean) {
  auto x = testing::random_inputs(n, d, std::vector<double>(std::min(n, d), 2.0), 4);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < d; ++j) x(i, j) = x(i, j) * static_cast<double>(j + 1) + mean;
  return x;
}

/// Σ by its definition.
double moment(matrix<double> const& x, std::size_t a, std::size_t b, bool centred) {
  auto const n = x.shape(0);
  double mean_a = 0, mean_b = 0, s = 0;
  for (std::size_t i = 0; centred && i < n; ++i)
    mean_a += x(i, a) / static_cast<double>(n), mean_b += x(i, b) / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) s += (x(i, a) - mean_a) * (x(i, b) - mean_b) / static_cast<double>(n);
  return s;
}

matrix<double> product(matrix<double> const& a, matrix<double> const& b) {
  auto c = zeros<double>(a.shape(0), b.shape(1));
  for (std::size_t i = 0; i < c.shape(0); ++i)
    for (std::size_t j = 0; j < c.shape(1); ++j)
      for (std::size_t k = 0; k < a.shape(1); ++k) c(i, j) += a(i, k) * b(k, j);
  return c;
}

}  // namespace

TEST_CASE("Uncentred and centred covariance") {
  auto const x = sample(700, 4, 3);  // more than one slab
  for (bool centred : {false, true}) {
    auto const sigma = theory::covariance_of(x, centred ? centring::mean : centring::none);
    auto const root = sigma.square_root(), square = product(root, root);
    for (std::size_t a = 0; a < 4; ++a)
      for (std::size_t b = 0; b < 4; ++b) CHECK(std::abs(square(a, b) - moment(x, a, b, centred)) <= 1e-11);
  }
  // A mean makes the condition number large; centred, it is the columns' own.
  auto const far = sample(50, 4, 300);
  CHECK(theory::covariance_of(far).condition_number() >
        50 * theory::covariance_of(far, centring::mean).condition_number());
  auto equal = zeros<double>(3, 2);
  equal.fill(7);
  CHECK_THROWS_AS(theory::covariance_of(equal, centring::mean), invalid_value);
  CHECK(theory::covariance_of(equal).rank() == 1);
}

TEST_CASE("Roots and whitening") {
  for (std::size_t n : {40u, 3u}) {  // full, and fewer samples than features
    auto const x = sample(n, 5, 0.5);
    auto const sigma = theory::covariance_of(x);
    auto const root = sigma.square_root(), inverse = sigma.inverse_square_root(), both = product(root, inverse);
    auto const white = theory::whitened(x);
    auto const of_white = theory::covariance_of(white);
    CHECK(of_white.rank() == std::min<std::size_t>(n, 5));
    CHECK(std::abs(of_white.condition_number() - 1) <= 1e-11);
    CHECK(std::abs(of_white.eigenvalues()(0) - 1) <= 1e-11);
    double trace = 0;
    for (std::size_t i = 0; i < 5; ++i) trace += both(i, i);  // a projector on the directions of the data
    CHECK(std::abs(trace - static_cast<double>(std::min<std::size_t>(n, 5))) <= 1e-11);
    for (std::size_t i = 0; i < n; ++i)  // whitening undone
      for (std::size_t j = 0; j < 5; ++j) {
        double back = 0;
        for (std::size_t c = 0; c < 5; ++c) back += white(i, c) * root(c, j);
        CHECK(std::abs(back - x(i, j)) <= 1e-10);
      }
    // Σ^{1/2} is no half of Σ: a known slip.
    CHECK(std::abs(2 * root(4, 4) - moment(x, 4, 4, false)) > 1e-3);
  }
}

TEST_CASE("Condition numbers count eigenvalues above a relative threshold") {
  auto m = zeros<double>(3, 3);
  m(0, 0) = 8, m(1, 1) = 2, m(2, 2) = 8e-10;
  CHECK(std::abs(theory::condition_number(m) / 1e10 - 1) <= 1e-5);
  CHECK(std::abs(theory::condition_number(m, 1e-6) - 4) <= 1e-12);
  for (double& x : elements(m)) x *= 1e-200;  // relative: the scale does not matter
  CHECK(std::abs(theory::condition_number(m, 1e-6) - 4) <= 1e-12);
  CHECK_THROWS_AS(theory::condition_number(zeros<double>(2, 2)), singular_matrix);
}
