// Certified eigenpairs on spectra that are hard: clustered, geometric, flat, of low rank.

#include <cmath>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>

#include "worst.hpp"

namespace {
using namespace kappa;

/// Q diag(values) Qᵀ with Q a product of random reflections, so that the spectrum is known.
template <class T>
matrix<T> with_spectrum(std::vector<double> const& values, std::uint64_t seed) {
  auto const n = values.size();
  auto a = zeros<double>(n, n);
  for (std::size_t i = 0; i < n; ++i) a(i, i) = values[i];
  counter_random random(seed);
  for (int reflections = 0; reflections < 3; ++reflections) {
    std::vector<double> v(n), av(n);
    double norm = 0;
    for (double& x : v) {
      x = random.normal();
      norm += x * x;
    }
    for (double& x : v) x /= std::sqrt(norm);
    double vav = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) av[i] += a(i, j) * v[j];
      vav += v[i] * av[i];
    }
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) a(i, j) += -2 * v[i] * av[j] - 2 * av[i] * v[j] + 4 * vav * v[i] * v[j];
  }
  auto b = zeros<T>(n, n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) b(i, j) = static_cast<T>((a(i, j) + a(j, i)) / 2);
  return b;
}

struct spectrum {
  std::string name;
  std::vector<double> values;
};

std::vector<spectrum> spectra(std::size_t n) {
  std::vector<spectrum> all{{"clustered", {}}, {"geometric", {}}, {"flat", {}}, {"low rank", {}}, {"bulk", {}}};
  for (std::size_t i = 0; i < n; ++i) {
    auto const x = static_cast<double>(i);
    all[0].values.push_back(i < 9 ? 1.0 + 1e-4 * static_cast<double>(i % 3) : i < 40 ? 0.5 + 1e-5 * x : 1e-3);
    all[1].values.push_back(std::pow(0.8, x));
    all[2].values.push_back(2);
    all[3].values.push_back(i < 6 ? 1 / (1 + x) : 0);
    all[4].values.push_back(i < 4 ? 10 - x : 1 - x / static_cast<double>(n));
  }
  for (auto& s : all) std::ranges::sort(s.values, std::greater{});
  return all;
}

/// The largest ‖A v - λ v‖ and deviation from orthonormality, in double, and of eigenvalues from the known ones.
struct faults {
  double residual = 0, orthogonality = 0, value = 0;
};
template <class T>
faults faults_of(matrix<T> const& a, certified_eigenpairs<T> const& p, std::vector<double> const& known) {
  faults f;
  auto const n = a.shape(0), k = p.values.size();
  for (std::size_t r = 0; r < k; ++r) {
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      double y = 0;
      for (std::size_t j = 0; j < n; ++j) y += static_cast<double>(a(i, j)) * static_cast<double>(p.vectors(r, j));
      total += std::pow(y - static_cast<double>(p.values(r)) * static_cast<double>(p.vectors(r, i)), 2);
    }
    f.residual = std::max(f.residual, std::sqrt(total));
    for (std::size_t s = 0; s <= r; ++s) {
      double dot = 0;
      for (std::size_t i = 0; i < n; ++i)
        dot += static_cast<double>(p.vectors(r, i)) * static_cast<double>(p.vectors(s, i));
      f.orthogonality = std::max(f.orthogonality, std::abs(dot - (r == s ? 1 : 0)));
    }
    f.value = std::max(f.value, std::abs(static_cast<double>(p.values(r)) - known[r]));
  }
  return f;
}

template <class T>
void certified(double tolerance) {
  std::size_t const n = 300;
  for (auto const& s : spectra(n)) {
    INFO(s.name);
    auto const a = with_spectrum<T>(s.values, 5);
    for (std::size_t const k : {1U, 5U, 10U, 20U}) {
      // What users get, which for this order is mostly LAPACK's, and the Krylov method's alone where it converges.
      std::vector<certified_eigenpairs<T>> found{leading_eigenpairs(elements(a), n, k)};
      if (auto own = detail::leading_by_krylov(n, a.data(), k, tolerance, {})) {
        CHECK(own->products > 0);
        found.push_back(*std::move(own));
      }
      CHECK((found.size() == 2 || (s.name != "geometric" && s.name != "clustered")));
      for (auto const& p : found) {
        REQUIRE(p.values.size() == k);
        auto const f = faults_of(a, p, s.values);
        double const top = s.values[0];
        CHECK(f.residual <= tolerance * top * 1.05);  // the certificate, computed anew
        CHECK(f.value <= tolerance * top);
        CHECK(f.orthogonality < 50 * static_cast<double>(std::numeric_limits<T>::epsilon()));
        for (std::size_t r = 0; r < k; ++r) CHECK(static_cast<double>(p.residuals(r)) <= tolerance * top);
        // The check would see pairs of another matrix.
        auto other = s.values;
        for (double& v : other) v *= 1.001;
        CHECK(faults_of(with_spectrum<T>(other, 5), p, other).residual > tolerance * top);
      }
    }
  }
}
}  // namespace

TEST_CASE("leading eigenpairs are certified on hard spectra, in double") { certified<double>(1e-10); }
TEST_CASE("leading eigenpairs are certified on hard spectra, in float") { certified<float>(1e-5); }

TEST_CASE("copies of a multiple eigenvalue are all found") {
  std::vector<double> values(200, 1.0);
  for (std::size_t i = 0; i < 24; ++i) values[i] = 3;
  auto const a = with_spectrum<double>(values, 9);
  auto const p = detail::leading_by_krylov(200, a.data(), 12, 1e-10, {.block = 8});  // more copies than a block holds
  REQUIRE(p);
  for (std::size_t r = 0; r < 12; ++r) CHECK(std::abs(p->values(r) - 3) < 1e-9);

  // Copies beside a spread of other eigenvalues, where the space is never invariant.
  std::vector<double> beside(400);
  for (std::size_t i = 0; i < beside.size(); ++i) beside[i] = 1 / (1 + 0.05 * static_cast<double>(i));
  for (std::size_t i = 0; i < 10; ++i) beside[i] = 3;
  std::ranges::sort(beside, std::greater{});
  auto const b = with_spectrum<double>(beside, 10);
  std::size_t converged = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto const q = detail::leading_by_krylov(400, b.data(), 12, 1e-10, {.seed = seed});
    if (!q) continue;
    ++converged;
    for (std::size_t r = 0; r < 12; ++r) CHECK(std::abs(q->values(r) - beside[r]) < 1e-9);
  }
  CHECK(converged > 10);
}

TEST_CASE("leading eigenpairs: small matrices, zero matrices, bad input") {
  auto const zero = zeros<double>(120, 120);
  auto const p = leading_eigenpairs(elements(zero), 120, 3);
  for (std::size_t r = 0; r < 3; ++r) CHECK(p.values(r) == 0);
  auto const one = with_spectrum<double>({4.0}, 1);
  CHECK(leading_eigenpairs(elements(one), 1, 1).values(0) == Approx(4));
  CHECK(leading_eigenpairs(elements(one), 1, 0).values.size() == 0);
  CHECK_THROWS_AS(leading_eigenpairs(elements(one), 1, 2), invalid_value);
  CHECK_THROWS_AS(leading_eigenpairs(elements(one), 2, 1), shape_mismatch);
  auto broken = zeros<double>(3, 3);
  broken(1, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(leading_eigenpairs(elements(std::as_const(broken)), 3, 1), invalid_value);
  auto const geometric = with_spectrum<float>(spectra(300)[1].values, 5);
  CHECK_THROWS_AS(leading_eigenpairs(elements(geometric), 300, 5, {.tolerance = 1e-12}), not_converged);
}

TEST_CASE("a diagonal in a Kronecker product of bases") {
  std::size_t const p = 3, q = 4;
  auto const u_b = lapack::symmetric_eigen(with_spectrum<double>({3, 2, 1}, 3)).vectors;
  auto const u_a = lapack::symmetric_eigen(with_spectrum<double>({4, 3, 2, 1}, 4)).vectors;
  auto lambda = zeros<double>(p, q);
  for (std::size_t i = 0; i < p * q; ++i) lambda.data()[i] = 0.5 + static_cast<double>((7 * i) % 12);
  kronecker_eigenbasis<double> const op(u_b, u_a, lambda);
  auto dense = zeros<double>(p * q, p * q);
  for (std::size_t b = 0; b < p; ++b)
    for (std::size_t a = 0; a < q; ++a)
      for (std::size_t i = 0; i < p * q; ++i)
        for (std::size_t j = 0; j < p * q; ++j)
          dense(i, j) += lambda(b, a) * u_b(b, i / q) * u_a(a, i % q) * u_b(b, j / q) * u_a(a, j % q);
  auto const made = to_dense(op);
  double worst = 0, transposed = 0;
  for (std::size_t i = 0; i < dense.size(); ++i) worst = worst_of(worst, std::abs(made.data()[i] - dense.data()[i]));
  CHECK(worst < 1e-12);
  kronecker_eigenbasis<double> const wrong(matrix<double>(xt::transpose(u_b)), u_a, lambda);
  auto const made_wrong = to_dense(wrong);
  for (std::size_t i = 0; i < dense.size(); ++i)
    transposed = std::max(transposed, std::abs(made_wrong.data()[i] - dense.data()[i]));
  CHECK(transposed > 0.1);
  auto x = zeros<double>(p * q);
  for (std::size_t i = 0; i < x.size(); ++i) x(i) = std::sin(static_cast<double>(i));
  auto const solved = solve(op + 0.3 * identity, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    double back = 0.3 * solved(i);
    for (std::size_t j = 0; j < x.size(); ++j) back += dense(i, j) * solved(j);
    CHECK(back == Approx(x(i)).margin(1e-12));
  }
  auto const d = diagonal(op);
  double total = 0, log_total = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(d(i) == Approx(dense(i, i)));
    total += dense(i, i);
  }
  for (double v : elements(lambda)) log_total += std::log(v + 0.3);
  CHECK(trace(op) == Approx(total));
  CHECK(log_det(op + 0.3 * identity) == Approx(log_total));
  auto const values = lapack::symmetric_eigenvalues(dense);
  auto const own = eigenvalues(op);
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(own(i) == Approx(values(i)));
  auto const top = top_eigenpairs(op, 2);
  for (std::size_t r = 0; r < 2; ++r) {
    CHECK(top.values(r) == Approx(values(r)));
    for (std::size_t i = 0; i < x.size(); ++i) {
      double y = 0;
      for (std::size_t j = 0; j < x.size(); ++j) y += dense(i, j) * top.vectors(r, j);
      CHECK(y == Approx(top.values(r) * top.vectors(r, i)).margin(1e-11));
    }
  }
  CHECK_THROWS_AS(kronecker_eigenbasis<double>(u_b, u_a, zeros<double>(q, p)), shape_mismatch);
}

TEMPLATE_TEST_CASE("products with a few long rows", "", float, double) {
  using T = TestType;
  using namespace kappa;
  double const close = std::is_same_v<T, float> ? 2e-6 : 1e-14;
  auto const before = threads();
  for (std::size_t const n : {1U, 2U, 7U, 15U, 16U, 33U, 130U, 257U})
    for (std::size_t const count : {1U, 3U, 4U, 5U, 8U, 40U}) {
      counter_random random(n, count);
      std::vector<T> a(n * n), x(count * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j <= i; ++j) a[i * n + j] = a[j * n + i] = static_cast<T>(random.normal());
      for (T& v : x) v = static_cast<T>(random.normal());
      // The largest distance from X A, or from X Aᵀ, in units of what rounding may do.
      auto const off = [&](std::vector<T> const& y) {
        double most = 0;
        for (std::size_t c = 0; c < count; ++c)
          for (std::size_t j = 0; j < n; ++j) {
            double exact = 0, size = 0;
            for (std::size_t i = 0; i < n; ++i) {
              double const term = static_cast<double>(x[c * n + i]) * static_cast<double>(a[i * n + j]);
              exact += term;
              size += std::abs(term);
            }
            most = worst_of(most, std::abs(static_cast<double>(y[c * n + j]) - exact) / (close * size));
          }
        return most;
      };
      for (int const used : {1, 2}) {
        set_threads(used);
        std::vector<T> y(count * n, T(7));  // to be overwritten
        detail::symmetric_times_rows(n, a.data(), count, x.data(), y.data());
        CHECK(off(y) < 1);
      }
      std::vector<T> c(count * n), rest = x;
      detail::rows_times_rows(n, count, x.data(), n, a.data(), c.data());
      CHECK(off(c) < 1);
      detail::subtract_rows(n, count, rest.data(), n, x.data(), a.data());
      for (std::size_t i = 0; i < rest.size(); ++i) rest[i] = x[i] - rest[i];
      CHECK(off(rest) < 10);   // a difference of differences
      a[(n - 1) * n] += T(3);  // the check would see another entry
      CHECK(off(c) > 1);
    }
  set_threads(before);
}
