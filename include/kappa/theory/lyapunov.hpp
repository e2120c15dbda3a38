#pragma once
/// \file
/// How fast κ(G) grows with depth at gaussian initialisation. Apart from initialisation.hpp, and not in
/// kappa/theory.hpp: Boost.Math takes a second to compile.

#include <algorithm>
#include <cstddef>
#include <string>

#include <boost/math/special_functions/digamma.hpp>

#include <kappa/tensor/errors.hpp>
#include <kappa/theory/initialisation.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// The growth of log κ(G) per layer at fixed width and growing depth, gaussian weights:
///
///     (1/L) log κ(G) -> ψ(m/2) - ψ((m - r + 1)/2), about (r - 1)/m,     r = min(k, d),
///
/// the gap between the first and the r-th Lyapunov exponent of a product of gaussian matrices (Newman 1986), since the
/// eigenvalue (i, j) grows with the larger of two exponents. Eq. (7) has the same rate, the max bound that of max(k,
/// d).
struct lyapunov_slope_t {
  static constexpr char const* name = "Lyapunov slope";
  static constexpr char const* hypotheses =
      "linear, no bias, gaussian weights, hidden width m >= max(d, k), depth -> infinity";
  static constexpr char const* source = "kappa, docs/conditioning/initialisation.md";
  static constexpr relation claims = relation::equality;

  /// For frames of `directions` in layers of width `hidden`. \throws invalid_value unless 1 <= directions <= hidden.
  static double between_exponents(std::size_t hidden, std::size_t directions) {
    if (directions < 1 || directions > hidden)
      throw invalid_value("lyapunov_slope: from 1 to " + std::to_string(hidden) + " directions were expected, came " +
                          std::to_string(directions));
    auto const m = static_cast<double>(hidden), r = static_cast<double>(directions);
    return boost::math::digamma(m / 2) - boost::math::digamma((m - r + 1) / 2);
  }
  /// (1/L) log κ(G). \throws invalid_value when the hidden width is below the others.
  bound operator()(gaussian_chain const& c) const {
    detail::check_chain(name, c);
    return {between_exponents(c.hidden, std::min(c.inputs, c.outputs)), name, hypotheses, source};
  }
};
inline constexpr lyapunov_slope_t lyapunov_slope{};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
