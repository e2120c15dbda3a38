// Laws that hold for any operators: Kronecker identities, inverses, expressions regrouped.

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>

#include "../numbers/algebra_reference.hpp"

using namespace kappa;
namespace ref = reference;

namespace {
double difference(auto const& a, auto const& b) { return ref::relative_error(to_dense(a), to_dense(b)); }
constexpr double eps = 1e-12;
auto positive(std::size_t n, unsigned seed) { return ref::random_positive<double>(n, seed); }
}  // namespace

TEST_CASE("Kronecker products", "[laws]") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    auto const a = symmetric(positive(4, seed)), b = symmetric(positive(3, seed + 100)),
               c = symmetric(positive(4, seed + 200)), d = symmetric(positive(3, seed + 300));
    auto const ba = kronecker(b, a);
    auto const dense = to_dense(ba);
    for (std::size_t i = 0; i < 12; ++i)
      for (std::size_t j = 0; j < i; ++j) CHECK(std::abs(dense(i, j) - dense(j, i)) < eps);  // (B ⊗ A)ᵀ = B ⊗ A
    CHECK(condition_number(ba) == Approx(condition_number(b) * condition_number(a)).epsilon(eps));
    CHECK(condition_number(symmetric(dense)) == Approx(condition_number(ba)).epsilon(1e-10));
    CHECK(log_det(ba) == Approx(4 * log_det(b) + 3 * log_det(a)).epsilon(eps));
    CHECK(log_det(ba) != Approx(3 * log_det(b) + 4 * log_det(a)).epsilon(1e-6));  // the exponents swapped
    CHECK(trace(ba) == Approx(trace(b) * trace(a)).epsilon(eps));
    CHECK(frobenius_norm(ba) == Approx(frobenius_norm(b) * frobenius_norm(a)).epsilon(eps));
    CHECK(difference(kronecker(b, a) * kronecker(d, c),  // (B ⊗ A)(D ⊗ C) = BD ⊗ AC
                     matrix_free<double>(12, [&](auto x, auto y) {
                       auto const p = ref::kron(ref::times(ref::from(b.entries()), ref::from(d.entries())),
                                                ref::times(ref::from(a.entries()), ref::from(c.entries())));
                       auto const image = ref::times(p, ref::column(x.begin(), x.end()));
                       std::ranges::transform(image, y.begin(), [](auto v) { return static_cast<double>(v); });
                     })) < eps);
    CHECK(difference(kronecker(b, a), kronecker(a, b)) > 1e-3);
    CHECK(difference(inverse(ba), kronecker(symmetric(ref::to<double>(ref::dense(ref::from(to_dense(inverse(b)))))),
                                            symmetric(to_dense(inverse(a))))) < 1e-10);
    // A ⊕ B commutes with A ⊗ B: they share their eigenvectors.
    CHECK(difference(kronecker_sum(b, a) * ba, ba * kronecker_sum(b, a)) < eps);
    CHECK(difference(symmetric(positive(12, seed)) * ba, ba * symmetric(positive(12, seed))) > 1e-3);
  }
}

TEST_CASE("solving undoes applying, whatever the structure", "[laws]") {
  auto const check = [](auto const& op) {
    for (unsigned seed = 0; seed < 10; ++seed) {
      auto const x = ref::random<double>(op.size(), seed);
      CHECK(ref::relative_error(solve(op, apply(op, x)), x) < 1e-10);
      CHECK(ref::relative_error(apply(op, solve(op, x)), x) < 1e-10);
      CHECK(ref::relative_error(solve(op + 0.01 * identity, apply(op, x)), x) > 1e-5);
    }
  };
  auto const v = ref::random<double>(12, 4, 1);
  auto const kron = kronecker(positive(3, 1), positive(4, 2));
  check(kron);
  check(kron + 0.1 * identity);
  check(kronecker_sum(positive(3, 1), positive(4, 2)));
  check(low_rank(v) + 0.1 * identity);
  check(3 * low_rank(v) + 0.1 * identity);
  check(symmetric(positive(12, 4)) + 0.1 * identity);
  check(block_diagonal(kron, low_rank(v)) + 0.1 * identity);
  check(block_diagonal(kron, block_diagonal(symmetric(positive(2, 5)), kron)));
}

TEST_CASE("expressions regrouped are the same operator", "[laws]") {
  auto const a = low_rank(ref::random<double>(6, 2, 1));
  auto const b = kronecker(positive(2, 2), positive(3, 3));
  auto const c = symmetric(positive(6, 4));
  CHECK(difference((a + b) + c, a + (b + c)) < eps);
  CHECK(difference(a + b, b + a) < eps);
  CHECK(difference(2 * (a + b), 2 * a + 2 * b) < eps);
  CHECK(difference(2 * (a + b), 2 * a + b) > 1e-3);
  CHECK(difference(2 * (3 * a), 6 * a) < eps);
  CHECK(difference((a + 0.5 * identity) + (b + 0.25 * identity), a + b + 0.75 * identity) < eps);
  CHECK(difference((a + 0.5 * identity) + (b + 0.25 * identity), a + b + 0.5 * identity) > 1e-3);
  CHECK(difference(2 * (a + 0.5 * identity), 2 * a + identity) < eps);
  CHECK(difference(identity + a, a + identity) < eps);
  CHECK(difference(a - b, a + -1 * b) < eps);
  CHECK(difference(c - 0.5 * identity, c + -0.5 * identity) < eps);
  CHECK(difference((a * b) * c, a * (b * c)) < eps);
  CHECK(difference(a * b, b * a) > 1e-3);
}

TEST_CASE("damping is the outermost layer of an expression's type", "[laws]") {
  auto const a = low_rank(ref::random<double>(6, 2, 1));
  using damped_a = decltype(a + 0.1 * identity);
  STATIC_REQUIRE(std::is_same_v<damped_a, damped<std::remove_const_t<decltype(a)>>>);
  STATIC_REQUIRE(std::is_same_v<decltype(a + 0.1 * identity + 0.2 * identity), damped_a>);
  STATIC_REQUIRE(detail::is_damped<decltype((a + 0.1 * identity) + a)>);
  STATIC_REQUIRE(detail::is_damped<decltype(3 * (a + 0.1 * identity))>);
  STATIC_REQUIRE_FALSE(detail::is_damped<decltype(3 * a)>);
}

TEST_CASE("damping distributes over blocks, permutations change no spectrum", "[laws]") {
  auto const a = symmetric(positive(3, 1)), b = symmetric(positive(2, 2));
  auto const blocks = block_diagonal(a, b);
  CHECK(difference(blocks + 0.3 * identity, block_diagonal(a + 0.3 * identity, b + 0.3 * identity)) < eps);
  CHECK(difference(blocks + 0.3 * identity, block_diagonal(a + 0.3 * identity, b)) > 1e-3);
  CHECK(log_det(blocks) == Approx(log_det(a) + log_det(b)).epsilon(eps));
  auto const renamed = permuted(blocks, {3, 0, 4, 1, 2});
  CHECK(ref::relative_error(eigenvalues(renamed), eigenvalues(blocks)) < eps);
  CHECK(difference(renamed, blocks) > 1e-3);
}

TEST_CASE("rank and pseudo-condition number follow a relative threshold", "[laws]") {
  auto d = zeros<double>(5);
  d(0) = 1e-5, d(1) = 8e-6, d(2) = 2e-6, d(3) = 1e-17, d(4) = 0;
  for (double scale : {1.0, 1e-100, 1e100}) {
    CHECK(rank(scale * diagonal_matrix(d)) == 4);  // 1e-17 is 1e-12 of the largest
    CHECK(rank(scale * diagonal_matrix(d), 1e-8) == 3);
    CHECK(condition_number(scale * diagonal_matrix(d), 1e-8) == Approx(5).epsilon(eps));
    CHECK(condition_number(scale * diagonal_matrix(d)) == Approx(1e12).epsilon(eps));
  }
  auto const v = ref::random<double>(20, 3, 9);
  auto const w = low_rank(v);
  CHECK(rank(w) == 3);
  CHECK(rank(w + 0.1 * identity) == 20);
  CHECK(rank(kronecker(symmetric(to_dense(w)), symmetric(positive(2, 1)))) == 6);
  auto const values = eigenvalues(w);
  CHECK(condition_number(w) == Approx(values(0) / values(2)).epsilon(eps));
  CHECK(condition_number(w + 0.1 * identity) == Approx((values(0) + 0.1) / 0.1).epsilon(eps));
}

TEST_CASE("an expression owns what it needs", "[laws]") {
  auto const make = [] {
    auto const a = kronecker(positive(2, 1), positive(3, 2));
    return 2 * a + low_rank(ref::random<double>(6, 2, 3)) + 0.5 * identity;
  };
  auto const again =
      2 * kronecker(positive(2, 1), positive(3, 2)) + low_rank(ref::random<double>(6, 2, 3)) + 0.5 * identity;
  CHECK(difference(make(), again) == 0);
}
