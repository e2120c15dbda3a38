#pragma once
/// \file
/// The products of a linear layer against naive loops in long double: the check of one layer.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/kernels/product.hpp>

#include "worst.hpp"

namespace kernel_products {

using kappa::route;
using kappa::kernels::product;
using extended = std::vector<long double>;

constexpr std::size_t margin = 32;  // elements around an output that must stay as they were

template <class T>
std::vector<T> draw(std::size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<T> v(n);
  for (auto& e : v) e = static_cast<T>(uniform(engine));
  return v;
}

template <class T>
struct guarded {
  std::vector<T> all;
  explicit guarded(std::vector<T> const& inner) : all(inner.size() + 2 * margin, T(77)) {
    for (std::size_t i = 0; i < inner.size(); ++i) all[margin + i] = inner[i];
  }
  T* data() { return all.data() + margin; }
  bool margins_intact() const {
    for (std::size_t i = 0; i < margin; ++i)
      if (all[i] != T(77) || all[all.size() - 1 - i] != T(77)) return false;
    return true;
  }
};

// The largest deviation, in units of the rounding unit times the length of the sums.
template <class T>
double error(T const* got, extended const& expected, std::size_t terms) {
  long double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    worst = worst_of(worst, std::abs(static_cast<long double>(got[i]) - expected[i]));
  return static_cast<double>(worst / (static_cast<long double>(terms + 2) * std::numeric_limits<T>::epsilon()));
}

constexpr double tolerance = 1;

// C [m, n] = scale (Σ_k A(i, k) B(k, j)) + C0(i, j)
template <class A, class B, class C>
extended reference(std::size_t m, std::size_t n, std::size_t depth, A a, B b, C c0, long double scale = 1) {
  extended c(m * n);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      long double s = 0;
      for (std::size_t k = 0; k < depth; ++k)
        s += static_cast<long double>(a(i, k)) * static_cast<long double>(b(k, j));
      c[i * n + j] = scale * s + static_cast<long double>(c0(i, j));
    }
  return c;
}

// One layer's products behind pointers: what checks them is built once, not once for each size.
using visitor = std::function<void(std::size_t, std::size_t)>;
template <class T>
struct kernel {
  std::size_t in, out;
  route way;
  std::size_t (*scratch_elements)(int threads);
  void (*forward)(std::size_t rows, T const* x, T const* w, T const* b, T* y, T* scratch, visitor const&);
  void (*pull)(std::size_t rows, T const* dy, T const* w, T* dx, bool add, T* scratch, visitor const&);
  void (*weight_gradient)(std::size_t rows, T const* dy, T const* x, T* dw, T* db, T* scratch, bool add);
};
template <class T, int In, int Out, route Route>
constexpr kernel<T> kernel_of() {
  using p = product<T, In, Out, Route>;
  return {In,
          Out,
          Route,
          [](int threads) { return p::scratch_elements(threads); },
          [](std::size_t rows, T const* x, T const* w, T const* b, T* y, T* scratch, visitor const& visit) {
            p::forward(rows, x, w, b, y, scratch, visit);
          },
          [](std::size_t rows, T const* dy, T const* w, T* dx, bool add, T* scratch, visitor const& visit) {
            p::pull(rows, dy, w, dx, add, scratch, visit);
          },
          [](std::size_t rows, T const* dy, T const* x, T* dw, T* db, T* scratch, bool add) {
            p::weight_gradient(rows, dy, x, dw, db, scratch, add);
          }};
}

template <class T>
void check(kernel<T> const& p, std::size_t rows, int threads) {
  std::size_t const In = p.in, Out = p.out;
  INFO("In " << In << " Out " << Out << " rows " << rows << " threads " << threads << " bytes " << sizeof(T)
             << " route " << static_cast<int>(p.way));
  kappa::set_threads(threads);
  auto const x = draw<T>(rows * In, 1), w = draw<T>(In * Out, 2), b = draw<T>(Out, 3);
  auto const dy = draw<T>(rows * Out, 4), before = draw<T>(rows * In, 5), dw0 = draw<T>(w.size(), 6),
             db0 = draw<T>(Out, 7);
  std::vector<T> scratch(p.scratch_elements(threads));

  auto const X = [&](std::size_t r, std::size_t i) { return x[r * In + i]; };
  auto const W = [&](std::size_t o, std::size_t i) { return w[o * In + i]; };
  auto const Wt = [&](std::size_t i, std::size_t o) { return w[o * In + i]; };
  auto const D = [&](std::size_t r, std::size_t o) { return dy[r * Out + o]; };
  auto const Dt = [&](std::size_t o, std::size_t r) { return dy[r * Out + o]; };
  auto const none = [](std::size_t, std::size_t) { return T(0); };
  auto const B = [&](std::size_t, std::size_t o) { return b[o]; };

  std::vector<unsigned char> seen(rows, 0);
  visitor const visit = [&](std::size_t first, std::size_t last) {
    for (std::size_t r = first; r < last; ++r) ++seen[r];
  };
  auto const visited_once = [&] {
    for (auto& s : seen) {
      if (s != 1) return false;
      s = 0;
    }
    return true;
  };

  {
    guarded<T> y(std::vector<T>(rows * Out));
    p.forward(rows, x.data(), w.data(), b.data(), y.data(), scratch.data(), visit);
    auto const expected = reference(rows, Out, In, X, Wt, B);
    REQUIRE(error<T>(y.data(), expected, In) < tolerance);
    REQUIRE(y.margins_intact());
    REQUIRE(visited_once());
    if (rows > 0) {  // planted fault: the bias left out
      auto const wrong = reference(rows, Out, In, X, Wt, none);
      REQUIRE_FALSE(error<T>(y.data(), wrong, In) < tolerance);
    }
    p.forward(rows, x.data(), w.data(), nullptr, y.data(), scratch.data(), visit);
    REQUIRE(error<T>(y.data(), reference(rows, Out, In, X, Wt, none), In) < tolerance);
    REQUIRE(visited_once());
  }
  for (bool accumulate : {false, true}) {
    guarded<T> dx(before);
    p.pull(rows, dy.data(), w.data(), dx.data(), accumulate, scratch.data(), visit);
    auto const old = [&](std::size_t r, std::size_t i) { return before[r * In + i]; };
    auto const right = accumulate ? reference(rows, In, Out, D, W, old) : reference(rows, In, Out, D, W, none);
    REQUIRE(error<T>(dx.data(), right, Out) < tolerance);
    REQUIRE(dx.margins_intact());
    REQUIRE(visited_once());
    if (rows > 0) {  // planted fault: overwriting where one should add, and the other way round
      auto const wrong = accumulate ? reference(rows, In, Out, D, W, none) : reference(rows, In, Out, D, W, old);
      REQUIRE_FALSE(error<T>(dx.data(), wrong, Out) < tolerance);
    }
  }
  {
    guarded<T> dw(dw0), db(db0);
    p.weight_gradient(rows, dy.data(), x.data(), dw.data(), db.data(), scratch.data(), true);
    auto const w0 = [&](std::size_t o, std::size_t i) { return dw0[o * In + i]; };
    auto const b0 = [&](std::size_t o, std::size_t) { return db0[o]; };
    auto const one = [](std::size_t, std::size_t) { return T(1); };
    REQUIRE(error<T>(dw.data(), reference(Out, In, rows, Dt, X, w0), rows) < tolerance);
    REQUIRE(error<T>(db.data(), reference(Out, 1, rows, Dt, one, b0), rows) < tolerance);
    REQUIRE(dw.margins_intact());
    REQUIRE(db.margins_intact());
    if (rows > 0) {  // planted fault: a factor
      REQUIRE_FALSE(error<T>(dw.data(), reference(Out, In, rows, Dt, X, w0, 1.01L), rows) < tolerance);
      REQUIRE_FALSE(error<T>(db.data(), reference(Out, 1, rows, Dt, one, b0, 1.01L), rows) < tolerance);
    }
    // Without `add` what was there does not matter, not even if it is no number.
    guarded<T> dw_new(std::vector<T>(dw0.size(), std::numeric_limits<T>::quiet_NaN()));
    guarded<T> db_new(std::vector<T>(db0.size(), std::numeric_limits<T>::quiet_NaN()));
    p.weight_gradient(rows, dy.data(), x.data(), dw_new.data(), db_new.data(), scratch.data(), false);
    REQUIRE(error<T>(dw_new.data(), reference(Out, In, rows, Dt, X, none), rows) < tolerance);
    REQUIRE(error<T>(db_new.data(), reference(Out, 1, rows, Dt, one, none), rows) < tolerance);
    REQUIRE(std::all_of(dw_new.all.begin(), dw_new.all.end(), [](T v) { return std::isfinite(v); }));
    REQUIRE(std::all_of(db_new.all.begin(), db_new.all.end(), [](T v) { return std::isfinite(v); }));
    REQUIRE(dw_new.margins_intact());
    if (rows > 0)  // planted fault: adding
      REQUIRE_FALSE(error<T>(dw_new.data(), reference(Out, In, rows, Dt, X, w0), rows) < tolerance);
    guarded<T> dw_only(dw0);
    p.weight_gradient(rows, dy.data(), x.data(), dw_only.data(), nullptr, scratch.data(), true);
    REQUIRE(error<T>(dw_only.data(), reference(Out, In, rows, Dt, X, w0), rows) < tolerance);
  }
}

template <int In, int Out>
void check_all() {
  for (std::size_t rows : {0u, 1u, 5u, 6u, 7u, 128u, 257u})
    for (int threads : {1, 2}) {
      check(kernel_of<float, In, Out, route::tiles>(), rows, threads);
      check(kernel_of<double, In, Out, route::tiles>(), rows, threads);
      check(kernel_of<float, In, Out, route::blas>(), rows, threads);
      check(kernel_of<double, In, Out, route::blas>(), rows, threads);
    }
}

}  // namespace kernel_products
