#pragma once
/// \file
/// Statements about objects other than a linear network's small matrix: a ReLU network's kernel matrix, a chain of
/// convolutions, batch normalisation, a law of random weights. Same form as in bounds.hpp.

#include <kappa/theory/bounds.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory::detail {

/// Makes a statement of Self's `value(Subject const&)`.
template <class Self, class Subject>
struct value_statement {
  bound operator()(Subject const& subject) const {
    return {Self::value(subject), Self::name, Self::hypotheses, Self::source};
  }
};

/// Makes a statement about numbers, a law, of Self's `value(numbers...)`.
template <class Self>
struct law {
  template <class... Number>
  bound operator()(Number... numbers) const {
    return {Self::value(numbers...), Self::name, Self::hypotheses, Self::source};
  }
};

/// a / b, +infinity where b is not positive: a vacuous bound.
inline double over(double a, double b) { return b > 0 ? a / b : std::numeric_limits<double>::infinity(); }

}  // namespace theory::detail
}  // namespace kappa::inline KAPPA_ARCH
