#pragma once
/// \file
/// Diagonal matrices.

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/operator.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// The positions of the k largest values, in descending order of value.
template <class T>
std::vector<std::size_t> largest(std::span<T const> values, std::size_t k) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  k = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
                    [&](auto i, auto j) { return values[i] > values[j] || (values[i] == values[j] && i < j); });
  order.resize(k);
  return order;
}

/// diag(d), inverted.
template <real T>
class diagonal_factor {
 public:
  diagonal_factor(std::span<T const> d, double shift) : inverse(d.size()) {
    for (std::size_t i = 0; i < d.size(); ++i) {
      auto const x = static_cast<double>(d[i]) + shift;
      if (!(x > 0)) throw_not_positive("the diagonal", x);
      inverse[i] = 1 / x;
      sum += std::log(x);
    }
  }
  void solve(std::span<T const> x, std::span<T> y) const {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<T>(static_cast<double>(x[i]) * inverse[i]);
  }
  double log_det() const { return sum; }
  void inverse_diagonal(std::span<T> y) const {
    std::ranges::transform(inverse, y.begin(), [](double v) { return static_cast<T>(v); });
  }
  void inverse_root(std::span<T const> z, std::span<T> y) const {
    for (std::size_t i = 0; i < z.size(); ++i) y[i] = static_cast<T>(static_cast<double>(z[i]) * std::sqrt(inverse[i]));
  }

 private:
  std::vector<double> inverse;
  double sum = 0;
};

}  // namespace detail

/// diag(d). Every operation is O(n).
template <real T>
class diagonal_matrix {
 public:
  using value_type = T;

  /// \throws invalid_value when an entry is not finite.
  explicit diagonal_matrix(vector<T> d) : entries(std::make_shared<vector<T> const>(std::move(d))) {
    check_finite<T>("diagonal_matrix", values());
  }

  std::size_t size() const { return entries->size(); }
  std::span<T const> values() const { return elements(*entries); }

  void apply(std::span<T const> x, std::span<T> y) const {
    auto const d = values();
    for (std::size_t i = 0; i < d.size(); ++i) y[i] = d[i] * x[i];
  }
  double trace() const {
    auto const d = values();
    return std::accumulate(d.begin(), d.end(), 0.0);
  }
  void diagonal(std::span<T> y) const { std::ranges::copy(values(), y.begin()); }
  double squared_norm() const { return detail::dot(values(), values()); }
  vector<T> eigenvalues() const {
    auto sorted = *entries;
    std::ranges::sort(elements(sorted), std::greater{});
    return sorted;
  }
  eigen_decomposition<T> top(std::size_t k) const {
    auto const order = detail::largest(values(), k);
    eigen_decomposition<T> pairs{zeros<T>(order.size()), zeros<T>(order.size(), size())};
    for (std::size_t r = 0; r < order.size(); ++r) {
      pairs.values(r) = values()[order[r]];
      pairs.vectors(r, order[r]) = T(1);
    }
    return pairs;
  }
  auto factorise(double shift) const { return detail::diagonal_factor<T>(values(), shift); }

 private:
  std::shared_ptr<vector<T> const> entries;
};

}  // namespace kappa::inline KAPPA_ARCH
