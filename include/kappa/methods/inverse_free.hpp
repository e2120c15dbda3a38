#pragma once
/// \file
/// K-FAC's damped inverse without an inverse or a decomposition: IKFAC and SINGD (Lin et al. 2024).

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/kronecker.hpp>
#include <kappa/algebra/lapack.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The shape of a root K. All are closed under products.
enum class root_structure {
  dense,
  diagonal,
  block_diagonal,  ///< blocks of `inverse_free_options::block`, the last one may be smaller
  lower_toeplitz   ///< lower triangular, constant along diagonals: n numbers
};

struct inverse_free_options {
  double damping = 1e-3;                         ///< λ
  double learning_rate = 1e-2;                   ///< β₁ of the roots
  double momentum = 0;                           ///< α₁ of the roots, in [0, 1); the authors take 0.5 for SINGD
  bool coupled = true;                           ///< SINGD; else IKFAC, whose two roots do not see each other
  root_structure left = root_structure::dense;   ///< of C, for B
  root_structure right = root_structure::dense;  ///< of K, for A
  std::size_t block = 30;
};

namespace detail {

/// A root K [n, n] of some structure, stored as its diagonal blocks, or as the first column of a Toeplitz matrix.
template <real T>
class structured_root {
 public:
  /// The identity. \throws invalid_value when a block has no size.
  structured_root(std::size_t n, root_structure s, std::size_t block) : order(n), kind(s) {
    if (kind == root_structure::lower_toeplitz) {
      column.assign(n, T(0));
      if (n > 0) column[0] = 1;
      return;
    }
    if (kind == root_structure::block_diagonal && block == 0)
      throw invalid_value("a block-diagonal root with blocks of 0: at least 1 was expected");
    std::size_t const width = kind == root_structure::dense ? n : kind == root_structure::diagonal ? 1 : block;
    for (std::size_t at = 0; at < n; at += width) {
      std::size_t const size = std::min(width, n - at);
      blocks.push_back({at, zeros<T>(size, size)});
      for (std::size_t i = 0; i < size; ++i) blocks.back().entries(i, i) = 1;
    }
  }

  std::size_t size() const { return order; }
  /// Numbers stored.
  std::size_t stored() const {
    std::size_t total = column.size();
    for (auto const& b : blocks) total += b.entries.size();
    return total;
  }

  matrix<T> to_dense() const {
    auto k = zeros<T>(order, order);
    for (std::size_t j = 0; j < column.size(); ++j)
      for (std::size_t i = j; i < order; ++i) k(i, j) = column[i - j];
    for (auto const& [at, m] : blocks)
      for (std::size_t i = 0; i < m.shape(0); ++i)
        for (std::size_t j = 0; j < m.shape(0); ++j) k(at + i, at + j) = m(i, j);
    return k;
  }

  /// A symmetric matrix as far as the structure sees it: the blocks, or for Toeplitz the means of its diagonals, which
  /// is what the natural gradient of a triangular root depends on. In the root's own storage.
  struct seen {
    std::vector<std::vector<double>> blocks;  // symmetric, row-major
    std::vector<double> column;               // means of the diagonals 0, 1, ..., n - 1
    double trace = 0;                         // of the whole matrix
  };
  /// KᵀAK for A [n, n]; for Kᵀ K pass nullptr.
  seen congruent(T const* a) const {
    seen s;
    for (auto const& [at, k] : blocks) {
      std::size_t const n = k.shape(0);
      std::vector<T> part(n * n), half(n * n), result(n * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) part[i * n + j] = a == nullptr ? T(i == j) : a[(at + i) * order + at + j];
      lapack::gemm<T>(false, false, n, n, n, 1, part.data(), k.data(), 0, half.data());
      lapack::gemm<T>(true, false, n, n, n, 1, k.data(), half.data(), 0, result.data());
      s.blocks.emplace_back(result.begin(), result.end());
      for (std::size_t i = 0; i < n; ++i) s.trace += static_cast<double>(result[i * n + i]);
    }
    if (kind == root_structure::lower_toeplitz) {
      auto const k = to_dense();
      matrix<T> half = k, result = zeros<T>(order, order);
      if (a != nullptr) lapack::gemm<T>(false, false, order, order, order, 1, a, k.data(), 0, half.data());
      lapack::gemm<T>(true, false, order, order, order, 1, k.data(), half.data(), 0, result.data());
      s.column.assign(order, 0.0);
      for (std::size_t d = 0; d < order; ++d) {
        for (std::size_t i = d; i < order; ++i) s.column[d] += static_cast<double>(result(i, i - d));
        s.column[d] /= static_cast<double>(order - d);
      }
      s.trace = s.column.empty() ? 0 : s.column[0] * static_cast<double>(order);
    }
    return s;
  }

  /// m ← ½ Π(f H + g KᵀK - I) + momentum m, then K ← K (I - rate m): Π keeps the blocks, or doubles what is below the
  /// diagonal and drops what is above.
  void step(seen const& h, double f, seen const& own, double g, double rate, double momentum) {
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      auto& [at, k] = blocks[b];
      std::size_t const n = k.shape(0);
      if (memory.size() <= b) memory.emplace_back(n * n);
      std::vector<T> update(n * n);
      for (std::size_t e = 0; e < n * n; ++e) {
        double const slope_here = 0.5 * (f * h.blocks[b][e] + g * own.blocks[b][e] - (e % (n + 1) == 0 ? 1.0 : 0.0));
        memory[b][e] = slope_here + momentum * memory[b][e];
        update[e] = static_cast<T>(memory[b][e]);
      }
      matrix<T> const before = k;
      lapack::gemm<T>(false, false, n, n, n, static_cast<T>(-rate), before.data(), update.data(), 1, k.data());
      check_result(elements(k));
    }
    if (kind == root_structure::lower_toeplitz && order > 0) {
      if (memory.empty()) memory.emplace_back(order);
      std::vector<T> next = column;
      for (std::size_t d = 0; d < order; ++d) {
        double const slope_here = f * h.column[d] + g * own.column[d] - (d == 0 ? 1.0 : 0.0);
        memory[0][d] = (d == 0 ? 0.5 : 1.0) * slope_here + momentum * memory[0][d];
      }
      for (std::size_t i = 0; i < order; ++i)  // products of lower Toeplitz matrices convolve their columns
        for (std::size_t d = 0; d <= i; ++d) next[i] -= static_cast<T>(rate * memory[0][d]) * column[i - d];
      column = std::move(next);
      check_result(std::span<T const>(column));
    }
  }

  /// y = K Kᵀ x on the columns of x [n, count], or on the rows of x [count, n].
  matrix<T> squared() const {
    auto const k = to_dense();
    auto s = zeros<T>(order, order);
    lapack::gemm<T>(false, true, order, order, order, 1, k.data(), k.data(), 0, s.data());
    return s;
  }
  /// x ← x K Kᵀ for x [count, n]. Costs as the structure does: n² · count for one of width n, block · n · count for
  /// blocks.
  void times_squared(std::size_t count, T* x) const {
    for (auto const& [at, k] : blocks) {
      std::size_t const n = k.shape(0);
      std::vector<T> part(count * n), half(count * n);
      for (std::size_t r = 0; r < count; ++r) std::copy_n(x + r * order + at, n, part.data() + r * n);
      lapack::gemm<T>(false, false, count, n, n, 1, part.data(), k.data(), 0, half.data());
      lapack::gemm<T>(false, true, count, n, n, 1, half.data(), k.data(), 0, part.data());
      for (std::size_t r = 0; r < count; ++r) std::copy_n(part.data() + r * n, n, x + r * order + at);
    }
    if (kind == root_structure::lower_toeplitz) {
      std::vector<T> half(order);
      for (std::size_t r = 0; r < count; ++r, x += order) {
        for (std::size_t j = 0; j < order; ++j) {  // x K
          half[j] = 0;
          for (std::size_t i = j; i < order; ++i) half[j] += x[i] * column[i - j];
        }
        for (std::size_t i = order; i-- > 0;) {  // (x K) Kᵀ
          T total = 0;
          for (std::size_t j = 0; j <= i; ++j) total += half[j] * column[i - j];
          x[i] = total;
        }
      }
    }
  }

 private:
  static void check_result(std::span<T const> values) {
    for (T v : values)
      if (!is_finite(v))
        throw not_converged("the inverse-free factors diverged; a smaller learning rate of the roots would help");
  }
  struct diagonal_block {
    std::size_t at;
    matrix<T> entries;
  };
  std::size_t order;
  root_structure kind;
  std::vector<diagonal_block> blocks;
  std::vector<T> column;
  std::vector<std::vector<double>> memory;
};

}  // namespace detail

/// Roots K [in, in] and C [out, out] with (B ⊗ A + λ I)⁻¹ ≈ C Cᵀ ⊗ K Kᵀ, moved a little by every pair of factors:
///
///     H_K = Kᵀ A K,  H_C = Cᵀ B C,
///     IKFAC:  m_K = ½ (H_K + λ KᵀK - I),
///     SINGD:  m_K = ½ (tr(H_C)/out · H_K + λ tr(CᵀC)/out · KᵀK - I),  m_C with the roles exchanged,
///     m_K ← m_K + α₁ m_K before,  K ← K (I - β₁ m_K),  and so for C,
///
/// projected to the roots' structures. No inverse, no root, no decomposition: products only, hence no failure when a
/// factor is singular or stored in few bits. Where the factors stay the same, IKFAC with dense or triangular roots ends
/// at K Kᵀ = (A + λI)⁻¹, C Cᵀ = (B + λI)⁻¹ (which as a pair damp more than K-FAC does); SINGD's coupled roots come
/// closer to (B ⊗ A + λI)⁻¹. Both start at the identity and converge when β₁ times the largest eigenvalue of A + λI is
/// small. An update costs 4 (in³ + out³) flops for dense roots, in times the block's size squared for blocks.
template <real T>
class inverse_free_factors {
 public:
  /// \throws invalid_value naming the option.
  inverse_free_factors(std::size_t out, std::size_t in, inverse_free_options o = {})
      : hyper(checked(o)), c(out, o.left, o.block), k(in, o.right, o.block) {}

  /// One step towards the factors A [in, in] and B [out, out].
  /// \throws shape_mismatch; invalid_value when one is not finite; not_converged when a root is not finite any more.
  void update(matrix<T> const& a, matrix<T> const& b) {
    detail::require_length("a row of A", k.size(), lapack::detail::order_of(a));
    detail::require_length("a row of B", c.size(), lapack::detail::order_of(b));
    check_finite<T>("A", elements(a));
    check_finite<T>("B", elements(b));
    auto const h_k = k.congruent(a.data()), h_c = c.congruent(b.data()), own_k = k.congruent(nullptr),
               own_c = c.congruent(nullptr);
    double const in = static_cast<double>(k.size()), out = static_cast<double>(c.size());
    auto next_k = k;
    auto next_c = c;
    bool const two = hyper.coupled;
    next_k.step(h_k, two ? h_c.trace / out : 1, own_k, hyper.damping * (two ? own_c.trace / out : 1),
                hyper.learning_rate, hyper.momentum);
    next_c.step(h_c, two ? h_k.trace / in : 1, own_c, hyper.damping * (two ? own_k.trace / in : 1), hyper.learning_rate,
                hyper.momentum);
    k = std::move(next_k);
    c = std::move(next_c);
  }

  /// u = (C Cᵀ ⊗ K Kᵀ) g = C Cᵀ G K Kᵀ, G [out, in] row-major. \throws shape_mismatch.
  void precondition(std::span<T const> g, std::span<T> u) const {
    std::size_t const in = k.size(), out = c.size();
    detail::require_length("g", in * out, g.size());
    detail::require_length("u", in * out, u.size());
    std::vector<T> rows(g.begin(), g.end()), columns(in * out);
    k.times_squared(out, rows.data());
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t i = 0; i < in; ++i) columns[i * out + o] = rows[o * in + i];
    c.times_squared(in, columns.data());
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t i = 0; i < in; ++i) u[o * in + i] = columns[i * out + o];
  }

  /// C Cᵀ ⊗ K Kᵀ as an operator, an approximation of the damped inverse.
  kronecker<T> inverse() const { return kronecker<T>(c.squared(), k.squared()); }
  matrix<T> left_root() const { return c.to_dense(); }
  matrix<T> right_root() const { return k.to_dense(); }
  /// Numbers stored for both roots.
  std::size_t stored() const { return c.stored() + k.stored(); }
  inverse_free_options const& options() const { return hyper; }

 private:
  static inverse_free_options const& checked(inverse_free_options const& o) {
    auto const refuse = [](char const* what, double value, char const* expected) {
      throw invalid_value(std::string("inverse-free factors: ") + what + " is " + detail::number(value) + ", " +
                          expected + " was expected");
    };
    if (!(o.damping >= 0 && std::isfinite(o.damping))) refuse("the damping", o.damping, "a number of at least 0");
    if (!(o.learning_rate > 0 && o.learning_rate < 1))
      refuse("the learning rate", o.learning_rate, "a number between 0 and 1");
    if (!(o.momentum >= 0 && o.momentum < 1)) refuse("the momentum", o.momentum, "a number in [0, 1)");
    return o;
  }

  inverse_free_options hyper;
  detail::structured_root<T> c, k;
};

}  // namespace kappa::inline KAPPA_ARCH
