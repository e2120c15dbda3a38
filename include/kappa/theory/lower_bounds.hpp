#pragma once
/// \file
/// Lower bounds on κ(G) of a linear network. None is below 1, so each is a true statement where its hypothesis fails.

#include <cstddef>
#include <span>
#include <vector>

#include <kappa/theory/statement.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// Rayleigh bound: for a unit vector u, C(u) = Σ_l (uᵀA_l u) C_l is the compression of Ĝ to u ⊗ ·, so
///
///     κ(G) >= max_u λ_max(C(u)) / min_u λ_min(C(u)),
///
/// over the eigenvectors u of the two ends of every A_l and of Σ_l tr(C_l) A_l. Within a few percent of κ(G) for wide
/// networks; with the Loewner bound it encloses κ(G). 1 when G has not its full rank k r.
struct rayleigh_bound_t : detail::statement_base<rayleigh_bound_t> {
  static constexpr char const* name = "Rayleigh bound";
  static constexpr char const* hypotheses = "linear, no bias; G of full rank k r";
  static constexpr char const* source = "kappa, docs/conditioning/linear.md";
  static constexpr char const* cost = "L eigenproblems of order k, 2 L of order r";
  static constexpr relation claims = relation::lower_bound;

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    using calculate = arithmetic<number>;
    if (!g.full_rank()) return number(1);
    auto const directions = g.rayleigh_directions();
    auto const k = g.outputs();
    number over = 0, under = 0;
    for (std::size_t i = 0; i < directions.shape(0); ++i) {
      auto const ends = g.right_sum(g.rayleigh_quotients({directions.data() + i * k, k}));
      over = i == 0 ? number(ends.largest) : calculate::greatest(over, ends.largest);
      under = i == 0 ? number(ends.smallest) : calculate::least(under, ends.smallest);
    }
    // Compressions of a nonsingular matrix are nonsingular; what rounding says otherwise says nothing.
    return calculate::positive(under) ? calculate::greatest(over / under, number(1)) : number(1);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"G has full rank k r", "more than 1", g.full_rank()}};
  }
};
inline constexpr rayleigh_bound_t rayleigh_bound{};

/// Moment floor: κ(G) >= rank G · tr Ĝ² / (tr Ĝ)², because tr Ĝ² <= λ_max tr Ĝ and λ⁺_min rank G <= tr Ĝ. In every
/// regime of widths; weak. tr Ĝ = Σ tr A_l tr C_l and tr Ĝ² = Σ tr(A_l A_m) tr(C_l C_m).
struct moment_floor_t : detail::statement_base<moment_floor_t> {
  static constexpr char const* name = "moment floor";
  static constexpr char const* hypotheses = "linear, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/linear.md";
  static constexpr char const* cost = "L^2 (k^2 + r^2) flops and the rank";
  static constexpr relation claims = relation::lower_bound;

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    auto const rank = static_cast<double>(g.rank());
    number const trace = g.trace();
    return arithmetic<number>::positive(trace)
               ? arithmetic<number>::greatest(number(rank) * g.squared_trace() / (trace * trace), number(1))
               : number(1);
  }
};
inline constexpr moment_floor_t moment_floor{};

/// Data floor: κ(G) >= κ(Σ) Σ_l λ_min(A_l) λ_min(B_l) / Σ_l λ_max(A_l) λ_max(B_l), or 1. With M = Σ_l A_l ⊗ B_l, so
/// that Ĝ is M between the roots of Σ, λ_max(Ĝ) >= λ_max(Σ) λ_min(M) and λ_min(Ĝ) <= λ_min(Σ) λ_max(M): badly
/// conditioned data make a badly conditioned network, unless the weights undo it. Eq. (7) is κ(Σ) times the inverse of
/// the ratio.
struct data_floor_t : detail::statement_base<data_floor_t> {
  static constexpr char const* name = "data floor";
  static constexpr char const* hypotheses = "linear, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/linear.md";
  static constexpr char const* cost = "L eigenproblems of order k, L of order r";
  static constexpr relation claims = relation::lower_bound;

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    number const largest = detail::sum_of_largest(g);
    return arithmetic<number>::positive(largest)
               ? arithmetic<number>::greatest(g.data_condition() * detail::sum_of_smallest(g) / largest, number(1))
               : number(1);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"one layer", "equality", g.depth() == 1}};
  }
};
inline constexpr data_floor_t data_floor{};

/// Weyl floor: with b_l the ends of C_l,
///
///     λ_max(Ĝ) >= max_l ( a_l⁺ b_l⁺ + Σ_{j≠l} a_j⁻ b_j⁻ ),    λ_min(Ĝ) <= min_l ( a_l⁻ b_l⁻ + Σ_{j≠l} a_j⁺ b_j⁺ ).
///
/// Weak. 1 when G has not its full rank k r.
struct weyl_floor_t : detail::statement_base<weyl_floor_t> {
  static constexpr char const* name = "Weyl floor";
  static constexpr char const* hypotheses = "linear, no bias; G of full rank k r";
  static constexpr char const* source = "kappa, docs/conditioning/linear.md";
  static constexpr char const* cost = "L eigenproblems of order k, L of order r";
  static constexpr relation claims = relation::lower_bound;

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    using calculate = arithmetic<number>;
    if (!g.full_rank()) return number(1);
    number over = 0, under = 0;
    for (std::size_t l = 0; l < g.depth(); ++l) {
      number top = 0, bottom = 0;
      for (std::size_t j = 0; j < g.depth(); ++j) {
        auto const a = g.left_spectrum(j);
        auto const c = g.weighted_right_spectrum(j);
        top += j == l ? a.largest * c.largest : a.smallest * c.smallest;
        bottom += j == l ? a.smallest * c.smallest : a.largest * c.largest;
      }
      over = l == 0 ? top : calculate::greatest(over, top);
      under = l == 0 ? bottom : calculate::least(under, bottom);
    }
    return calculate::positive(under) ? calculate::greatest(over / under, number(1)) : number(1);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"G has full rank k r", "more than 1", g.full_rank()}};
  }
};
inline constexpr weyl_floor_t weyl_floor{};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
