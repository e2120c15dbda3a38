#pragma once
/// \file
/// One layer of the K-FAC optimiser, or its weight or bias where they are apart: running averages of its factors, their
/// eigenbases of an earlier moment, and for EKFAC the running average of the second moments in those.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/kronecker_damping.hpp>
#include <kappa/algebra/lapack.hpp>
#include <kappa/algebra/symmetric.hpp>
#include <kappa/derive/kfac_matrix.hpp>
#include <kappa/methods/running_average.hpp>

namespace kappa::inline KAPPA_ARCH {

/// How the optimiser's λ enters a block (algebra/kronecker_damping.hpp).
enum class kfac_damping {
  exact,  ///< B ⊗ A + λ I
  pi      ///< (B + √λ/π I) ⊗ (A + π √λ I); not with EKFAC
};

namespace detail {

template <real T>
class kfac_layer {
 public:
  using bases = std::pair<eigenbasis<T>, eigenbasis<T>>;  // of A and of B

  kfac_layer(kfac_block const& block, std::string name, bool with_moments)
      : own(block),
        shape(block.parameter),
        title(std::move(name)),
        in(static_cast<std::size_t>(shape.inputs)),
        width(in + (shape.bias ? 1 : 0)),
        out(static_cast<std::size_t>(shape.outputs)),
        a(zeros<T>(shape.is_table() ? 1 : width, width)),
        b(zeros<T>(out, out)),
        moments(with_moments ? zeros<T>(out, width) : zeros<T>(0, 0)) {}

  std::size_t size() const { return out * width; }
  std::size_t offset() const { return static_cast<std::size_t>(shape.offset); }
  kfac_factors<T> factors() const { return {shape, {a.data(), a.shape(0), width}, {b.data(), out, out}, own.part}; }
  kfac_block const& block() const { return own; }
  matrix<T> const& left_basis() const { return b_basis.vectors; }
  matrix<T> const& right_basis() const { return a_basis.vectors; }
  matrix<T> const& second_moments() const { return moments; }

  /// \throws invalid_value when a factor is not finite.
  void check(kfac_factors<T> const& now) const {
    check_finite((title + ": the factor A").c_str(), now.inputs.elements());
    check_finite((title + ": the factor B").c_str(), now.outputs.elements());
  }
  void average(kfac_factors<T> const& now, double part) {
    move_towards(elements(a), now.inputs.elements(), part);
    move_towards(elements(b), now.outputs.elements(), part);
  }
  /// \throws invalid_value when a moment is not finite.
  void check(matrix<T> const& now) const { check_finite<T>((title + ": the second moments").c_str(), elements(now)); }
  void average(matrix<T> const& now, double part) {
    move_towards(elements(moments), std::span<T const>(elements(now)), part);
  }

  /// The eigenbases of A and B, in double; eigenvalues that rounding made negative are zero.
  /// \throws not_converged naming the layer.
  bases decompose() const {
    try {
      bases both{basis_of_inputs(), symmetric<T>(b).basis()};
      for (double& v : elements(both.first.values)) v = std::max(v, 0.0);
      for (double& v : elements(both.second.values)) v = std::max(v, 0.0);
      return both;
    } catch (not_converged const& e) {
      throw not_converged("K-FAC, " + title + ": " + e.what() + "; its condition number is not known");
    }
  }
  /// Takes new bases. The average of the second moments goes with them: to the diagonal, in the new bases, of the
  /// operator that it was in the old ones.
  void take(bases&& both) {
    if (moments.size() > 0 && b_basis.vectors.size() > 0) {
      auto const squares = [](matrix<T> const& fresh, matrix<T> const& old) {  // of the products of basis vectors
        auto const n = fresh.shape(0);                                         // none of the natural basis, which stays
        auto s = unset<T>(n, n);
        if (n > 0) lapack::gemm<T>(false, true, n, n, n, 1, fresh.data(), old.data(), 0, s.data());
        for (T& v : elements(s)) v *= v;
        return s;
      };
      auto const s_a = squares(both.first.vectors, a_basis.vectors),
                 s_b = squares(both.second.vectors, b_basis.vectors);
      auto half = moments;
      if (!is_natural(a_basis.vectors))
        lapack::gemm<T>(false, true, out, width, width, 1, moments.data(), s_a.data(), 0, half.data());
      lapack::gemm<T>(false, false, out, width, out, 1, s_b.data(), half.data(), 0, moments.data());
    }
    a_basis = std::move(both.first);
    b_basis = std::move(both.second);
  }

  /// What is to be added to the eigenvalues. λ = absolute + relative times the mean eigenvalue of the block.
  struct shift {
    double lambda = 0;
    pi_parts parts{};  // for pi damping
    bool factored = false;
  };
  /// \throws singular_matrix naming the layer and its condition numbers when the damped block is not invertible: the
  /// bound is pair_factor's in algebra/kronecker.hpp.
  shift shift_for(double absolute, double relative, kfac_damping rule) const {
    auto const sum = [](auto const& values) {
      double total = 0;
      for (auto v : elements(values)) total += static_cast<double>(v);
      return total;
    };
    auto const& x = a_basis.values;
    auto const& y = b_basis.values;
    double const block_trace = moments.size() > 0 ? sum(moments) : sum(x) * sum(y);
    shift s;
    s.lambda = absolute + relative * block_trace / static_cast<double>(size());
    double largest = std::ranges::max(elements(x)) * y(0), smallest = std::ranges::min(elements(x)) * y(out - 1);
    if (moments.size() > 0) {
      auto const [low, high] = std::minmax_element(moments.data(), moments.data() + moments.size());
      smallest = static_cast<double>(*low);
      largest = static_cast<double>(*high);
    }
    double const resolution =
        static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(std::max(width, out));
    if (!(smallest + s.lambda > (s.lambda > 0 ? 0.0 : resolution * largest)))
      throw singular_matrix("K-FAC, " + title + ": the smallest eigenvalue of the block is " +
                            number(smallest + s.lambda) + ", the largest " + number(largest + s.lambda) +
                            "; more damping would help" +
                            said_conditions<T>(std::span<double const>(elements(x)), elements(y)));
    if (rule == kfac_damping::pi) {
      s.factored = true;
      s.parts = pi_split(sum(y), out, sum(x), width, s.lambda);
    }
    return s;
  }

  /// u = (block + damping)⁻¹ g on this layer's part of the flat vectors. 4 · out · in · (out + in) flops; x and half
  /// hold size() elements.
  void precondition(shift const& s, std::span<T const> g, std::span<T> u, T* x, T* half) const {
    T const* const from = g.data() + offset();
    T* const to = u.data() + offset();
    if (shape.is_table()) return precondition_table(s, from, to, half);
    for (std::size_t o = 0; o < out; ++o) {  // the rows of [W b]
      std::copy_n(from + o * in, in, x + o * width);
      if (shape.bias) x[o * width + in] = from[out * in + o];
    }
    T const* const q_a = a_basis.vectors.data();  // rows are eigenvectors
    T const* const q_b = b_basis.vectors.data();
    lapack::gemm<T>(false, true, out, width, width, 1, x, q_a, 0, half);
    lapack::gemm<T>(false, false, out, width, out, 1, q_b, half, 0, x);
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t i = 0; i < width; ++i)
        x[o * width + i] = static_cast<T>(static_cast<double>(x[o * width + i]) / damped_eigenvalue(s, o, i));
    lapack::gemm<T>(true, false, out, width, out, 1, q_b, x, 0, half);
    lapack::gemm<T>(false, false, out, width, width, 1, half, q_a, 0, x);
    for (std::size_t o = 0; o < out; ++o) {
      std::copy_n(x + o * width, in, to + o * in);
      if (shape.bias) to[out * in + o] = x[o * width + in];
    }
  }

 private:
  eigenbasis<T> basis_of_inputs() const {
    if (!shape.is_table()) return symmetric<T>(a).basis();
    auto diagonal = zeros<T>(width);
    std::ranges::copy(elements(a), diagonal.data());
    return kronecker_factor<T>(diagonal_matrix<T>(std::move(diagonal))).basis();
  }
  // The same for E [width, out], whose rows are what B acts on: 4 · width · out² flops.
  void precondition_table(shift const& s, T const* from, T* to, T* half) const {
    T const* const q_b = b_basis.vectors.data();
    lapack::gemm<T>(false, true, width, out, out, 1, from, q_b, 0, half);
    for (std::size_t i = 0; i < width; ++i)
      for (std::size_t o = 0; o < out; ++o)
        half[i * out + o] = static_cast<T>(static_cast<double>(half[i * out + o]) / damped_eigenvalue(s, o, i));
    lapack::gemm<T>(false, false, width, out, out, 1, half, q_b, 0, to);
  }

  double damped_eigenvalue(shift const& s, std::size_t o, std::size_t i) const {
    if (s.factored) {
      if (s.parts.zero) return s.parts.left * s.parts.right;
      return (b_basis.values(o) + s.parts.left) * (a_basis.values(i) + s.parts.right);
    }
    if (moments.size() > 0) return static_cast<double>(moments(o, i)) + s.lambda;
    return b_basis.values(o) * a_basis.values(i) + s.lambda;
  }

  kfac_block own;
  parameter shape;
  std::string title;
  std::size_t in, width, out;
  matrix<T> a, b, moments;
  eigenbasis<T> a_basis, b_basis;
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
