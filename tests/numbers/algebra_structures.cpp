// Every structure and expression against dense long double arithmetic: apply, trace, diagonal, norm, solve, log_det,
// eigenvalues, top eigenpairs; each check with a twin in which a planted fault must be seen.

#include <array>
#include <numeric>
#include <ranges>
#include <type_traits>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>

#include "algebra_reference.hpp"
#include "worst.hpp"

using namespace kappa;
namespace ref = reference;

namespace {

template <class T>
constexpr double tolerance = std::is_same_v<T, double> ? 1e-12 : 2e-5;

template <class Op>
double apply_error(Op const& op, ref::dense const& d) {
  auto const x = ref::random<value_t<Op>>(d.n, 7);
  return ref::relative_error(apply(op, x), ref::times(d, ref::wide(x)));
}
template <class Op>
double solve_error(Op const& op, ref::dense const& d) {
  auto const g = ref::random<value_t<Op>>(d.n, 8);
  return ref::relative_error(solve(op, g), ref::eliminate(d, ref::wide(g)).first);
}
template <class Op>
double log_det_error(Op const& op, ref::dense const& d) {
  return static_cast<double>(std::abs(log_det(op) - ref::eliminate(d, ref::column(d.n)).second)) /
         static_cast<double>(d.n);
}
// Eigenvalues that the operator leaves out must be zero.
template <class Op>
double eigenvalues_error(Op const& op, ref::dense const& d) {
  auto const some = eigenvalues(op);
  ref::column all(some.begin(), some.end());
  if (!std::is_sorted(all.begin(), all.end(), std::greater{}) || all.size() > d.n) return INFINITY;
  all.resize(d.n);
  std::sort(all.begin(), all.end(), std::greater{});
  return ref::relative_error(all, ref::eigenvalues(d));
}
template <class Op>
double diagonal_error(Op const& op, ref::dense const& d) {
  ref::column expected(d.n);
  for (std::size_t i = 0; i < d.n; ++i) expected[i] = d(i, i);
  return ref::relative_error(diagonal(op), expected);
}
inline ref::number trace_of(ref::dense const& d) {
  ref::number t = 0;
  for (std::size_t i = 0; i < d.n; ++i) t += d(i, i);
  return t;
}
inline ref::number norm_of(ref::dense const& d) {
  ref::number t = 0;
  for (auto x : d.a) t += x * x;
  return std::sqrt(t);
}
// Values against the reference, A v = λ v, and orthonormal rows.
template <class Op>
double top_error(Op const& op, ref::dense const& d, std::size_t k) {
  auto const pairs = top_eigenpairs(op, k);
  auto const all = ref::eigenvalues(d);
  auto const scale = std::abs(all.front());
  if (pairs.values.size() != k || pairs.vectors.shape(0) != k || pairs.vectors.shape(1) != d.n) return INFINITY;
  ref::number worst = 0;
  for (std::size_t r = 0; r < k; ++r) {
    worst = worst_of(worst, std::abs(pairs.values(r) - all[r]) / scale);
    ref::column v(d.n);
    for (std::size_t i = 0; i < d.n; ++i) v[i] = pairs.vectors(r, i);
    auto const image = ref::times(d, v);
    ref::number residual = 0;
    for (std::size_t i = 0; i < d.n; ++i) residual += std::pow(image[i] - pairs.values(r) * v[i], 2);
    worst = worst_of(worst, std::sqrt(residual) / scale);
    worst = worst_of(worst, std::abs(std::sqrt(residual) - pairs.residuals(r)) / scale);
    for (std::size_t s = 0; s <= r; ++s) {
      ref::number product = 0;
      for (std::size_t i = 0; i < d.n; ++i) product += v[i] * pairs.vectors(s, i);
      worst = worst_of(worst, std::abs(product - (r == s)));
    }
  }
  return static_cast<double>(worst);
}

// A faulty reference: the scale is wrong by a thousandth, and so is one off-diagonal pair.
ref::dense faulty(ref::dense d) {
  ref::number largest = 0;
  for (auto x : d.a) largest = std::max(largest, std::abs(x));
  for (auto& x : d.a) x *= 1.001L;
  d(0, d.n - 1) += largest / 1000, d(d.n - 1, 0) += largest / 1000;
  return d;
}

// Everything the structure offers against `d`, and against the faulty twin.
template <class Op>
void check(Op const& op, ref::dense const& d) {
  using T = value_t<Op>;
  auto const eps = tolerance<T>, seen = 1e-4;
  auto const bad = faulty(d);
  REQUIRE(op.size() == d.n);
  CHECK(apply_error(op, d) < eps);
  CHECK(apply_error(op, bad) > seen);
  CHECK(ref::relative_error(to_dense(op), d.a) < eps);
  CHECK(ref::relative_error(to_dense(op), bad.a) > seen);
  if constexpr (detail::has_trace<Op>) {
    CHECK(ref::relative_error(trace(op), trace_of(d)) < eps);
    CHECK(ref::relative_error(trace(op), trace_of(bad)) > seen);
  }
  if constexpr (detail::has_diagonal<Op>) {
    CHECK(diagonal_error(op, d) < eps);
    CHECK(diagonal_error(op, bad) > seen);
  }
  if constexpr (detail::has_squared_norm<Op>) {
    CHECK(ref::relative_error(frobenius_norm(op), norm_of(d)) < eps);
    CHECK(ref::relative_error(frobenius_norm(op), norm_of(bad)) > seen);
  }
  if constexpr (detail::factorisable<Op> && !detail::singular_v<Op>) {
    CHECK(solve_error(op, d) < 50 * eps);
    CHECK(solve_error(op, bad) > seen);
    CHECK(log_det_error(op, d) < eps);
    CHECK(log_det_error(op, bad) > seen);
    CHECK(solve_error(inverse(op), ref::dense(d)) > seen);  // an inverse is not its operator
    auto const x = ref::random<T>(d.n, 9);
    CHECK(ref::relative_error(apply(inverse(op), apply(op, x)), x) < 50 * eps);
    CHECK(log_det(inverse(op)) == -log_det(op));
  }
  if constexpr (detail::has_eigenvalues<Op>) {
    CHECK(eigenvalues_error(op, d) < eps);
    CHECK(eigenvalues_error(op, bad) > seen);
  }
  if constexpr (detail::has_top<Op>) {
    CHECK(top_error(op, d, 2) < 10 * eps);
    CHECK(top_error(op, bad, 2) > seen);
  }
}

// A root that is no matrix: V = P Q, applied factor by factor. Counts nothing, forms nothing but its Gram.
template <class T>
struct product_root {
  using value_type = T;
  matrix<T> p, q;
  std::vector<T> gram_values;
  product_root(matrix<T> p_, matrix<T> q_) : p(std::move(p_)), q(std::move(q_)) {
    auto const v = ref::times(ref::from(p), ref::from(q));
    for (auto x : ref::times(ref::transposed(v), v).a) gram_values.push_back(static_cast<T>(x));
  }
  std::size_t rows() const { return p.shape(0); }
  std::size_t columns() const { return q.shape(1); }
  static void product(matrix<T> const& m, bool transpose, std::span<T const> x, std::span<T> y) {
    for (auto& value : y) value = 0;
    for (std::size_t i = 0; i < m.shape(0); ++i)
      for (std::size_t j = 0; j < m.shape(1); ++j) y[transpose ? j : i] += m(i, j) * x[transpose ? i : j];
  }
  void multiply(std::span<T const> c, std::span<T> y) const {
    std::vector<T> middle(q.shape(0));
    product(q, false, c, middle);
    product(p, false, middle, y);
  }
  void multiply_transposed(std::span<T const> x, std::span<T> c) const {
    std::vector<T> middle(q.shape(0));
    product(p, true, x, middle);
    product(q, true, middle, c);
  }
  std::span<T const> gram() const { return gram_values; }
};

template <class T>
ref::dense outer(matrix<T> const& v) {
  return ref::times(ref::from(v), ref::transposed(ref::from(v)));
}

}  // namespace

TEMPLATE_TEST_CASE("explicit matrices", "[algebra]", float, double) {
  using T = TestType;
  auto const a = ref::random_positive<T>(9, 1);
  auto d = ref::random<T>(9, 2);
  for (auto& x : d) x = std::abs(x) + T(0.1);
  ref::dense dd(9, 9);
  for (std::size_t i = 0; i < 9; ++i) dd(i, i) = d(i);
  check(symmetric(a), ref::from(a));
  check(diagonal_matrix(d), dd);
  check(symmetric(a) + 0.3 * identity, ref::plus(ref::from(a), ref::unit(9), 0.3L));
  check(diagonal_matrix(d) + 0.3 * identity, ref::plus(dd, ref::unit(9), 0.3L));
  check(symmetric(a) + diagonal_matrix(d), ref::plus(ref::from(a), dd));
  check(diagonal_matrix(d) + symmetric(a), ref::plus(ref::from(a), dd));
  check(symmetric(a) + symmetric(a), ref::plus(ref::from(a), ref::from(a)));
  check(diagonal_matrix(d) + diagonal_matrix(d), ref::plus(dd, dd));
  check(2.5 * symmetric(a), ref::plus(ref::from(a), ref::from(a), 1.5L));
  check(symmetric(a) * 2 + identity, ref::plus(ref::plus(ref::from(a), ref::from(a)), ref::unit(9)));
  check(2 * (symmetric(a) + 0.5 * identity), ref::plus(ref::plus(ref::from(a), ref::from(a)), ref::unit(9)));
}

TEMPLATE_TEST_CASE("an indefinite matrix has a spectrum and no Cholesky solve", "[algebra]", float, double) {
  using T = TestType;
  auto const a = ref::to<T>(ref::plus(ref::from(ref::random_positive<T>(8, 3)), ref::unit(8), -0.8L));
  CHECK(eigenvalues_error(symmetric(a), ref::from(a)) < tolerance<T>);
  CHECK(eigenvalues_error(-symmetric(a), ref::plus(ref::dense(8, 8), ref::from(a), -1)) < tolerance<T>);
  CHECK(eigenvalues_error(-symmetric(a), ref::from(a)) > 0.1);
  CHECK_THROWS_AS(solve(symmetric(a), ref::random<T>(8, 4)), singular_matrix);
}

TEMPLATE_TEST_CASE("low rank, by matrix and by root", "[algebra]", float, double) {
  using T = TestType;
  for (std::size_t columns : {3u, 11u, 14u}) {  // thin, square, wide
    auto const p = ref::random<T>(11, 5, 4), q = ref::random<T>(5, columns, 5);
    auto const v = ref::random<T>(11, columns, 6);
    auto const w = ref::times(ref::from(p), ref::from(q));
    check(low_rank(v), outer(v));
    check(low_rank(v) + 0.4 * identity, ref::plus(outer(v), ref::unit(11), 0.4L));
    check(2 * low_rank(v) + 0.4 * identity, ref::plus(ref::plus(outer(v), outer(v)), ref::unit(11), 0.4L));
    check(low_rank(product_root<T>(p, q)), ref::times(w, ref::transposed(w)));
    check(low_rank(product_root<T>(p, q)) + 0.4 * identity,
          ref::plus(ref::times(w, ref::transposed(w)), ref::unit(11), 0.4L));
  }
}

TEMPLATE_TEST_CASE("Kronecker products and sums", "[algebra]", float, double) {
  using T = TestType;
  auto const b = ref::random_positive<T>(3, 10), a = ref::random_positive<T>(5, 11);
  auto const product = ref::kron(ref::from(b), ref::from(a));
  auto const sum = ref::plus(ref::kron(ref::from(b), ref::unit(5)), ref::kron(ref::unit(3), ref::from(a)));
  check(kronecker(b, a), product);
  check(kronecker(b, a) + 0.2 * identity, ref::plus(product, ref::unit(15), 0.2L));
  check(3 * kronecker(b, a) + 0.2 * identity, ref::plus(ref::plus(product, product, 2), ref::unit(15), 0.2L));
  check(kronecker_sum(b, a), sum);
  check(kronecker_sum(b, a) + 0.2 * identity, ref::plus(sum, ref::unit(15), 0.2L));
  // A diagonal factor, its entries in no order and one of them twice.
  auto d = zeros<T>(5);
  auto dense = ref::unit(5);
  for (std::size_t i = 0; i < 5; ++i) dense(i, i) = d(i) = std::array<T, 5>{0.5, 2, 0.25, 2, 1}[i];
  auto const by_diagonal = ref::kron(ref::from(b), dense);
  auto const table = kronecker(symmetric(b), diagonal_matrix(d));
  check(table, by_diagonal);
  check(table + 0.2 * identity, ref::plus(by_diagonal, ref::unit(15), 0.2L));
  check(3 * table + 0.2 * identity, ref::plus(ref::plus(by_diagonal, by_diagonal, 2), ref::unit(15), 0.2L));
  CHECK(rank(table) == 15);
  CHECK(condition_number(table) == Approx(8 * condition_number(symmetric(b))));
  // The swapped factors are another operator.
  CHECK(apply_error(kronecker(a, b), product) > 0.01);
  CHECK(apply_error(kronecker_sum(a, b), sum) > 0.01);
}

TEMPLATE_TEST_CASE("block-diagonal and embedded operators", "[algebra]", float, double) {
  using T = TestType;
  auto const b = ref::random_positive<T>(2, 20), a = ref::random_positive<T>(3, 21), s = ref::random_positive<T>(4, 22);
  auto const v = ref::random<T>(5, 2, 23);
  auto const place = [](ref::dense& d, ref::dense const& block, std::size_t at) {
    for (std::size_t i = 0; i < block.n; ++i)
      for (std::size_t j = 0; j < block.n; ++j) d(at + i, at + j) = block(i, j);
  };
  ref::dense definite(10, 10), mixed(15, 15);
  place(definite, ref::kron(ref::from(b), ref::from(a)), 0);
  place(definite, ref::from(s), 6);
  place(mixed, definite, 0);
  place(mixed, outer(v), 10);

  check(block_diagonal(kronecker(b, a), symmetric(s)), definite);
  check(block_diagonal(kronecker(b, a), symmetric(s)) + 0.1 * identity, ref::plus(definite, ref::unit(10), 0.1L));
  check(block_diagonal(kronecker(b, a), symmetric(s), low_rank(v)), mixed);
  check(block_diagonal(kronecker(b, a), symmetric(s), low_rank(v)) + 0.1 * identity,
        ref::plus(mixed, ref::unit(15), 0.1L));
  check(block_diagonal(std::tuple{kronecker(b, a), symmetric(s)}), definite);

  ref::dense repeated(8, 8);
  place(repeated, ref::from(s), 0);
  place(repeated, ref::from(s), 4);
  check(block_diagonal(std::vector{symmetric(s), symmetric(s)}), repeated);
  check(block_diagonal(std::vector{symmetric(s), symmetric(s)}) + identity, ref::plus(repeated, ref::unit(8)));

  std::vector<std::size_t> const at{9, 0, 4, 7, 2, 8, 1, 3, 6, 5};
  ref::dense renamed(10, 10), longer(13, 13);
  for (std::size_t i = 0; i < 10; ++i)
    for (std::size_t j = 0; j < 10; ++j) renamed(at[i], at[j]) = longer(at[i] + 2, at[j] + 2) = definite(i, j);
  auto const kfac = block_diagonal(kronecker(b, a), symmetric(s));
  check(permuted(kfac, at), renamed);
  check(permuted(kfac, at) + 0.1 * identity, ref::plus(renamed, ref::unit(10), 0.1L));
  auto further = at;
  for (auto& i : further) i += 2;
  CHECK(apply_error(embedded(kfac, further, 13), longer) < tolerance<T>);
  CHECK(eigenvalues_error(embedded(kfac, further, 13), longer) < tolerance<T>);
  check(embedded(kfac, further, 13) + 0.1 * identity, ref::plus(longer, ref::unit(13), 0.1L));
  CHECK_THROWS_AS(solve(embedded(kfac, further, 13), ref::random<T>(13, 1)), singular_matrix);
  // The wrong direction of the permutation is another operator.
  std::vector<std::size_t> backwards(10);
  for (std::size_t i = 0; i < 10; ++i) backwards[at[i]] = i;
  CHECK(apply_error(permuted(kfac, backwards), renamed) > 0.01);

  std::vector<std::size_t> const some{6, 1, 9};
  ref::dense part(3, 3);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) part(i, j) = definite(some[i], some[j]);
  check(submatrix(kfac, some), part);
}

TEMPLATE_TEST_CASE("the eigenbasis of XᵀX from few rows of X", "[algebra]", float, double) {
  using T = TestType;
  struct shape {
    std::size_t rows, order, rank;
  };
  for (auto [rows, order, rank] :
       {shape{0, 3, 0}, {1, 1, 1}, {1, 7, 1}, {5, 7, 5}, {7, 7, 7}, {70, 150, 70}, {6, 9, 4}}) {
    CAPTURE(rows, order, rank);
    auto x = zeros<T>(rows, order);
    std::ranges::copy(elements(ref::random<T>(rows * order + 1, 3)) | std::views::take(rows * order), x.data());
    for (std::size_t i = rank; i < rows; ++i)  // equal rows, and rows of zeros
      for (std::size_t j = 0; j < order; ++j) x(i, j) = i % 2 == 0 ? x(0, j) : T(0);
    auto const u = ref::from(lapack::eigenbasis_from_rows(x));
    auto const orthonormal = ref::plus(ref::times(u, ref::transposed(u)), ref::unit(order), -1);
    // U XᵀX Uᵀ: what is beside its diagonal, what of its diagonal ascends, what is beyond the rank.
    auto const faults = [&](ref::dense const& rows_of) {
      auto const turned = ref::times(rows_of, ref::transposed(u));
      auto const moment = ref::times(ref::transposed(turned), turned);
      ref::number worst = 0, total = 0;
      for (std::size_t i = 0; i < order; ++i) {
        total += moment(i, i);
        for (std::size_t j = 0; j < order; ++j)
          if (i != j || i >= rank) worst = worst_of(worst, std::abs(moment(i, j)));
        if (i > 0) worst = worst_of(worst, moment(i, i) - moment(i - 1, i - 1));
      }
      return static_cast<double>(worst / std::max<ref::number>(total, 1));
    };
    ref::number beside = 0;
    for (auto v : orthonormal.a) beside = worst_of(beside, std::abs(v));
    CHECK(beside < tolerance<T>);
    auto wide = ref::from(x);
    CHECK(faults(wide) < tolerance<T>);
    if (rows > 0 && order > 1) {
      wide(0, order / 2) += 1;
      CHECK_FALSE(faults(wide) < 1e-4);
    }
  }
  CHECK_THROWS_WITH(lapack::eigenbasis_from_rows(zeros<T>(4, 3)), Catch::Contains("3") && Catch::Contains("4 came"));
}

TEMPLATE_TEST_CASE("sums, products and functions", "[algebra]", float, double) {
  using T = TestType;
  auto const a = ref::random_positive<T>(6, 30), b = ref::random_positive<T>(2, 31), c = ref::random_positive<T>(3, 32);
  auto const v = ref::random<T>(6, 2, 33);
  auto const product = ref::kron(ref::from(b), ref::from(c));
  check(low_rank(v) + kronecker(b, c), ref::plus(outer(v), product));
  check(low_rank(v) + 0.5 * identity + (kronecker(b, c) + 0.25 * identity),
        ref::plus(ref::plus(outer(v), product), ref::unit(6), 0.75L));
  check(low_rank(v) - kronecker(b, c), ref::plus(outer(v), product, -1));
  check(symmetric(a) - 0.05 * identity, ref::plus(ref::from(a), ref::unit(6), -0.05L));
  CHECK(apply_error(symmetric(a) * kronecker(b, c), ref::times(ref::from(a), product)) < tolerance<T>);
  CHECK(apply_error(kronecker(b, c) * symmetric(a), ref::times(ref::from(a), product)) > 0.01);
  auto const function = matrix_free<T>(6, [&](std::span<T const> x, std::span<T> y) { symmetric(a).apply(x, y); });
  check(function, ref::from(a));
  check(function + 0.5 * identity, ref::plus(ref::from(a), ref::unit(6), 0.5L));
}

TEMPLATE_TEST_CASE("conjugate gradients solve anything", "[algebra]", float, double) {
  using T = TestType;
  auto const v = ref::random<T>(20, 6, 40), b = ref::random_positive<T>(4, 41), c = ref::random_positive<T>(5, 42);
  auto const op = low_rank(v) + kronecker(b, c) + 0.1 * identity;
  auto const d = ref::plus(ref::plus(outer(v), ref::kron(ref::from(b), ref::from(c))), ref::unit(20), 0.1L);
  auto const g = ref::random<T>(20, 43);
  auto const exact = ref::eliminate(d, ref::wide(g)).first;
  auto const eps = std::is_same_v<T, double> ? 1e-12 : 1e-5;
  CHECK(ref::relative_error(solve(op, g, conjugate_gradients{.tolerance = eps}), exact) < 1e3 * eps);
  CHECK(ref::relative_error(solve(op, g, conjugate_gradients{.tolerance = 0.1}), exact) > 1e-4);
  auto const preconditioner = inverse(kronecker(b, c) + 0.1 * identity);
  CHECK(ref::relative_error(solve(op, g, conjugate_gradients{.tolerance = eps, .preconditioner = preconditioner}),
                            exact) < 1e3 * eps);
  CHECK_THROWS_AS(solve(op, g, conjugate_gradients{.tolerance = eps, .max_iterations = 3}), not_converged);
  CHECK_THROWS_AS(solve(op, g, conjugate_gradients{.tolerance = 1e-30}), not_converged);
  CHECK_THROWS_AS(solve(-1 * op, g, conjugate_gradients{}), singular_matrix);
  CHECK(ref::relative_error(solve(op, zeros<T>(20), conjugate_gradients{}), zeros<T>(20)) == 0);
}

TEST_CASE("a preconditioner saves iterations", "[algebra]") {
  auto d = zeros<double>(200);
  for (std::size_t i = 0; i < 200; ++i) d(i) = std::pow(10.0, static_cast<double>(i) / 50);
  std::size_t products = 0;
  auto const op = matrix_free<double>(200, [&](std::span<double const> x, std::span<double> y) {
    ++products;
    for (std::size_t i = 0; i < 200; ++i) y[i] = d(i) * x[i];
  });
  auto const g = ref::random<double>(200, 1);
  solve(op, g, conjugate_gradients{.tolerance = 1e-6});
  auto const plain = std::exchange(products, 0);
  solve(op, g, conjugate_gradients{.tolerance = 1e-6, .preconditioner = inverse(diagonal_matrix(d))});
  CHECK(products < 5);
  CHECK(plain > 20 * products);
}

TEMPLATE_TEST_CASE("a factorisation solves many right-hand sides", "[algebra]", float, double) {
  using T = TestType;
  auto const b = ref::random_positive<T>(3, 50), a = ref::random_positive<T>(4, 51);
  auto const d = ref::plus(ref::kron(ref::from(b), ref::from(a)), ref::unit(12), 0.2L);
  auto const f = factorise(kronecker(b, a) + 0.2 * identity);
  for (unsigned seed = 0; seed < 3; ++seed) {
    auto g = ref::random<T>(12, seed);
    auto const exact = ref::eliminate(d, ref::wide(g)).first;
    CHECK(ref::relative_error(f.solve(g), exact) < 50 * tolerance<T>);
    f.solve(g, elements(g));  // in place
    CHECK(ref::relative_error(g, exact) < 50 * tolerance<T>);
  }
}

TEST_CASE("damping a nearly singular Kronecker product in float is exact", "[algebra]") {
  // Rank-one factors and a damping far below ε(float) times the largest eigenvalue.
  auto const u = ref::random<float>(6, 1, 60), w = ref::random<float>(5, 1, 61);
  auto const d = ref::kron(outer(u), outer(w));
  auto const op = kronecker(ref::to<float>(outer(u)), ref::to<float>(outer(w)));
  auto const largest = static_cast<double>(ref::eigenvalues(d).front());
  CHECK(std::isfinite(log_det(op + 1e-6 * largest * identity)));
  CHECK_THROWS_AS(log_det(op), singular_matrix);
}

TEST_CASE("the K-FAC block of [W b], whose coordinates are not adjacent", "[algebra]") {
  // W is [2, 3] row-major, then b [2]: row o of [W b] is at 3 o, 3 o + 1, 3 o + 2 and 6 + o.
  auto const b = ref::random_positive<double>(2, 70), a = ref::random_positive<double>(4, 71);
  std::vector<std::size_t> const at{0, 1, 2, 6, 3, 4, 5, 7};
  auto const kfac = permuted(kronecker(b, a), at);
  ref::dense d(8, 8);
  auto const place = [](std::size_t o, std::size_t i) { return i < 3 ? 3 * o + i : 6 + o; };
  for (std::size_t o = 0; o < 2; ++o)
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t p = 0; p < 2; ++p)
        for (std::size_t j = 0; j < 4; ++j) d(place(o, i), place(p, j)) = ref::from(b)(o, p) * ref::from(a)(i, j);
  check(kfac, d);
  check(kfac + 0.5 * identity, ref::plus(d, ref::unit(8), 0.5L));
  CHECK(apply_error(kronecker(b, a), d) > 0.01);
}
