#pragma once
// Dense linear algebra in long double by the plainest methods: the independent reference of the algebra's tests.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include <kappa/tensor/array.hpp>

namespace reference {

using number = long double;
using column = std::vector<number>;

struct dense {
  std::size_t n = 0, m = 0;
  std::vector<number> a;
  dense(std::size_t rows, std::size_t columns) : n(rows), m(columns), a(rows * columns) {}
  number& operator()(std::size_t i, std::size_t j) { return a[i * m + j]; }
  number operator()(std::size_t i, std::size_t j) const { return a[i * m + j]; }
};

template <class T>
dense from(kappa::matrix<T> const& m) {
  dense d(m.shape(0), m.shape(1));
  std::copy(m.data(), m.data() + m.size(), d.a.begin());
  return d;
}
template <class T>
kappa::matrix<T> to(dense const& d) {
  auto m = kappa::zeros<T>(d.n, d.m);
  std::transform(d.a.begin(), d.a.end(), m.data(), [](number x) { return static_cast<T>(x); });
  return m;
}

inline dense unit(std::size_t n) {
  dense d(n, n);
  for (std::size_t i = 0; i < n; ++i) d(i, i) = 1;
  return d;
}
inline dense times(dense const& a, dense const& b) {
  dense c(a.n, b.m);
  for (std::size_t i = 0; i < a.n; ++i)
    for (std::size_t k = 0; k < a.m; ++k)
      for (std::size_t j = 0; j < b.m; ++j) c(i, j) += a(i, k) * b(k, j);
  return c;
}
inline dense transposed(dense const& a) {
  dense t(a.m, a.n);
  for (std::size_t i = 0; i < a.n; ++i)
    for (std::size_t j = 0; j < a.m; ++j) t(j, i) = a(i, j);
  return t;
}
inline dense plus(dense a, dense const& b, number factor = 1) {
  for (std::size_t i = 0; i < a.a.size(); ++i) a.a[i] += factor * b.a[i];
  return a;
}
// Entry ((i, j), (k, l)) of B ⊗ A is B(i, k) A(j, l).
inline dense kron(dense const& b, dense const& a) {
  dense c(b.n * a.n, b.m * a.m);
  for (std::size_t i = 0; i < b.n; ++i)
    for (std::size_t j = 0; j < a.n; ++j)
      for (std::size_t k = 0; k < b.m; ++k)
        for (std::size_t l = 0; l < a.m; ++l) c(i * a.n + j, k * a.m + l) = b(i, k) * a(j, l);
  return c;
}
inline column times(dense const& a, column const& x) {
  column y(a.n);
  for (std::size_t i = 0; i < a.n; ++i)
    for (std::size_t j = 0; j < a.m; ++j) y[i] += a(i, j) * x[j];
  return y;
}

// Gaussian elimination with partial pivoting: the solution and log |det|.
inline std::pair<column, number> eliminate(dense a, column b) {
  number log_det = 0;
  for (std::size_t k = 0; k < a.n; ++k) {
    auto p = k;
    for (auto i = k; i < a.n; ++i)
      if (std::abs(a(i, k)) > std::abs(a(p, k))) p = i;
    for (std::size_t j = 0; j < a.n; ++j) std::swap(a(k, j), a(p, j));
    std::swap(b[k], b[p]);
    log_det += std::log(std::abs(a(k, k)));
    for (auto i = k + 1; i < a.n; ++i) {
      auto const f = a(i, k) / a(k, k);
      for (auto j = k; j < a.n; ++j) a(i, j) -= f * a(k, j);
      b[i] -= f * b[k];
    }
  }
  for (auto i = a.n; i-- > 0;) {
    for (auto j = i + 1; j < a.n; ++j) b[i] -= a(i, j) * b[j];
    b[i] /= a(i, i);
  }
  return {b, log_det};
}

// All eigenvalues, descending, by cyclic Jacobi rotations.
inline column eigenvalues(dense a) {
  auto const n = a.n;
  for (int sweep = 0; sweep < 60; ++sweep) {
    number off = 0, all = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) (i == j ? all : off) += a(i, j) * a(i, j);
    if (off <= 1e-38L * all) break;
    for (std::size_t p = 0; p < n; ++p)
      for (auto q = p + 1; q < n; ++q) {
        if (a(p, q) == 0) continue;
        auto const theta = (a(q, q) - a(p, p)) / (2 * a(p, q));
        auto const t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        auto const c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (std::size_t k = 0; k < n; ++k) {
          auto const x = a(k, p), y = a(k, q);
          a(k, p) = c * x - s * y, a(k, q) = s * x + c * y;
        }
        for (std::size_t k = 0; k < n; ++k) {
          auto const x = a(p, k), y = a(q, k);
          a(p, k) = c * x - s * y, a(q, k) = s * x + c * y;
        }
      }
  }
  column values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = a(i, i);
  std::sort(values.begin(), values.end(), std::greater{});
  return values;
}

// ‖a - b‖ / ‖b‖; infinite when the lengths differ.
template <class A, class B>
double relative_error(A const& a, B const& b) {
  if (a.size() != b.size()) return INFINITY;
  number difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    auto const x = static_cast<number>(*(a.begin() + static_cast<std::ptrdiff_t>(i)));
    auto const y = static_cast<number>(*(b.begin() + static_cast<std::ptrdiff_t>(i)));
    difference += (x - y) * (x - y), norm += y * y;
  }
  if (difference == 0) return 0;
  return static_cast<double>(std::sqrt(difference / norm));
}
inline double relative_error(double a, number b) { return static_cast<double>(std::abs(a - b) / std::abs(b)); }

// ---- random things -------------------------------------------------------------------------------------------------

template <class T>
kappa::matrix<T> random(std::size_t n, std::size_t m, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  auto a = kappa::zeros<T>(n, m);
  for (auto& x : kappa::elements(a)) x = static_cast<T>(normal(engine));
  return a;
}
template <class T>
kappa::vector<T> random(std::size_t n, unsigned seed) {
  auto const m = random<T>(n, 1, seed);
  auto v = kappa::zeros<T>(n);
  std::copy(m.data(), m.data() + n, v.data());
  return v;
}
template <class T>
column wide(kappa::vector<T> const& v) {
  return {v.begin(), v.end()};
}
// M Mᵀ / n + floor I: positive definite for a positive floor.
template <class T>
kappa::matrix<T> random_positive(std::size_t n, unsigned seed, number floor = 0.1L) {
  auto const m = from(random<T>(n, n, seed));
  auto a = times(m, transposed(m));
  for (auto& x : a.a) x /= static_cast<number>(n);
  return to<T>(plus(a, unit(n), floor));
}

}  // namespace reference
