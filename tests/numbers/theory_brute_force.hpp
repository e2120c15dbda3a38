#pragma once
/// \file
/// The Gauss-Newton matrix from its definition, G = 1/n Σ_q J_qᵀ J_q: Jacobians by dual numbers in long double through
/// any forward pass. No formula of the theory is used here.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/random.hpp>

namespace kappa::brute_force {

/// v + ε d with ε² = 0.
struct dual {
  long double v = 0, d = 0;

  dual() = default;
  dual(long double value, long double derivative = 0) : v(value), d(derivative) {}
  friend dual operator+(dual a, dual b) { return {a.v + b.v, a.d + b.d}; }
  friend dual operator-(dual a, dual b) { return {a.v - b.v, a.d - b.d}; }
  friend dual operator*(dual a, dual b) { return {a.v * b.v, a.v * b.d + a.d * b.v}; }
  friend dual operator/(dual a, dual b) { return {a.v / b.v, (a.d - a.v / b.v * b.d) / b.v}; }
  dual& operator+=(dual b) { return *this = *this + b; }
  dual& operator-=(dual b) { return *this = *this - b; }
};
inline dual sqrt(dual a) {
  long double const root = std::sqrt(a.v);
  return {root, a.d / (2 * root)};
}

using duals = std::vector<dual>;

/// The eigenvalues of 1/n JᵀJ, descending, J the Jacobian of `outputs(theta)`, a vector of all outputs of n samples.
vector<double> spectrum(auto const& outputs, std::vector<double> const& theta, std::size_t n) {
  auto const p = theta.size();
  std::vector<std::vector<long double>> columns;
  for (std::size_t i = 0; i < p; ++i) {
    duals at(theta.begin(), theta.end());
    at[i].d = 1;
    std::vector<long double> column;
    for (dual const& y : outputs(at)) column.push_back(y.d);
    columns.push_back(column);
  }
  auto g = zeros<double>(p, p);
  for (std::size_t i = 0; i < p; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      long double sum = 0;
      for (std::size_t r = 0; r < columns[i].size(); ++r) sum += columns[i][r] * columns[j][r];
      g(i, j) = g(j, i) = static_cast<double>(sum / static_cast<long double>(n));
    }
  return lapack::symmetric_eigenvalues(std::move(g));
}

/// A matrix of duals out of a flat vector, [rows, columns] row-major from `offset` on, times the rows of x [n,
/// columns]: y [n, rows].
inline duals apply(duals const& theta, std::size_t offset, std::size_t rows, std::size_t columns, duals const& x) {
  duals y(x.size() / columns * rows);
  for (std::size_t q = 0; q < x.size() / columns; ++q)
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) y[q * rows + i] += theta[offset + i * columns + j] * x[q * columns + j];
  return y;
}

inline duals constants(matrix<double> const& m) { return duals(m.data(), m.data() + m.size()); }

/// The numbers of several matrices, one after the other.
template <class... Matrix>
std::vector<double> flat(Matrix const&... m) {
  std::vector<double> all;
  (all.insert(all.end(), m.data(), m.data() + m.size()), ...);
  return all;
}

/// κ over the first `rank` eigenvalues, and whether double precision knows it to 0.1 %: λ_min is known to about
/// 16 order ε λ_max.
struct condition {
  double value = 0;
  double slack = 0;  // relative rounding of `value`
  bool decided() const { return slack <= 1e-3; }
};
inline condition condition_of(vector<double> const& descending, std::size_t rank) {
  double const smallest = descending(rank - 1);
  if (!(smallest > 0)) return {std::numeric_limits<double>::infinity(), 1};
  double const value = descending(0) / smallest;
  return {value, 16 * static_cast<double>(descending.size()) * std::numeric_limits<double>::epsilon() * value};
}

inline matrix<double> gaussian(std::size_t rows, std::size_t columns, counter_random& random, double deviation = 1) {
  auto m = zeros<double>(rows, columns);
  for (double& x : elements(m)) x = deviation * random.normal();
  return m;
}

/// A size from `low` to `high`, both taken.
inline std::size_t size_between(std::size_t low, std::size_t high, counter_random& random) {
  return low + random.below(high - low + 1);
}

/// The number of instances of a sweep: `usual`, and 20 times as many when KAPPA_LONG_TESTS is set.
inline bool long_tests() { return std::getenv("KAPPA_LONG_TESTS") != nullptr; }
inline std::uint64_t instances(std::uint64_t usual) { return long_tests() ? 20 * usual : usual; }

}  // namespace kappa::brute_force
