// What is thrown for bad input: one type per cause, a sentence with the numbers, arguments untouched.

#include <algorithm>
#include <limits>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>

#include "algebra_reference.hpp"

using namespace kappa;
using Catch::Contains;
namespace ref = reference;

TEMPLATE_TEST_CASE("lengths that do not agree name both", "[algebra]", float, double) {
  using T = TestType;
  auto const b = ref::random_positive<T>(2, 1), a = ref::random_positive<T>(3, 2);
  auto const op = kronecker(b, a) + 0.1 * identity;
  auto const g = ref::random<T>(5, 3);
  CHECK_THROWS_WITH(apply(op, g), Contains("5") && Contains("6"));
  CHECK_THROWS_AS(solve(op, g), shape_mismatch);
  CHECK_THROWS_WITH(solve(op, g), Contains("5") && Contains("6"));
  CHECK_THROWS_WITH(solve(op, g, conjugate_gradients{}), Contains("5") && Contains("6"));
  CHECK_THROWS_AS(symmetric(ref::random<T>(3, 4, 1)), shape_mismatch);
  CHECK_THROWS_AS(symmetric(a) + symmetric(b), shape_mismatch);
  CHECK_THROWS_AS(kronecker(b, a) + symmetric(b), shape_mismatch);
  CHECK_THROWS_AS(embedded(symmetric(a), {0, 1}, 9), shape_mismatch);
  auto out = ref::random<T>(6, 4);
  auto const before = out;
  CHECK_THROWS_AS(factorise(op).solve(g, elements(out)), shape_mismatch);
  CHECK(std::ranges::equal(elements(out), elements(before)));
}

TEMPLATE_TEST_CASE("values outside their domain", "[algebra]", float, double) {
  using T = TestType;
  auto const nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
  for (auto bad : {nan, infinity}) {
    auto a = ref::random_positive<T>(3, 2);
    auto const op = symmetric(a);
    auto g = ref::random<T>(3, 3);
    g(2) = bad;
    CHECK_THROWS_AS(solve(op, g), invalid_value);
    CHECK_THROWS_WITH(solve(op, g), Contains("element 2"));
    CHECK_THROWS_AS(solve(op, g, conjugate_gradients{}), invalid_value);
    auto out = ref::random<T>(3, 4);
    auto const before = out;
    CHECK_THROWS_AS(factorise(op).solve(g, elements(out)), invalid_value);
    CHECK(std::ranges::equal(elements(out), elements(before)));
    CHECK_THROWS_AS(diagonal_matrix(g), invalid_value);
    a(1, 1) = bad;
    CHECK_THROWS_AS(symmetric(a), invalid_value);
    CHECK_THROWS_AS(low_rank(a), invalid_value);
    CHECK_THROWS_AS(op + static_cast<double>(bad) * identity, invalid_value);
  }
  auto lopsided = ref::random_positive<T>(3, 2);
  lopsided(0, 2) += T(1);
  CHECK_THROWS_WITH(symmetric(lopsided), Contains("(2, 0)"));
  auto const a = symmetric(ref::random_positive<T>(2, 2));
  CHECK_THROWS_WITH(permuted(a, {0, 2}), Contains("index 2"));
  CHECK_THROWS_WITH(permuted(a, {1, 1}), Contains("index 1 occurs twice"));
  CHECK_THROWS_AS(top_eigenpairs(a, 3), invalid_value);
  CHECK_THROWS_AS(top_eigenpairs(low_rank(ref::random<T>(9, 2, 1)), 3), invalid_value);
  CHECK_THROWS_AS(top_eigenpairs(-a, 1), invalid_value);
}

namespace {
// A root whose Gram matrix is not what it says.
struct broken_root {
  using value_type = double;
  std::vector<double> values;
  std::size_t rows() const { return 4; }
  std::size_t columns() const { return 2; }
  void multiply(std::span<double const>, std::span<double>) const {}
  void multiply_transposed(std::span<double const>, std::span<double>) const {}
  std::span<double const> gram() const { return values; }
};
}  // namespace

TEST_CASE("a root's Gram matrix is looked at before LAPACK is", "[algebra]") {
  CHECK_THROWS_AS(eigenvalues(low_rank(broken_root{{1, 0, 0}})), shape_mismatch);
  CHECK_THROWS_AS(eigenvalues(low_rank(broken_root{{1, 0, 0, std::nan("")}})), invalid_value);
  CHECK_THROWS_AS(log_det(low_rank(broken_root{{1, 5, 5, 1}}) + identity), singular_matrix);  // no Gram matrix at all
  CHECK_NOTHROW(log_det(low_rank(broken_root{{1, 0, 0, 1}}) + identity));
}

TEMPLATE_TEST_CASE("what is singular says at which pivot or eigenvalue", "[algebra]", float, double) {
  using T = TestType;
  auto const v = ref::random<T>(6, 2, 1);
  auto const g = ref::random<T>(6, 2);
  auto const outer = ref::to<T>(ref::times(ref::from(v), ref::transposed(ref::from(v))));
  CHECK_THROWS_WITH(solve(symmetric(outer), g), Contains("pivot"));
  CHECK_THROWS_WITH(solve(low_rank(v) + 0 * identity, g), Contains("not positive definite"));
  CHECK_THROWS_WITH(solve(low_rank(v) + -0.5 * identity, g), Contains("-0.5"));
  auto d = ref::random<T>(6, 3);
  for (auto& x : d) x = std::abs(x);
  d(4) = -2;
  CHECK_THROWS_WITH(solve(diagonal_matrix(d), g), Contains("-2"));
  CHECK_NOTHROW(solve(diagonal_matrix(d) + 3 * identity, g));
  auto const b = ref::random_positive<T>(2, 5);
  auto const singular =
      ref::to<T>(ref::times(ref::from(ref::random<T>(3, 1, 6)), ref::transposed(ref::from(ref::random<T>(3, 1, 6)))));
  CHECK_THROWS_WITH(log_det(kronecker(b, singular)), Contains("kronecker is not positive definite"));
  CHECK_NOTHROW(log_det(kronecker(b, singular) + 0.1 * identity));
  CHECK_THROWS_AS(solve(-1 * symmetric(outer) + 100 * identity, g), singular_matrix);
  CHECK_THROWS_AS(condition_number(diagonal_matrix(zeros<T>(3))), singular_matrix);
  CHECK_THROWS_AS(condition_number(0 * symmetric(b)), singular_matrix);
  CHECK_THROWS_AS(inverse(symmetric(outer)), singular_matrix);
}
