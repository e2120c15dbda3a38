// The nearest Kronecker product against the singular values of the rearranged matrix.

#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>

#include "algebra_reference.hpp"

namespace {

using namespace kappa;
namespace ref = reference;
using number = ref::number;

constexpr std::size_t out = 3, in = 4, count = 6;

number squared_norm_of(ref::dense const& d) {
  number total = 0;
  for (auto v : d.a) total += v * v;
  return total;
}
// Σ_k vec(T_k) vec(T_k)ᵀ.
ref::dense sum_of_squares(matrix<double> const& t) {
  auto const wide = ref::from(t);
  return ref::times(ref::transposed(wide), wide);
}
// The largest singular value of the matrix whose rows are the blocks of g, p × p blocks of order q.
number largest_singular_value(ref::dense const& g, std::size_t p, std::size_t q) {
  ref::dense r(p * p, q * q);
  for (std::size_t x = 0; x < p; ++x)
    for (std::size_t y = 0; y < p; ++y)
      for (std::size_t i = 0; i < q; ++i)
        for (std::size_t j = 0; j < q; ++j) r(x * p + y, i * q + j) = g(x * q + i, y * q + j);
  return std::sqrt(ref::eigenvalues(ref::times(r, ref::transposed(r))).front());
}

}  // namespace

TEST_CASE("the nearest product leaves what the leading singular value leaves") {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    auto const t = ref::random<double>(count, out * in, seed);
    auto const g = sum_of_squares(t);
    auto const sigma = largest_singular_value(g, out, in);
    auto const by_matrix = nearest_kronecker(ref::to<double>(g), out, in);
    auto const by_vectors = nearest_kronecker<double>(elements(t), out, in);
    for (auto const& found : {by_matrix, by_vectors}) {
      CHECK(ref::relative_error(found.singular_value, sigma) < 1e-12);
      auto const k = ref::from(to_dense(found.product));
      auto const left = squared_norm_of(ref::plus(g, k, -1));
      CHECK(ref::relative_error(static_cast<double>(left), squared_norm_of(g) - sigma * sigma) < 1e-10);
      // Nothing near it is nearer; another scale is farther.
      auto scaled_k = k;
      for (auto& v : scaled_k.a) v *= 1.001L;
      CHECK(squared_norm_of(ref::plus(g, scaled_k, -1)) > left);
      auto const other = ref::kron(ref::plus(ref::from(found.product.left().entries()), ref::unit(out), 1e-3L),
                                   ref::from(found.product.right().entries()));
      CHECK(squared_norm_of(ref::plus(g, other, -1)) > left);
      CHECK(ref::relative_error(frobenius_norm(found.product), sigma) < 1e-12);
      CHECK(frobenius_norm(found.product.left()) == Approx(frobenius_norm(found.product.right())));
    }
    CHECK_FALSE(ref::relative_error(nearest_kronecker(ref::to<double>(g), in, out).singular_value, sigma) < 1e-4);
  }
}

TEST_CASE("a Kronecker product is its own nearest, and zero is zero") {
  auto const a = ref::random_positive<double>(in, 1), b = ref::random_positive<double>(out, 2);
  auto const g = ref::kron(ref::from(b), ref::from(a));
  auto const found = nearest_kronecker(ref::to<double>(g), out, in);
  CHECK(ref::relative_error(to_dense(found.product), g.a) < 1e-12);
  CHECK(found.iterations <= 3);
  CHECK_FALSE(ref::relative_error(to_dense(found.product), ref::kron(ref::from(a), ref::from(b)).a) < 1e-3);
  auto const nothing = nearest_kronecker(zeros<double>(6, 6), 2, 3);
  CHECK(nothing.singular_value == 0);
  CHECK(frobenius_norm(nothing.product) == 0);
}

TEST_CASE("float, and what is refused") {
  auto const t = ref::random<float>(count, out * in, 1);
  auto const g = [&] {
    auto const wide = ref::from(t);
    return ref::times(ref::transposed(wide), wide);
  }();
  auto const found = nearest_kronecker<float>(elements(t), out, in);
  CHECK(ref::relative_error(found.singular_value, largest_singular_value(g, out, in)) < 1e-10);
  CHECK_THROWS_AS(nearest_kronecker(ref::to<double>(g), out, out), shape_mismatch);
  CHECK_THROWS_AS(nearest_kronecker<float>(elements(t), 5, 5), shape_mismatch);
  CHECK_THROWS_AS(nearest_kronecker<float>(elements(t), out, in, {.iterations = 1}), not_converged);
  auto bad = ref::to<double>(g);
  bad(0, 1) = NAN;
  CHECK_THROWS_AS(nearest_kronecker(bad, out, in), invalid_value);
}
