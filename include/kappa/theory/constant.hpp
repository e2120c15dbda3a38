#pragma once
/// \file
/// Statements about κ(G) in constant evaluation: for small networks with constant weights a bound can stand in a
/// static_assert. The statements are the same text as at run time; only the linear algebra below is another one.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <kappa/theory/bounds.hpp>
#include <kappa/theory/lower_bounds.hpp>
#include <kappa/theory/row.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// A row-major matrix that constant evaluation can make.
class constant_matrix {
 public:
  constexpr constant_matrix() = default;
  constexpr constant_matrix(std::size_t rows, std::size_t columns)
      : row_count(rows), column_count(columns), x(rows * columns) {}
  static constexpr constant_matrix identity(std::size_t n) {
    constant_matrix m(n, n);
    for (std::size_t i = 0; i < n; ++i) m(i, i) = 1;
    return m;
  }
  constexpr std::size_t shape(int axis) const { return axis == 0 ? row_count : column_count; }
  constexpr std::size_t size() const { return x.size(); }
  constexpr double* data() { return x.data(); }
  constexpr double const* data() const { return x.data(); }
  constexpr double& operator()(std::size_t i, std::size_t j) { return x[i * column_count + j]; }
  constexpr double operator()(std::size_t i, std::size_t j) const { return x[i * column_count + j]; }

 private:
  std::size_t row_count = 0, column_count = 0;
  detail::row<double> x;
};

namespace detail {

/// √x by Newton's iteration, within one unit in the last place; 0 for what is not positive.
constexpr double square_root(double x) {
  if (!(x > 0)) return 0;
  // Half the exponent: within a factor of 1.5 of the root.
  double root = std::bit_cast<double>((std::bit_cast<std::uint64_t>(x) >> 1) + 0x1ff8000000000000u);
  for (int i = 0; i < 6; ++i) root = (root + x / root) / 2;
  return root;
}

constexpr double magnitude(double x) { return x < 0 ? -x : x; }

constexpr constant_matrix product(constant_matrix const& a, constant_matrix const& b) {
  constant_matrix c(a.shape(0), b.shape(1));
  for (std::size_t i = 0; i < c.shape(0); ++i)
    for (std::size_t j = 0; j < c.shape(1); ++j)
      for (std::size_t k = 0; k < a.shape(1); ++k) c(i, j) += a(i, k) * b(k, j);
  return c;
}
constexpr constant_matrix transposed(constant_matrix const& a) {
  constant_matrix t(a.shape(1), a.shape(0));
  for (std::size_t i = 0; i < a.shape(0); ++i)
    for (std::size_t j = 0; j < a.shape(1); ++j) t(j, i) = a(i, j);
  return t;
}

/// Eigenvalues descending, eigenvectors as rows.
struct constant_eigen {
  detail::row<double> values;
  constant_matrix vectors;
};

/// Jacobi's rotations (1846) until the off-diagonal is gone: a few sweeps, for small matrices.
constexpr constant_eigen symmetric_eigen(constant_matrix a) {
  auto const n = a.shape(0);
  auto v = constant_matrix::identity(n);
  for (int sweep = 0; sweep < 40; ++sweep) {
    bool rotated = false;
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) {
        double const off = a(p, q);
        if (magnitude(off) <= 1e-18 * (magnitude(a(p, p)) + magnitude(a(q, q)))) continue;
        rotated = true;
        double const theta = (a(q, q) - a(p, p)) / (2 * off);
        double const t = (theta < 0 ? -1 : 1) / (magnitude(theta) + square_root(theta * theta + 1));
        double const c = 1 / square_root(t * t + 1), s = t * c;
        for (std::size_t i = 0; i < n; ++i) {
          double const x = a(i, p), y = a(i, q);
          a(i, p) = c * x - s * y, a(i, q) = s * x + c * y;
        }
        for (std::size_t i = 0; i < n; ++i) {
          double const x = a(p, i), y = a(q, i);
          a(p, i) = c * x - s * y, a(q, i) = s * x + c * y;
        }
        a(p, q) = a(q, p) = 0;
        for (std::size_t i = 0; i < n; ++i) {
          double const x = v(p, i), y = v(q, i);
          v(p, i) = c * x - s * y, v(q, i) = s * x + c * y;
        }
      }
    if (!rotated) break;
  }
  constant_eigen e{detail::row<double>(n), constant_matrix(n, n)};
  detail::row<bool> taken(n);
  for (std::size_t r = 0; r < n; ++r) {
    std::size_t best = n;
    for (std::size_t i = 0; i < n; ++i)
      if (!taken[i] && (best == n || a(i, i) > a(best, best))) best = i;
    taken[best] = true;
    e.values[r] = a(best, best);
    for (std::size_t i = 0; i < n; ++i) e.vectors(r, i) = v(best, i);
  }
  return e;
}

constexpr spectrum_ends ends_of_constant(constant_matrix const& m) { return ends_of(symmetric_eigen(m).values); }

}  // namespace detail

/// The small Gauss-Newton matrix of constant layers and a constant covariance; the members of small_gauss_newton that
/// statements use, in constant evaluation and at run time. For orders up to about ten: Jacobi's method and no BLAS.
class constant_gauss_newton {
 public:
  using number = double;

  /// Layers M^l and gains a_l, the first one first, and Σ [d, d], symmetric positive semidefinite and not zero.
  constexpr constant_gauss_newton(detail::row<constant_matrix> layers, detail::row<double> given_gains,
                                  constant_matrix const& sigma)
      : chain(std::move(layers)), gains(std::move(given_gains)) {
    auto const depth_given = chain.size(), d = sigma.shape(0), k = chain.back().shape(0);
    auto const e = detail::symmetric_eigen(sigma);
    auto const r = ends_of(e.values).rank;
    constant_matrix basis(r, d);  // S
    for (std::size_t i = 0; i < r; ++i) {
      data.push_back(e.values[i]);
      for (std::size_t j = 0; j < d; ++j) basis(i, j) = e.vectors(i, j);
    }
    left = detail::row<constant_matrix>(depth_given);
    auto suffix = constant_matrix::identity(k);
    for (std::size_t l = depth_given; l-- > 0;) {
      left[l] = detail::product(suffix, detail::transposed(suffix));
      for (std::size_t i = 0; i < left[l].size(); ++i) left[l].data()[i] *= gains[l] * gains[l];
      if (l > 0) suffix = detail::product(suffix, chain[l]);
    }
    auto prefix = detail::transposed(basis);  // M^{l-1:1} Sᵀ
    for (std::size_t l = 0; l < depth_given; ++l) {
      // No conditional operators between matrices: g++ 12 destroys their temporaries twice in constant evaluation.
      auto b = constant_matrix::identity(r);
      if (l > 0) b = detail::product(detail::transposed(prefix), prefix);
      right_ends.push_back(detail::ends_of_constant(b));
      for (std::size_t i = 0; i < r; ++i)
        for (std::size_t j = 0; j < r; ++j) b(i, j) *= detail::square_root(data[i]) * detail::square_root(data[j]);
      weighted.push_back(b);
      weighted_ends.push_back(detail::ends_of_constant(b));
      left_ends.push_back(detail::ends_of_constant(left[l]));
      auto tall = chain[l];
      if (l == 0) tall = detail::product(chain[0], prefix);
      if (tall.shape(0) < tall.shape(1)) tall = detail::transposed(tall);
      layer_ends.push_back(detail::ends_of_constant(detail::product(detail::transposed(tall), tall)));
      prefix = detail::product(chain[l], prefix);
    }
  }

  constexpr std::size_t depth() const { return chain.size(); }
  constexpr std::size_t outputs() const { return left.front().shape(0); }
  constexpr std::size_t order() const { return outputs() * data.size(); }
  constexpr double gain(std::size_t l) const { return gains[l]; }
  constexpr double data_condition() const { return data.front() / data.back(); }
  constexpr spectrum_ends const& left_spectrum(std::size_t l) const { return left_ends[l]; }
  constexpr spectrum_ends const& right_spectrum(std::size_t l) const { return right_ends[l]; }
  constexpr spectrum_ends const& weighted_right_spectrum(std::size_t l) const { return weighted_ends[l]; }
  constexpr spectrum_ends const& layer_spectrum(std::size_t l) const { return layer_ends[l]; }
  constexpr spectrum_ends left_sum(std::span<double const> weights) const {
    return detail::ends_of_constant(sum_of(left, weights));
  }
  constexpr spectrum_ends right_sum(std::span<double const> weights) const {
    return detail::ends_of_constant(sum_of(weighted, weights));
  }
  constexpr constant_matrix rayleigh_directions() const {
    auto const k = outputs();
    detail::row<double> rows, traces;
    auto const add = [&](constant_matrix const& a) {
      auto const e = detail::symmetric_eigen(a);
      for (std::size_t i = 0; i < k; ++i) rows.push_back(e.vectors(0, i));
      for (std::size_t i = 0; k > 1 && i < k; ++i) rows.push_back(e.vectors(k - 1, i));
    };
    for (auto const& c : weighted) traces.push_back(trace_of(c));
    add(sum_of(left, traces));
    for (std::size_t l = 0; l + 1 < depth(); ++l) add(left[l]);
    constant_matrix directions(rows.size() / k, k);
    for (std::size_t i = 0; i < rows.size(); ++i) directions.data()[i] = rows[i];
    return directions;
  }
  constexpr detail::row<double> rayleigh_quotients(std::span<double const> u) const {
    detail::row<double> quotients;
    for (auto const& a : left) {
      double over = 0, under = 0;
      for (std::size_t i = 0; i < u.size(); ++i) {
        for (std::size_t j = 0; j < u.size(); ++j) over += u[i] * a(i, j) * u[j];
        under += u[i] * u[i];
      }
      quotients.push_back(over / under);
    }
    return quotients;
  }
  constexpr double trace() const {
    double total = 0;
    for (std::size_t l = 0; l < depth(); ++l) total += trace_of(left[l]) * trace_of(weighted[l]);
    return total;
  }
  constexpr double squared_trace() const {
    double total = 0;
    for (std::size_t l = 0; l < depth(); ++l)
      for (std::size_t m = 0; m < depth(); ++m)
        total += trace_of(detail::product(left[l], left[m])) * trace_of(detail::product(weighted[l], weighted[m]));
    return total;
  }
  constexpr std::size_t rank() const {
    std::size_t total = 0, before = 0;
    for (std::size_t l = 0; l < depth(); ++l) {
      auto const p = left_ends[l].rank > before ? left_ends[l].rank : before;
      total += (p - before) * right_ends[l].rank;
      before = p;
    }
    return total;
  }
  constexpr bool full_rank() const { return rank() == order(); }
  constexpr double condition_number() const {
    auto const k = outputs(), r = data.size();
    constant_matrix g(k * r, k * r);
    for (std::size_t l = 0; l < depth(); ++l)
      for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = 0; j < k; ++j)
          for (std::size_t p = 0; p < r; ++p)
            for (std::size_t q = 0; q < r; ++q) g(i * r + p, j * r + q) += left[l](i, j) * weighted[l](p, q);
    auto const ends = detail::ends_of_constant(g);
    return ends.largest / ends.smallest_non_zero;
  }

 private:
  static constexpr double trace_of(constant_matrix const& m) {
    double total = 0;
    for (std::size_t i = 0; i < m.shape(0); ++i) total += m(i, i);
    return total;
  }
  static constexpr constant_matrix sum_of(detail::row<constant_matrix> const& terms, std::span<double const> weights) {
    constant_matrix total(terms[0].shape(0), terms[0].shape(1));
    for (std::size_t l = 0; l < terms.size(); ++l)
      for (std::size_t i = 0; i < total.size(); ++i) total.data()[i] += weights[l] * terms[l].data()[i];
    return total;
  }

  detail::row<constant_matrix> chain, left, weighted;
  detail::row<double> gains, data;
  detail::row<spectrum_ends> left_ends, right_ends, weighted_ends, layer_ends;
};

/// Σ [d, d] of a network's inputs as a constant, row by row.
template <linear_network Net>
using constant_covariance = std::array<std::array<double, static_cast<std::size_t>(Net::input_shape.size())>,
                                       static_cast<std::size_t>(Net::input_shape.size())>;

/// I, the covariance of white data.
template <linear_network Net>
constexpr constant_covariance<Net> white_data() {
  constant_covariance<Net> sigma{};
  for (std::size_t i = 0; i < sigma.size(); ++i) sigma[i][i] = 1;
  return sigma;
}

/// The small Gauss-Newton matrix of a network with constant weights theta, in the flat order of parameters.
template <linear_network Net>
constexpr constant_gauss_newton constant_matrix_of(
    std::array<double, static_cast<std::size_t>(Net::parameter_count)> const& theta,
    constant_covariance<Net> const& data = white_data<Net>()) {
  detail::row<constant_matrix> layers;
  detail::row<double> gains;
  for (linear_layer const& layer : linear_layers<Net>()) {
    constant_matrix m(static_cast<std::size_t>(layer.outputs), static_cast<std::size_t>(layer.inputs));
    for (std::size_t i = 0; i < m.size(); ++i)
      m.data()[i] = layer.gain * theta[static_cast<std::size_t>(layer.offset) + i];
    for (std::size_t i = 0; layer.shift != 0 && i < m.shape(0); ++i) m(i, i) += layer.shift;
    layers.push_back(m);
    gains.push_back(layer.gain);
  }
  constant_matrix sigma(data.size(), data.size());
  for (std::size_t i = 0; i < data.size(); ++i)
    for (std::size_t j = 0; j < data.size(); ++j) sigma(i, j) = data[i][j];
  return {std::move(layers), std::move(gains), sigma};
}

/// The number of a statement about a network with constant weights, for static_assert:
///
///     static_assert(theory::constant_value<net>(theory::eq_7, weights) < 20);
///
/// Compilers limit the steps of one constant evaluation; widths up to about six and a few layers stay within them.
template <linear_network Net, statement Statement>
constexpr double constant_value(Statement const&,
                                std::array<double, static_cast<std::size_t>(Net::parameter_count)> const& theta,
                                constant_covariance<Net> const& data = white_data<Net>()) {
  static_assert(detail::refuse_unless_covered<Net, Statement>());
  return Statement::value(constant_matrix_of<Net>(theta, data));
}

/// κ(G) itself, over non-zero eigenvalues.
template <linear_network Net>
constexpr double constant_condition_number(
    std::array<double, static_cast<std::size_t>(Net::parameter_count)> const& theta,
    constant_covariance<Net> const& data = white_data<Net>()) {
  return constant_matrix_of<Net>(theta, data).condition_number();
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
