// Davidson's method for the small end of a spectrum, against the full eigendecomposition.
#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

#include <kappa/spectrum.hpp>

using namespace kappa;

namespace {

/// V diag(values) Vᵀ with random eigenvectors V.
matrix<double> with_eigenvalues(std::vector<double> const& values, std::uint64_t seed) {
  auto const n = values.size();
  counter_random random(seed);
  auto x = zeros<double>(n, n), m = x;
  for (double& e : elements(x)) e = random.normal();
  auto const v = lapack::symmetric_eigen(lapack::gram(x)).vectors;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t a = 0; a < n; ++a)
      for (std::size_t b = 0; b < n; ++b) m(a, b) += values[i] * v(i, a) * v(i, b);
  return m;
}

std::vector<double> geometric(std::size_t n, double condition) {
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i)
    values[i] = std::pow(condition, -static_cast<double>(i) / static_cast<double>(n - 1));
  return values;
}

/// Inverts the matrix with its off-diagonal entries made smaller: near, and no more.
auto near_inverse(matrix<double> m, double kept) {
  for (std::size_t i = 0; i < m.shape(0); ++i)
    for (std::size_t j = 0; j < m.shape(1); ++j)
      if (i != j) m(i, j) *= kept;
  return [factor = lapack::cholesky<double>(m)](std::span<double const> r, std::span<double> t) {
    std::copy(r.begin(), r.end(), t.begin());
    factor.solve_in_place(t.data());
  };
}

auto const nothing = [](std::span<double const> r, std::span<double> t) { std::copy(r.begin(), r.end(), t.begin()); };

}  // namespace

TEST_CASE("Davidson finds the smallest eigenpairs") {
  for (std::size_t n : {1u, 2u, 5u, 60u, 150u})
    for (std::size_t k : {1u, 3u}) {
      if (k > n) continue;
      auto const values = n == 1 ? std::vector<double>{2} : geometric(n, 1e4);
      auto const m = with_eigenvalues(values, n);
      auto const pairs = bottom_eigenpairs(symmetric<double>(m), k, davidson{.tolerance = 1e-8, .max_products = 2000},
                                           near_inverse(m, 0.99));
      for (std::size_t i = 0; i < k; ++i) {
        CHECK(std::abs(pairs.values(i) / values[n - 1 - i] - 1) <= 1e-9);
        CHECK(pairs.residuals(i) <= 1.1e-8 * pairs.values(i));
        CHECK(pairs.vectors.shape(0) == k);
      }
    }
}

TEST_CASE("A preconditioner saves products, restarts keep what was found") {
  auto const values = geometric(200, 3e3);
  auto const m = with_eigenvalues(values, 3);
  auto const op = symmetric<double>(m);
  auto const with = bottom_eigenpairs(op, 1, davidson{.max_products = 2000}, near_inverse(m, 0.999));
  auto const without = bottom_eigenpairs(op, 1, davidson{.max_products = 6000}, nothing);
  auto const small = bottom_eigenpairs(op, 1, davidson{.max_products = 2000, .basis = 8}, near_inverse(m, 0.999));
  for (auto const& found : {with, without, small}) CHECK(std::abs(found.values(0) / values.back() - 1) <= 1e-9);
  CHECK(5 * with.products < without.products);
  // Beginning with the eigenvector itself, there is nothing to do.
  CHECK(bottom_eigenpairs(op, 1, davidson{}, near_inverse(m, 0.999), with.vectors).products <= 3);
  CHECK(with.products == bottom_eigenpairs(op, 1, davidson{.max_products = 2000}, near_inverse(m, 0.999)).products);
}

TEST_CASE("Clusters and single precision") {
  auto values = geometric(80, 1e3);
  values[79] = values[78] = values[77] = 1e-4;  // a threefold smallest eigenvalue
  auto const m = with_eigenvalues(values, 5);
  auto const pairs = bottom_eigenpairs(symmetric<double>(m), 2, davidson{.max_products = 900}, near_inverse(m, 0.9999));
  CHECK(std::abs(pairs.values(0) / 1e-4 - 1) <= 1e-9);
  CHECK(std::abs(pairs.values(1) / 1e-4 - 1) <= 1e-9);
  auto narrow = zeros<float>(80, 80);
  std::copy(m.begin(), m.end(), narrow.begin());
  auto const inverse = near_inverse(m, 0.999);
  auto const single = bottom_eigenpairs(symmetric<float>(narrow), 1, davidson{.tolerance = 1e-2, .max_products = 900},
                                        [&](std::span<float const> r, std::span<float> t) {
                                          std::vector<double> x(r.begin(), r.end()), y(x.size());
                                          inverse(x, y);
                                          std::copy(y.begin(), y.end(), t.begin());
                                        });
  CHECK(std::abs(single.values(0) / 1e-4f - 1) <= 0.05f);
}

TEST_CASE("What does not work is said") {
  auto const m = with_eigenvalues(geometric(100, 1e8), 3);
  auto const op = symmetric<double>(m);
  CHECK_THROWS_AS(bottom_eigenpairs(op, 101, davidson{}, nothing), invalid_value);
  CHECK_THROWS_AS(bottom_eigenpairs(op, 1, davidson{.max_products = 20}, nothing), not_converged);
  CHECK_THROWS_AS(bottom_eigenpairs(op, 1, davidson{}, nothing, zeros<double>(1, 7)), shape_mismatch);
  auto const broken = [](std::span<double const>, std::span<double> t) {
    std::fill(t.begin(), t.end(), std::numeric_limits<double>::quiet_NaN());
  };
  CHECK_THROWS_AS(bottom_eigenpairs(op, 1, davidson{}, broken), invalid_value);
}
