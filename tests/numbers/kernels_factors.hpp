#pragma once
/// \file
/// What a linear layer's curvature needs, against columns T_{nk} formed explicitly in long double: the check of one
/// layer. Layers are spread over several test programs, because each costs seconds to compile.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/kernels/factors.hpp>

#include "worst.hpp"

namespace kernel_factors {

using namespace kappa::kernels;
using extended = std::vector<long double>;

template <class T>
std::vector<T> draw(std::size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<T> v(n);
  for (auto& e : v) e = static_cast<T>(uniform(engine));
  return v;
}

extended widen(auto const& v) { return extended(v.begin(), v.end()); }

// Largest deviation of got from before + change beside the largest entry of either, in rounding units times a growth of
// √terms and some.
template <class T, class Got>
double error(Got const& got, extended const& before, extended const& change, std::size_t terms) {
  REQUIRE(got.size() == before.size());
  long double worst = 0, scale = std::numeric_limits<long double>::min();
  for (std::size_t i = 0; i < before.size(); ++i) {
    long double const off = std::abs(static_cast<long double>(got[i]) - (before[i] + change[i]));
    worst = worst_of(worst, off);
    scale = std::max({scale, std::abs(before[i]), std::abs(change[i])});
  }
  return static_cast<double>(worst / scale / std::numeric_limits<T>::epsilon()) /
         (8 + 4 * std::sqrt(static_cast<double>(terms)));
}

constexpr double tolerance = 1;

extended scaled(extended v, long double c) {
  for (auto& e : v) e *= c;
  return v;
}

// got must equal before + change, and must not if the change is one percent off.
template <class T, class Got>
void check(Got const& got, extended const& before, extended const& change, std::size_t terms) {
  REQUIRE(error<T>(got, before, change, terms) < tolerance);
  bool const nothing = std::all_of(change.begin(), change.end(), [](long double c) { return c == 0; });
  if (!nothing) REQUIRE_FALSE(error<T>(got, before, scaled(change, 1.01L), terms) < tolerance);
}

// Columns formed explicitly: t [N K, Out In], b [N K, Out].
struct columns {
  extended t, b;
};

template <class T, int In, int Out>
columns form(std::size_t n, std::size_t k, std::size_t r, std::vector<T> const& a, std::vector<T> const& s) {
  columns c{extended(n * k * Out * In), extended(n * k * Out)};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < k; ++j)
      for (std::size_t q = 0; q < r; ++q)
        for (std::size_t o = 0; o < Out; ++o) {
          long double const v = s[((i * k + j) * r + q) * Out + o];
          c.b[(i * k + j) * Out + o] += v;
          for (std::size_t x = 0; x < In; ++x)
            c.t[((i * k + j) * Out + o) * In + x] += v * static_cast<long double>(a[(i * r + q) * In + x]);
        }
  return c;
}

extended below_diagonal(auto const& g, std::size_t n) {
  extended v;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) v.push_back(static_cast<long double>(g[i * n + j]));
  return v;
}

template <class T, int In, int Out>
void check_layer(std::size_t n, std::size_t k, std::size_t r, int threads) {
  INFO("In " << In << " Out " << Out << " N " << n << " K " << k << " R " << r << " bytes " << sizeof(T) << " threads "
             << threads);
  kappa::set_threads(threads);
  using f = factors<T, In, Out>;
  auto const a = draw<T>(n * r * In, 1), s = draw<T>(n * k * r * Out, 2);
  auto const c = form<T, In, Out>(n, k, r, a, s);
  std::size_t const size = std::size_t(Out) * In, nk = n * k, terms = n * k * r;
  auto const w0 = draw<T>(size, 3), b0 = draw<T>(Out, 4);

  {
    auto w = w0, b = b0, w_only = w0;
    f::sum_of_squares(n, k, r, a.data(), s.data(), w.data(), b.data());
    f::sum_of_squares(n, k, r, a.data(), s.data(), w_only.data(), nullptr);
    extended ew(size), eb(Out);
    for (std::size_t i = 0; i < nk; ++i) {
      for (std::size_t e = 0; e < size; ++e) ew[e] += c.t[i * size + e] * c.t[i * size + e];
      for (std::size_t e = 0; e < Out; ++e) eb[e] += c.b[i * Out + e] * c.b[i * Out + e];
    }
    check<T>(w, widen(w0), ew, terms);
    check<T>(b, widen(b0), eb, terms);
    REQUIRE(w_only == w);
  }
  for (bool bias : {false, true}) {
    std::vector<T> norms(nk, T(0.5));
    std::vector<double> doubles(nk, 0.25);
    f::squared_norms(n, k, r, a.data(), s.data(), bias, norms.data());
    f::squared_norms(n, k, r, a.data(), s.data(), bias, doubles.data());
    extended e(nk);
    for (std::size_t i = 0; i < nk; ++i) {
      for (std::size_t x = 0; x < size; ++x) e[i] += c.t[i * size + x] * c.t[i * size + x];
      for (std::size_t x = 0; bias && x < Out; ++x) e[i] += c.b[i * Out + x] * c.b[i * Out + x];
    }
    check<T>(norms, extended(nk, 0.5L), e, r * (In + Out));
    check<T>(doubles, extended(nk, 0.25L), e, r * (In + Out));
  }
  for (bool bias : {false, true}) {
    std::vector<T> g(nk * nk), scratch(f::gram_scratch(n, k, r, threads));
    for (std::size_t i = 0; i < nk; ++i)
      for (std::size_t j = 0; j < nk; ++j) g[i * nk + j] = T(0.01) * static_cast<T>(i + j);
    auto const before = below_diagonal(g, nk);
    f::gram(n, k, r, a.data(), s.data(), bias, g.data(), scratch.data(), threads);
    extended e(nk * nk);
    for (std::size_t i = 0; i < nk; ++i)
      for (std::size_t j = 0; j <= i; ++j) {
        long double v = 0;
        for (std::size_t x = 0; x < size; ++x) v += c.t[i * size + x] * c.t[j * size + x];
        for (std::size_t x = 0; bias && x < Out; ++x) v += c.b[i * Out + x] * c.b[j * Out + x];
        e[i * nk + j] = v;
      }
    check<T>(below_diagonal(g, nk), before, below_diagonal(e, nk), r * (In + Out));
    // Without `add` what was there does not matter, not even if it is no number; adding to it (the twin) shows.
    std::vector<T> fresh(nk * nk, std::numeric_limits<T>::quiet_NaN());
    f::gram(n, k, r, a.data(), s.data(), bias, fresh.data(), scratch.data(), threads, false);
    check<T>(below_diagonal(fresh, nk), extended(before.size()), below_diagonal(e, nk), r * (In + Out));
    if (nk > 1) REQUIRE_FALSE(error<T>(below_diagonal(fresh, nk), before, below_diagonal(e, nk), r * (In + Out)) < 1);
    auto const symmetric = [nk](std::vector<T> const& m) {
      for (std::size_t i = 0; i < nk; ++i)
        for (std::size_t j = 0; j < i; ++j)
          if (!(m[i * nk + j] == m[j * nk + i])) return false;
      return true;
    };
    // A last call that mirrors: the same below, and above what is below, whatever was there.
    for (bool add : {false, true}) {
      std::vector<T> whole(nk * nk, std::numeric_limits<T>::quiet_NaN());
      for (std::size_t i = 0; i < nk; ++i)
        for (std::size_t j = 0; add && j <= i; ++j) whole[i * nk + j] = T(0.01) * static_cast<T>(i + j);
      f::gram(n, k, r, a.data(), s.data(), bias, whole.data(), scratch.data(), threads, add, true);
      REQUIRE(symmetric(whole));
      REQUIRE(below_diagonal(whole, nk) == below_diagonal(add ? g : fresh, nk));
    }
    if (nk > 48) REQUIRE_FALSE(symmetric(fresh));  // the twin: somebody has to
    mirror(g.data(), nk);
    REQUIRE(symmetric(g));
  }
  {
    auto const x_w = draw<T>(size, 5), x_b = draw<T>(Out, 6), coefficients = draw<T>(nk, 7);
    std::vector<T> scratch(f::apply_scratch(n, r, threads, 3));
    // Two vectors' products in rows with room for a bias and three elements that must stay; what is there does not
    // matter.
    std::size_t const stride = size + Out + 3;
    std::vector<T> y(2 * stride, std::numeric_limits<T>::quiet_NaN()), no_bias(size);
    for (std::size_t i : {stride - 3, stride - 1, 2 * stride - 2}) y[i] = T(77);
    std::vector<T> two(2 * nk);
    std::ranges::copy(coefficients, two.begin() + static_cast<std::ptrdiff_t>(nk));
    for (std::size_t i = 0; i < nk; ++i) two[i] = T(0.5) * coefficients[i] + T(0.25) * T(i % 3);
    f::combine(n, k, r, a.data(), s.data(), 2, two.data(), y.data(), y.data() + size, stride, scratch.data());
    f::combine(n, k, r, a.data(), s.data(), 1, coefficients.data(), no_bias.data(), nullptr, 0, scratch.data());
    auto const part = [&](std::size_t from, std::size_t count) {
      auto const begin = y.begin() + static_cast<std::ptrdiff_t>(from);
      return std::vector<T>(begin, begin + static_cast<std::ptrdiff_t>(count));
    };
    auto v = coefficients, v_only = coefficients;
    f::project(n, k, r, a.data(), s.data(), x_w.data(), x_b.data(), v.data(), scratch.data());
    f::project(n, k, r, a.data(), s.data(), x_w.data(), nullptr, v_only.data(), scratch.data());
    extended ew(size), eb(Out), ev(nk), ev_only(nk);
    for (std::size_t i = 0; i < nk; ++i) {
      for (std::size_t x = 0; x < size; ++x) {
        ew[x] += c.t[i * size + x] * static_cast<long double>(coefficients[i]);
        ev_only[i] += c.t[i * size + x] * static_cast<long double>(x_w[x]);
      }
      ev[i] = ev_only[i];
      for (std::size_t x = 0; x < Out; ++x) {
        eb[x] += c.b[i * Out + x] * static_cast<long double>(coefficients[i]);
        ev[i] += c.b[i * Out + x] * static_cast<long double>(x_b[x]);
      }
    }
    check<T>(part(stride, size), extended(size), ew, terms);
    check<T>(part(stride + size, Out), extended(Out), eb, terms);
    REQUIRE(no_bias == part(stride, size));
    extended first_w(size), first_b(Out);
    for (std::size_t i = 0; i < nk; ++i) {
      for (std::size_t x = 0; x < size; ++x) first_w[x] += c.t[i * size + x] * static_cast<long double>(two[i]);
      for (std::size_t x = 0; x < Out; ++x) first_b[x] += c.b[i * Out + x] * static_cast<long double>(two[i]);
    }
    check<T>(part(0, size), extended(size), first_w, terms);
    check<T>(part(size, Out), extended(Out), first_b, terms);
    for (std::size_t i : {stride - 3, stride - 1, 2 * stride - 2}) REQUIRE(y[i] == T(77));
    check<T>(v, widen(coefficients), ev, size * r);
    check<T>(v_only, widen(coefficients), ev_only, size * r);
  }
  if (k > 1) return;
  {
    auto const mean_w = draw<T>(size, 8), mean_b = draw<T>(Out, 9);
    T const factor = T(1.75);
    auto w = w0, b = b0;
    f::centred_sum_of_squares(n, r, a.data(), s.data(), mean_w.data(), mean_b.data(), factor, w.data(), b.data());
    extended ew(size), eb(Out);
    auto const square = [](long double x) { return x * x; };
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t x = 0; x < size; ++x)
        ew[x] += square(static_cast<long double>(factor) * c.t[i * size + x] - static_cast<long double>(mean_w[x]));
      for (std::size_t x = 0; x < Out; ++x)
        eb[x] += square(static_cast<long double>(factor) * c.b[i * Out + x] - static_cast<long double>(mean_b[x]));
    }
    check<T>(w, widen(w0), ew, terms);
    check<T>(b, widen(b0), eb, terms);
  }
  {
    std::size_t const stride = size + Out + 5;  // five elements in each row that must stay
    auto const before = draw<T>(n * stride, 10);
    for (bool add : {false, true}) {
      auto rows = before;
      f::outer(n, r, a.data(), s.data(), rows.data(), n > 0 ? rows.data() + size : nullptr, stride, add);
      extended start = widen(before), e(n * stride);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t x = 0; x < size + Out; ++x) {
          if (!add) start[i * stride + x] = 0;
          e[i * stride + x] = x < size ? c.t[i * size + x] : c.b[i * Out + x - size];
        }
      }
      check<T>(rows, start, e, r);
    }
  }
}

template <int In, int Out>
void check_layers() {
  for (std::size_t n : {0u, 1u, 7u})
    for (std::size_t k : {1u, 9u, 10u})
      for (std::size_t r : {1u, 5u})
        for (int threads : {1, 2}) {
          check_layer<float, In, Out>(n, k, r, threads);
          check_layer<double, In, Out>(n, k, r, threads);
        }
}

}  // namespace kernel_factors
