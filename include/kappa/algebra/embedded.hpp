#pragma once
/// \file
/// Operators that act on some coordinates of a longer vector, and principal submatrices.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/operator.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// Distinct positions in [0, n), shared.
class positions {
 public:
  positions(std::vector<std::size_t> indices, std::size_t n)
      : list(std::make_shared<std::vector<std::size_t> const>(std::move(indices))) {
    std::vector<bool> seen(n);
    for (auto i : *list) {
      if (i >= n) throw invalid_value("index " + std::to_string(i) + " is outside a vector of " + std::to_string(n));
      if (seen[i]) throw invalid_value("index " + std::to_string(i) + " occurs twice");
      seen[i] = true;
    }
  }
  std::size_t size() const { return list->size(); }
  std::vector<std::size_t> const& indices() const { return *list; }
  template <class T>
  std::vector<T> gather(std::span<T const> x) const {
    std::vector<T> part(size());
    for (std::size_t i = 0; i < size(); ++i) part[i] = x[(*list)[i]];
    return part;
  }
  template <class T>
  void scatter(std::span<T const> part, std::span<T> y) const {
    for (std::size_t i = 0; i < size(); ++i) y[(*list)[i]] = part[i];
  }

 private:
  std::shared_ptr<std::vector<std::size_t> const> list;
};

template <class T, class F>
class embedded_factor {
 public:
  embedded_factor(F f, positions p, std::size_t n, double shift_)
      : factor(std::move(f)), at(std::move(p)), outside(n - at.size()), shift(shift_) {
    if (outside > 0 && !(shift > 0)) throw_not_positive("an embedded block, zero outside its indices,", shift);
  }
  void solve(std::span<T const> x, std::span<T> y) const {
    auto const part = at.gather(x);
    std::vector<T> solved(part.size());
    factor.solve(part, solved);
    if (outside > 0)
      for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<T>(static_cast<double>(x[i]) / shift);
    at.scatter<T>(solved, y);
  }
  void inverse_diagonal(std::span<T> y) const requires has_inverse_diagonal<F, T> {
    std::vector<T> part(at.size());
    factor.inverse_diagonal(std::span<T>(part));
    if (outside > 0) std::ranges::fill(y, static_cast<T>(1 / shift));
    at.scatter<T>(part, y);
  }
  void inverse_root(std::span<T const> z, std::span<T> y) const requires has_inverse_root<F, T> {
    auto const part = at.gather(z);
    std::vector<T> image(part.size());
    factor.inverse_root(std::span<T const>(part), std::span<T>(image));
    if (outside > 0)
      for (std::size_t i = 0; i < z.size(); ++i) y[i] = static_cast<T>(static_cast<double>(z[i]) / std::sqrt(shift));
    at.scatter<T>(image, y);
  }
  double log_det() const {
    return factor.log_det() + (outside > 0 ? static_cast<double>(outside) * std::log(shift) : 0.0);
  }

 private:
  F factor;
  positions at;
  std::size_t outside;
  double shift;
};

}  // namespace detail

/// P A Pᵀ, where column i of P is the unit vector at indices[i]: A acts on the gathered coordinates, everything else
/// is mapped to zero. With as many indices as coordinates it is a permutation. A K-FAC block, for example, acts on
/// the rows of [W b], whose elements are not adjacent in the flat parameter vector. Costs as A, plus O(n).
template <linear_operator Op>
class embedded {
 public:
  using value_type = value_t<Op>;
  using T = value_type;
  static constexpr bool is_singular = detail::singular_v<Op>;
  static constexpr bool is_symmetric = detail::symmetric_v<Op>;

  /// `op` on coordinates `indices` of vectors of `n`.
  /// \throws shape_mismatch when there is not one index for each of op's coordinates; invalid_value when an index is
  /// out of range or occurs twice.
  embedded(Op op, std::vector<std::size_t> indices, std::size_t n)
      : a(std::move(op)), at(std::move(indices), n), total(n) {
    detail::require_length("the index set", a.size(), at.size());
  }

  std::size_t size() const { return total; }
  Op const& block() const { return a; }
  std::vector<std::size_t> const& indices() const { return at.indices(); }

  void apply(std::span<T const> x, std::span<T> y) const {
    auto const part = at.gather(x);
    std::vector<T> image(part.size());
    a.apply(std::span<T const>(part), std::span<T>(image));
    std::ranges::fill(y, T(0));
    at.template scatter<T>(image, y);
  }
  double trace() const requires detail::has_trace<Op> { return a.trace(); }
  void diagonal(std::span<T> y) const requires detail::has_diagonal<Op> {
    std::vector<T> part(at.size());
    a.diagonal(std::span<T>(part));
    std::ranges::fill(y, T(0));
    at.template scatter<T>(part, y);
  }
  double squared_norm() const requires detail::has_squared_norm<Op> { return a.squared_norm(); }
  vector<T> eigenvalues() const requires detail::has_eigenvalues<Op> { return a.eigenvalues(); }
  eigen_decomposition<T> top(std::size_t k) const requires detail::has_top<Op> {
    auto const inner = a.top(std::min<std::size_t>(k, a.size()));
    eigen_decomposition<T> pairs{inner.values, zeros<T>(inner.values.size(), total)};
    for (std::size_t r = 0; r < inner.values.size(); ++r)
      at.template scatter<T>(std::span<T const>{inner.vectors.data() + r * a.size(), a.size()},
                             std::span<T>{pairs.vectors.data() + r * total, total});
    return pairs;
  }
  auto factorise(double shift) const requires detail::factorisable<Op> {
    return detail::embedded_factor<T, decltype(a.factorise(shift))>(a.factorise(shift), at, total, shift);
  }

 private:
  Op a;
  detail::positions at;
  std::size_t total;
};

/// `op` with its coordinates renamed: coordinate i of `op` is coordinate indices[i] of the result.
/// \throws as embedded's constructor.
template <linear_operator Op>
embedded<Op> permuted(Op op, std::vector<std::size_t> indices) {
  auto const n = static_cast<std::size_t>(op.size());
  return embedded<Op>(std::move(op), std::move(indices), n);
}

/// The principal submatrix of `Op` at the given indices: entry (i, j) is op's entry (indices[i], indices[j]). apply
/// costs one of op's; it knows its diagonal and trace where op knows its diagonal.
template <linear_operator Op>
class submatrix {
 public:
  using value_type = value_t<Op>;
  using T = value_type;
  static constexpr bool is_symmetric = detail::symmetric_v<Op>;

  /// \throws invalid_value when an index is out of range or occurs twice.
  submatrix(Op op, std::vector<std::size_t> indices) : a(std::move(op)), at(std::move(indices), a.size()) {}

  std::size_t size() const { return at.size(); }
  void apply(std::span<T const> x, std::span<T> y) const {
    std::vector<T> whole(a.size()), image(a.size());
    at.template scatter<T>(x, whole);
    a.apply(std::span<T const>(whole), std::span<T>(image));
    std::ranges::copy(at.template gather<T>(image), y.begin());
  }
  void diagonal(std::span<T> y) const requires detail::has_diagonal<Op> {
    std::vector<T> whole(a.size());
    a.diagonal(std::span<T>(whole));
    std::ranges::copy(at.template gather<T>(whole), y.begin());
  }
  double trace() const requires detail::has_diagonal<Op> {
    std::vector<T> d(size());
    diagonal(d);
    double sum = 0;
    for (auto x : d) sum += static_cast<double>(x);
    return sum;
  }

 private:
  Op a;
  detail::positions at;
};

}  // namespace kappa::inline KAPPA_ARCH
