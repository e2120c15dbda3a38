// The inverse as an operator: its product, diagonal, trace and root against elimination in long double; draws from it.

#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>

#include "algebra_reference.hpp"

namespace {

using namespace kappa;
namespace ref = reference;

ref::dense inverted(ref::dense const& d) {
  ref::dense inverse(d.n, d.n);
  for (std::size_t j = 0; j < d.n; ++j) {
    ref::column unit(d.n);
    unit[j] = 1;
    auto const column = ref::eliminate(d, unit).first;
    for (std::size_t i = 0; i < d.n; ++i) inverse(i, j) = column[i];
  }
  return inverse;
}

// R Rᵀ, column by column of R.
template <class Inverse>
ref::dense squared_root(Inverse const& inverse_op) {
  using T = value_t<Inverse>;
  auto const n = inverse_op.size();
  ref::dense r(n, n);
  std::vector<T> unit(n), column(n);
  for (std::size_t j = 0; j < n; ++j) {
    unit[j] = 1;
    inverse_op.root(std::span<T const>(unit), std::span<T>(column));
    unit[j] = 0;
    for (std::size_t i = 0; i < n; ++i) r(i, j) = column[i];
  }
  return ref::times(r, ref::transposed(r));
}

template <class Op>
void check(Op const& op) {
  using T = value_t<Op>;
  double const eps = std::is_same_v<T, float> ? 2e-5 : 1e-11, seen = 1e-4;
  auto const d = ref::from(to_dense(op));
  auto const expected = inverted(d);
  auto shifted = inverted(ref::plus(d, ref::unit(d.n), 0.001L * d(0, 0)));  // the twin: another damping
  auto const k = inverse(op);
  CHECK(ref::relative_error(to_dense(k), expected.a) < eps);
  CHECK(ref::relative_error(to_dense(k), shifted.a) > seen);
  CHECK(ref::relative_error(squared_root(k).a, expected.a) < eps);
  CHECK(ref::relative_error(squared_root(k).a, shifted.a) > seen);
  ref::column diagonals(d.n), other(d.n);
  ref::number sum = 0;
  for (std::size_t i = 0; i < d.n; ++i) diagonals[i] = expected(i, i), other[i] = shifted(i, i), sum += expected(i, i);
  CHECK(ref::relative_error(diagonal(k), diagonals) < eps);
  CHECK(ref::relative_error(diagonal(k), other) > seen);
  CHECK(ref::relative_error(trace(k), sum) < eps);

  // xᵀ A x of a draw is χ² with n degrees of freedom: its mean over 4000 draws has a standard error of √(n / 2000).
  double mean_length = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    auto const x = sample(k, 5, i);
    auto const image = apply(op, x);
    for (std::size_t j = 0; j < x.size(); ++j)
      mean_length += static_cast<double>(x(j)) * static_cast<double>(image(j)) / 4000;
  }
  double const n = static_cast<double>(d.n), error = std::sqrt(n / 2000);
  CHECK(std::abs(mean_length - n) < 4 * error);
  CHECK(std::abs(1.2 * mean_length - n) > 4 * error);
  auto const once = ref::wide(sample(k, 5, 7));
  CHECK(ref::relative_error(sample(k, 5, 7), once) == 0);
  CHECK(ref::relative_error(sample(k, 6, 7), once) > seen);
  CHECK(ref::relative_error(sample(k, 5, 8), once) > seen);
}

}  // namespace

TEMPLATE_TEST_CASE("inverses of every structure with a direct solve", "", double, float) {
  using T = TestType;
  auto const a = ref::random_positive<T>(4, 1), b = ref::random_positive<T>(3, 2);
  auto const dense = symmetric<T>(ref::random_positive<T>(6, 3));
  auto d = zeros<T>(5);
  for (std::size_t i = 0; i < d.size(); ++i) d(i) = static_cast<T>(0.5 + static_cast<double>(i));
  auto const u_a = symmetric<T>(a).basis().vectors, u_b = symmetric<T>(b).basis().vectors;
  auto lambda = ref::random<T>(3, 4, 5);
  for (T& v : elements(lambda)) v *= v;
  kronecker<T> const k(b, a);
  kronecker_eigenbasis<T> const e(u_b, u_a, lambda);
  std::vector<std::size_t> const order{3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10};
  std::vector<std::size_t> const some{13, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10};

  check(dense);
  check(diagonal_matrix<T>(d) + 0.1 * identity);
  check(k);
  check(k + 0.3 * identity);
  check(2.5 * k + 0.3 * identity);
  check(kronecker_sum<T>(b, a) + 0.2 * identity);
  check(e + 0.3 * identity);
  check(permuted(k, order) + 0.3 * identity);
  check(embedded(e, some, 14) + 0.3 * identity);
  check(block_diagonal(permuted(k, order), diagonal_matrix<T>(d), dense) + 0.3 * identity);
  check(block_diagonal(std::vector{k, k}) + 0.3 * identity);
}
