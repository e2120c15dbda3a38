#pragma once
/// \file
/// The few operations statements need beside + - * /, so that one text of a statement serves doubles at run time,
/// doubles in constant evaluation and intervals (interval.hpp specialises).

#include <limits>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// Arithmetic on the numbers a statement is made of.
template <class Number>
struct arithmetic {
  static constexpr Number infinite() { return std::numeric_limits<Number>::infinity(); }
  /// over / under, +infinity when `under` is not positive: a vacuous bound.
  static constexpr Number quotient(Number over, Number under) { return under > 0 ? over / under : infinite(); }
  static constexpr Number least(Number a, Number b) { return b < a ? b : a; }
  static constexpr Number greatest(Number a, Number b) { return a < b ? b : a; }
  /// False for what is zero to working precision.
  static constexpr bool positive(Number a) { return a > 0; }
};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
