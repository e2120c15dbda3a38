#pragma once
/// \file
/// Ways to damp a Kronecker-factored matrix, by name: `solve(damp(K, pi_damping{0.01}), g)`. Each gives an operator of
/// the same language.

#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <kappa/algebra/block_diagonal.hpp>
#include <kappa/algebra/embedded.hpp>
#include <kappa/algebra/expressions.hpp>
#include <kappa/algebra/kronecker.hpp>

namespace kappa::inline KAPPA_ARCH {

/// K + λ I, without approximation: what `K + λ * identity` is.
struct exact_damping {
  double damping = 0;
};

/// (B + √λ/π I) ⊗ (A + π √λ I) with π² = (tr A / in) / (tr B / out), block by block (Martens and Grosse 2015, section
/// 6.3): stays a Kronecker product, at the price of the terms π √λ B ⊗ I and √λ/π I ⊗ A, which damp more than asked
/// for. A factor of order 1 is not damped: all of λ goes to the other one, which is exact.
struct pi_damping {
  double damping = 0;
};

/// Every block K_l + f · (tr K_l / n_l) I, a multiple of its mean eigenvalue (Grosse et al. 2023 take 0.1): keeps its
/// meaning when loss, batch or reduction change scale.
struct block_relative_damping {
  double factor = 0.1;
};

namespace detail {

/// What π damping adds to the two factors' diagonals. A block of trace 0 is the zero matrix, whose damping is λ I: both
/// parts are then √λ, and `zero` says that what is left of the other factor is to be dropped.
struct pi_parts {
  double left = 0, right = 0;  // on B and on A
  bool zero = false;
};
inline pi_parts pi_split(double trace_b, std::size_t out, double trace_a, std::size_t in, double lambda) {
  double const b = trace_b / static_cast<double>(out), a = trace_a / static_cast<double>(in);
  if (!(a * b > 0)) return {std::sqrt(lambda), std::sqrt(lambda), true};
  if (out == 1) return {0, lambda / b};
  if (in == 1) return {lambda / a, 0};
  double const pi = std::sqrt(a / b);
  return {std::sqrt(lambda) / pi, pi * std::sqrt(lambda)};
}

inline double checked_damping(char const* what, double value) {
  if (!(value >= 0 && std::isfinite(value)))
    throw invalid_value(std::string(what) + " is " + number(value) + ", a number of at least 0 was expected");
  return value;
}

template <real T>
kronecker<T> pi_damped(kronecker<T> const& k, double lambda) {
  auto const parts = pi_split(k.left().trace(), k.left().size(), k.right().trace(), k.right().size(), lambda);
  auto const with = [&](symmetric<T> const& factor, double part) {
    auto m = parts.zero ? zeros<T>(factor.size(), factor.size()) : factor.entries();
    for (std::size_t i = 0; i < factor.size(); ++i) m(i, i) = static_cast<T>(static_cast<double>(m(i, i)) + part);
    return m;
  };
  if (!k.right().is_diagonal()) return {with(k.left(), parts.left), with(k.right(), parts.right)};
  auto d = zeros<T>(k.right().size());
  for (std::size_t i = 0; i < d.size(); ++i)
    d(i) = static_cast<T>((parts.zero ? 0.0 : static_cast<double>(k.right().diagonal_entries()[i])) + parts.right);
  return {symmetric<T>(with(k.left(), parts.left)), diagonal_matrix<T>(std::move(d))};
}
template <linear_operator Op>
auto pi_damped(Op const& op, double lambda) {
  if constexpr (requires { op.blocks(); }) {
    return block_diagonal(map_blocks(op.blocks(), [&](auto const& block) { return pi_damped(block, lambda); }));
  } else if constexpr (requires { op.block(), op.indices(); }) {
    return embedded(pi_damped(op.block(), lambda), op.indices(), op.size());
  } else {
    constexpr bool known = !std::is_same_v<Op, Op>;
    static_assert(known,
                  "pi_damping: this structure has no two factors to damp (an EKFAC has none): use exact_damping "
                  "or block_relative_damping");
    return op;
  }
}

template <linear_operator Op>
auto relatively_damped(Op const& op, double factor) {
  if constexpr (requires { op.blocks(); })
    return block_diagonal(map_blocks(op.blocks(), [&](auto const& block) { return relatively_damped(block, factor); }));
  else
    return op + factor * op.trace() / static_cast<double>(op.size()) * identity;
}

}  // namespace detail

/// K + λ I. \throws invalid_value when λ is negative or not finite.
template <linear_operator Op>
auto damp(Op op, exact_damping d) {
  return std::move(op) + detail::checked_damping("exact_damping", d.damping) * identity;
}
/// Every Kronecker block with its factors damped. \throws invalid_value when λ is negative or not finite.
template <linear_operator Op>
auto damp(Op const& op, pi_damping d) {
  return detail::pi_damped(op, detail::checked_damping("pi_damping", d.damping));
}
/// Every block with its own λ. \throws invalid_value when the factor is negative or not finite.
template <linear_operator Op>
auto damp(Op const& op, block_relative_damping d) {
  return detail::relatively_damped(op, detail::checked_damping("block_relative_damping", d.factor));
}

}  // namespace kappa::inline KAPPA_ARCH
