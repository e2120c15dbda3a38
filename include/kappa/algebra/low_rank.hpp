#pragma once
/// \file
/// V Vᵀ with few columns, through the Gram matrix VᵀV. V may be a matrix, or anything that can multiply.

#include <algorithm>
#include <concepts>
#include <memory>
#include <utility>
#include <vector>

#include <kappa/algebra/block_krylov.hpp>
#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/operator.hpp>
#include <kappa/algebra/row_products.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {
template <class T>
std::span<T const> as_span(std::span<T const> s) {
  return s;
}
template <class T>
std::span<T const> as_span(matrix<T> const& m) {
  return elements(m);
}
/// To unit length.
template <class T>
void normalise(std::span<T> v) {
  auto const factor = static_cast<T>(1 / std::sqrt(dot<T>(v, v)));
  for (T& x : v) x *= factor;
}
template <class R>
using gram_span = std::span<typename R::value_type const>;
/// Rows of `y` = V times the rows of `c`, all at once where the root can.
template <class R, class T>
void multiply_rows(R const& root, std::size_t count, std::span<T const> c, std::span<T> y) {
  std::size_t const columns = root.columns(), rows = root.rows();
  if constexpr (requires { requires R::takes_several; })
    root.multiply(c, y);
  else
    for (std::size_t i = 0; i < count; ++i) root.multiply(c.subspan(i * columns, columns), y.subspan(i * rows, rows));
}
}  // namespace detail

/// A matrix V [rows, columns] that need not be formed. `multiply(c, y)` writes y = V c, `multiply_transposed(x, c)`
/// writes c = Vᵀ x, and `gram()` gives VᵀV, row-major [columns, columns], as a matrix or a span that lives as long
/// as the root. A root is copied into its operator, so it should be a cheap handle. Optional: `diagonal(y)`, the
/// squared norms of V's rows; `static constexpr bool takes_several = true` where `multiply` takes several c, one after
/// the other, and writes as many y.
template <class R>
concept low_rank_root = real<typename R::value_type> && std::copy_constructible<R> &&
    requires(R const& r, detail::gram_span<R> in, std::span<typename R::value_type> out) {
  { r.rows() } -> std::convertible_to<std::size_t>;
  { r.columns() } -> std::convertible_to<std::size_t>;
  r.multiply(in, out);
  r.multiply_transposed(in, out);
  {detail::as_span<typename R::value_type>(r.gram())};
};

/// The root that is a matrix. The Gram matrix is computed at first need and shared by all copies.
template <real T>
class matrix_root {
 public:
  using value_type = T;
  /// \throws invalid_value when an entry is not finite.
  explicit matrix_root(matrix<T> v) : state(std::make_shared<shared>(std::move(v))) {
    check_finite<T>("low_rank", elements(state->v));
  }
  std::size_t rows() const { return state->v.shape(0); }
  std::size_t columns() const { return state->v.shape(1); }
  void multiply(std::span<T const> c, std::span<T> y) const {
    lapack::gemv(false, rows(), columns(), state->v.data(), c.data(), y.data());
  }
  void multiply_transposed(std::span<T const> x, std::span<T> c) const {
    lapack::gemv(true, rows(), columns(), state->v.data(), x.data(), c.data());
  }
  matrix<T> const& gram() const {
    return state->gram.get([this] { return lapack::gram(state->v); });
  }
  void diagonal(std::span<T> y) const {
    for (std::size_t i = 0; i < rows(); ++i) {
      std::span<T const> const row{state->v.data() + i * columns(), columns()};
      y[i] = static_cast<T>(detail::dot(row, row));
    }
  }

 private:
  struct shared {
    explicit shared(matrix<T> m) : v(std::move(m)) {}
    matrix<T> v;
    detail::lazy<matrix<T>> gram;
  };
  std::shared_ptr<shared const> state;
};

namespace detail {

/// The Gram matrix of a root as a matrix, checked.
template <low_rank_root R>
matrix<typename R::value_type> gram_of(R const& root) {
  using T = typename R::value_type;
  auto&& g = root.gram();
  auto const values = as_span<T>(g);
  auto const m = static_cast<std::size_t>(root.columns());
  if (values.size() != m * m)
    throw shape_mismatch("the Gram matrix of a root with " + std::to_string(m) + " columns has " +
                         std::to_string(m * m) + " elements, came " + std::to_string(values.size()));
  check_finite<T>("the Gram matrix", values);
  auto copy = zeros<T>(m, m);
  std::ranges::copy(values, copy.data());
  return copy;
}

/// V Vᵀ + λ I by Woodbury: (V Vᵀ + λ I)⁻¹ = (I - V (λ I + VᵀV)⁻¹ Vᵀ) / λ.
template <low_rank_root R>
class low_rank_factor {
 public:
  using T = typename R::value_type;
  low_rank_factor(R r, double shift)
      : root(std::move(r)), damping(positive(shift)), inner(with_shift(gram_of(root), shift)) {}
  void solve(std::span<T const> x, std::span<T> y) const {
    std::vector<T> c(root.columns());
    root.multiply_transposed(x, c);
    inner.solve_in_place(c.data());
    std::vector<T> v(x.size());
    root.multiply(c, v);
    for (std::size_t i = 0; i < x.size(); ++i)
      y[i] = static_cast<T>((static_cast<double>(x[i]) - static_cast<double>(v[i])) / damping);
  }
  double log_det() const {
    return inner.log_det() +
           (static_cast<double>(root.rows()) - static_cast<double>(root.columns())) * std::log(damping);
  }

 private:
  static double positive(double shift) {
    if (!(shift > 0)) throw_not_positive("low_rank plus damping", shift);
    return shift;
  }
  static matrix<T> with_shift(matrix<T> g, double shift) {
    for (std::size_t i = 0; i < g.shape(0); ++i) g(i, i) = static_cast<T>(static_cast<double>(g(i, i)) + shift);
    return g;
  }
  R root;
  double damping;
  lapack::cholesky<T> inner;
};

}  // namespace detail

/// V Vᵀ, [n, n], for a root V [n, m]. apply costs one product with V and one with Vᵀ; solve (with damping) one
/// Cholesky factorisation of the m x m Gram; eigenvalues one eigendecomposition of it, in T. Singular by its
/// structure: solve and log_det need damping.
template <low_rank_root R>
class low_rank {
 public:
  using value_type = typename R::value_type;
  using T = value_type;
  static constexpr bool is_singular = true;

  explicit low_rank(R root) : v(std::move(root)) {}
  /// V as a matrix [n, m].
  explicit low_rank(matrix<T> m) requires std::same_as<R, matrix_root<T>> : v(std::move(m)) {}

  std::size_t size() const { return v.rows(); }
  R const& root() const& { return v; }
  R root() && { return std::move(v); }

  void apply(std::span<T const> x, std::span<T> y) const {
    std::vector<T> c(v.columns());
    v.multiply_transposed(x, c);
    v.multiply(c, y);
  }
  double trace() const {
    auto const g = detail::gram_of(v);
    double sum = 0;
    for (std::size_t i = 0; i < g.shape(0); ++i) sum += g(i, i);
    return sum;
  }
  void diagonal(std::span<T> y) const requires requires(R const& r) { r.diagonal(y); }
  { v.diagonal(y); }
  double squared_norm() const {
    auto const g = detail::gram_of(v);
    return detail::dot<T>(elements(g), elements(g));
  }
  /// The min(n, m) eigenvalues that can differ from zero.
  vector<T> eigenvalues() const {
    auto const all = lapack::symmetric_eigenvalues(detail::gram_of(v));
    auto kept = zeros<T>(std::min(all.size(), size()));
    std::copy_n(all.data(), kept.size(), kept.data());
    return kept;
  }
  /// At most as many pairs as there are eigenvalues above m ε times the largest. The Gram matrix's leading pairs come
  /// from `leading_eigenpairs`; each costs one product with V. The residuals are those of V Vᵀ, from the Gram matrix's:
  /// for v = V ẽ / √λ and r = VᵀV ẽ - λ ẽ, V Vᵀ v - λ v = V r / √λ.
  /// \throws not_converged when the Gram matrix's pairs cannot be certified.
  certified_eigenpairs<T> certified_top(std::size_t k) const {
    auto const m = static_cast<std::size_t>(v.columns());
    auto&& values = v.gram();
    auto const entries = detail::as_span<T>(values);
    auto const gram = leading_eigenpairs(entries, m, std::min(k, m));
    auto const found = gram.values.size();
    auto const threshold =
        found ? std::numeric_limits<T>::epsilon() * static_cast<T>(std::max<std::size_t>(m, 1)) * gram.values(0) : T(0);
    std::size_t rank = 0;
    while (rank < found && gram.values(rank) > threshold) ++rank;
    certified_eigenpairs<T> pairs{zeros<T>(rank), unset<T>(rank, size()), zeros<T>(rank), {}, gram.products};
    std::vector<T> rest(rank * m), image(rank * m), unit(rank * m);
    // ‖V ẽ‖² = ẽᵀ VᵀV ẽ, which leaves the long row alone; rounding of the Gram matrix would show for small eigenvalues.
    auto const known = [&](T value) { return 32 * value > gram.values(0); };
    for (std::size_t r = 0; r < rank; ++r) {
      T const value = pairs.values(r) = gram.values(r);
      std::span<T const> const direction{gram.vectors.data() + r * m, m}, under_gram{gram.images.data() + r * m, m};
      for (std::size_t i = 0; i < m; ++i) rest[r * m + i] = under_gram[i] - value * direction[i];
      auto const length = known(value) ? static_cast<T>(1 / std::sqrt(detail::dot<T>(direction, under_gram))) : T(1);
      for (std::size_t i = 0; i < m; ++i) unit[r * m + i] = length * direction[i];
    }
    detail::multiply_rows<R, T>(v, rank, unit, elements(pairs.vectors));
    for (std::size_t r = 0; r < rank; ++r)
      if (!known(pairs.values(r))) detail::normalise(std::span<T>{pairs.vectors.data() + r * size(), size()});
    detail::symmetric_times_rows(m, entries.data(), rank, rest.data(), image.data());
    for (std::size_t r = 0; r < rank; ++r) {
      auto const squared =
          detail::dot<T>(std::span<T const>(rest).subspan(r * m, m), std::span<T const>(image).subspan(r * m, m));
      pairs.residuals(r) = static_cast<T>(std::sqrt(std::max(0.0, squared) / static_cast<double>(pairs.values(r))));
    }
    return pairs;
  }
  eigen_decomposition<T> top(std::size_t k) const {
    auto pairs = certified_top(k);
    return {std::move(pairs.values), std::move(pairs.vectors)};
  }
  auto factorise(double shift) const { return detail::low_rank_factor<R>(v, shift); }

 private:
  R v;
};

template <real T>
low_rank(matrix<T>) -> low_rank<matrix_root<T>>;

}  // namespace kappa::inline KAPPA_ARCH
