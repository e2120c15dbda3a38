#pragma once
/// \file
/// Upper bounds on κ(G), the condition number of the Gauss-Newton matrix of a linear network, and its exact value for
/// one hidden layer. `docs/conditioning/linear.md` tells which test verifies which.

#include <cstddef>
#include <vector>

#include <kappa/theory/row.hpp>
#include <kappa/theory/statement.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// Lemma 2: κ(G) <= κ(Σ) (s_1(W)² + s_1(V)²) / (s_min(W)² + s_min(V)²) for F(x) = W V x.
///
/// To be read as s_min(W)² = λ_min(W Wᵀ), of order k, and s_min(V)² = λ_min(VᵀV), of order d: zero when the hidden
/// layer is narrower than k or d. So read it holds for every width, and is +infinity below min(k, d). It is an equality
/// whenever Σ is a multiple of the identity.
struct lemma_2_t : detail::statement_base<lemma_2_t> {
  static constexpr char const* name = "Lemma 2";
  static constexpr char const* hypotheses =
      "linear, one hidden layer, no bias; s_min(W)^2 = lambda_min(W W'), s_min(V)^2 = lambda_min(V' V)";
  static constexpr char const* source = "Zhao, Singh, Lucchi 2024, arXiv:2411.02139";
  static constexpr char const* cost = "one eigenproblem of order k, one of order r";
  static constexpr hypothesis needs = hypothesis::one_hidden_layer;

  static constexpr auto value(auto const& g) {
    auto const gain = g.left_spectrum(1).largest;  // A_1 = gain · I; 1 without scales
    auto const w = g.left_spectrum(0);
    auto const v = g.right_spectrum(1);
    return detail::arithmetic_of<decltype(g)>::quotient(g.data_condition() * (w.largest + gain * v.largest),
                                                        w.smallest + gain * v.smallest);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"W W' or V'V is nonsingular", "finite", detail::some_term_nonsingular(g)},
            {"white data", "equality", detail::white(g)}};
  }
};
inline constexpr lemma_2_t lemma_2{};

/// Eq. (7): κ(G) <= κ(Σ) Σ_l λ_max(A_l) λ_max(B_l) / Σ_l λ_min(A_l) λ_min(B_l), at any depth and width; +infinity when
/// every term of the denominator is zero.
struct eq_7_t : detail::statement_base<eq_7_t> {
  static constexpr char const* name = "Eq. (7)";
  static constexpr char const* hypotheses = "linear, no bias; lambda_min of A_l of order k and B_l of order d";
  static constexpr char const* source = "Zhao, Singh, Lucchi 2024, arXiv:2411.02139";
  static constexpr char const* cost = "L eigenproblems of order k, L of order r";

  static constexpr auto value(auto const& g) {
    return detail::arithmetic_of<decltype(g)>::quotient(g.data_condition() * detail::sum_of_largest(g),
                                                        detail::sum_of_smallest(g));
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"some l has A_l and B_l nonsingular", "finite", detail::some_term_nonsingular(g)},
            {"one layer, or one hidden layer and white data", "equality",
             g.depth() == 1 || (g.depth() == 2 && detail::white(g))}};
  }
};
inline constexpr eq_7_t eq_7{};

/// Eq. (7) as a convex combination: κ(Σ) Σ_l γ_l κ(A_l) κ(B_l), γ_l the share of term l in the denominator. The same
/// number where no λ_min is zero, +infinity elsewhere: Eq. (7) is the better form.
struct eq_7_convex_t : detail::statement_base<eq_7_convex_t> {
  static constexpr char const* name = "Eq. (7), convex form";
  static constexpr char const* hypotheses = "linear, no bias; every A_l and B_l nonsingular";
  static constexpr char const* source = "Zhao, Singh, Lucchi 2024, arXiv:2411.02139";
  static constexpr char const* cost = "L eigenproblems of order k, L of order r";

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    number const total = detail::sum_of_smallest(g);
    number sum = 0;
    for (std::size_t l = 0; l < g.depth(); ++l) {
      auto const a = g.left_spectrum(l);
      auto const b = g.right_spectrum(l);
      number const smallest = a.smallest * b.smallest;
      if (!arithmetic<number>::positive(smallest)) return arithmetic<number>::infinite();
      sum += smallest / total * ((a.largest / a.smallest) * (b.largest / b.smallest));
    }
    return number(g.data_condition() * sum);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"every A_l and B_l is nonsingular", "finite", detail::every_term_nonsingular(g)}};
  }
};
inline constexpr eq_7_convex_t eq_7_convex{};

/// κ(G) <= κ(Σ) max_l κ(A_l) κ(B_l): the loose form of Eq. (7); +infinity when any λ_min is zero.
struct max_bound_t : detail::statement_base<max_bound_t> {
  static constexpr char const* name = "max bound";
  static constexpr char const* hypotheses = "linear, no bias; every A_l and B_l nonsingular";
  static constexpr char const* source = "public code of Zhao, Singh, Lucchi 2024; follows from Eq. (7)";
  static constexpr char const* cost = "L eigenproblems of order k, L of order r";

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    number largest = 0;
    for (std::size_t l = 0; l < g.depth(); ++l) {
      auto const a = g.left_spectrum(l);
      auto const b = g.right_spectrum(l);
      largest = arithmetic<number>::greatest(
          largest, arithmetic<number>::quotient(a.largest * b.largest, a.smallest * b.smallest));
    }
    return number(g.data_condition() * largest);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"every A_l and B_l is nonsingular", "finite", detail::every_term_nonsingular(g)}};
  }
};
inline constexpr max_bound_t max_bound{};

/// The product bound, from the layers' own singular values:
///
///     κ(G) <= κ(Σ) Π_l s_1(M^l)² / s_min(M^l)² · Σ_l a_l² s_1(M^l)⁻² / Σ_l a_l² s_min(M^l)⁻²,
///
/// a_l the gain of layer l. Stated by its authors for coinciding singular vectors of neighbours; with s_min the
/// smallest of the min(outputs, inputs) singular values it needs none of that, but all hidden widths equal and none
/// below d or k: then λ_min(A_l) and λ_min(B_l) are at least the products of the layers' s_min². An equality when
/// neighbours' singular vectors coincide and Σ is a multiple of the identity. +infinity when a layer is singular.
struct product_bound_t : detail::statement_base<product_bound_t> {
  static constexpr char const* name = "product bound";
  static constexpr char const* hypotheses = "linear, no bias; equal hidden widths, none below d or k";
  static constexpr char const* source =
      "public code of Zhao, Singh, Lucchi 2024, for aligned singular vectors; without them: kappa, docs/conditioning";
  static constexpr char const* cost = "L eigenproblems of the orders of the layers";
  static constexpr hypothesis needs = hypothesis::equal_hidden_widths;

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    number over = 0, under = 0;
    for (std::size_t l = 0; l < g.depth(); ++l) {
      number const gain = number(g.gain(l)) * number(g.gain(l));
      number largest = gain, smallest = gain;
      for (std::size_t h = 0; h < g.depth(); ++h)
        if (h != l) {
          auto const s = g.layer_spectrum(h);
          largest = largest * s.largest;
          smallest = smallest * s.smallest;
        }
      over += largest;
      under += smallest;
    }
    return arithmetic<number>::quotient(g.data_condition() * over, under);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    std::size_t singular = 0;
    for (std::size_t l = 0; l < g.depth(); ++l) singular += !(g.layer_spectrum(l).smallest > 0);
    // With one singular layer its own term stays.
    return {{"at most one layer is singular", "finite", singular <= 1}};
  }
};
inline constexpr product_bound_t product_bound{};

/// κ(G) <= κ(Σ) (s_1(W)² + s_1(V)²) / min(s_+(W)², s_+(V)²) for F(x) = W V x with a bottleneck, s_+ the smallest
/// non-zero singular value. Equality when Σ is a multiple of the identity and neither W Wᵀ nor VᵀV is nonsingular.
struct bottleneck_bound_t : detail::statement_base<bottleneck_bound_t> {
  static constexpr char const* name = "bottleneck bound";
  static constexpr char const* hypotheses = "linear, one hidden layer of any width, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/linear.md";
  static constexpr char const* cost = "one eigenproblem of order k, one of order r";
  static constexpr hypothesis needs = hypothesis::one_hidden_layer;

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    auto const gain = g.left_spectrum(1).largest;
    auto const w = g.left_spectrum(0);
    auto const v = g.right_spectrum(1);
    // A zero matrix contributes no eigenvalue of its own.
    number const smallest = w.rank == 0   ? number(gain * v.smallest_non_zero)
                            : v.rank == 0 ? number(w.smallest_non_zero)
                                          : arithmetic<number>::least(w.smallest_non_zero, gain * v.smallest_non_zero);
    return arithmetic<number>::quotient(g.data_condition() * (w.largest + gain * v.largest), smallest);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"white data, W W' and V'V singular: a bottleneck", "equality",
             detail::white(g) && g.left_spectrum(0).smallest == 0 && g.right_spectrum(1).smallest == 0}};
  }
};
inline constexpr bottleneck_bound_t bottleneck_bound{};

/// Eq. (7) in every regime of widths. With p_l = rank A_l growing and q_l = rank B_l shrinking, and
/// c_l = λ⁺_min(A_l) λ⁺_min(B_l) over non-zero eigenvalues,
///
///     κ(G) <= κ(Σ) Σ_l λ_max(A_l) λ_max(B_l) / min { Σ_{l=i..j} c_l : i <= j, p_i > p_{i-1}, q_j > q_{j+1} }.
///
/// A wide network has the one cell (1, L), and this is Eq. (7). Proof: A_l ⊗ B_l >= c_l times the projector on their
/// ranges, and nested ranges make these projectors commute.
struct flag_bound_t : detail::statement_base<flag_bound_t> {
  static constexpr char const* name = "flag bound";
  static constexpr char const* hypotheses = "linear, no bias, any widths";
  static constexpr char const* source = "kappa, docs/conditioning/linear.md";
  static constexpr char const* cost = "L eigenproblems of order k, L of order r";

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    auto const depth = g.depth();
    bool any = false;
    number smallest = 0;
    for (std::size_t i = 0; i < depth; ++i) {
      if (g.left_spectrum(i).rank <= (i == 0 ? 0 : g.left_spectrum(i - 1).rank)) continue;
      number sum = 0;
      for (std::size_t j = i; j < depth; ++j) {
        sum += g.left_spectrum(j).smallest_non_zero * g.right_spectrum(j).smallest_non_zero;
        bool const corner = g.right_spectrum(j).rank > (j + 1 == depth ? 0 : g.right_spectrum(j + 1).rank);
        if (!corner) continue;
        smallest = any ? arithmetic<number>::least(smallest, sum) : sum;
        any = true;
      }
    }
    if (!any) return arithmetic<number>::infinite();  // the zero matrix has no cell
    return arithmetic<number>::quotient(g.data_condition() * detail::sum_of_largest(g), smallest);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"the map is not zero", "finite", g.rank() > 0}};
  }
};
inline constexpr flag_bound_t flag_bound{};

/// Partial Loewner bound: with C_l = diag(√s) B_l diag(√s), so that Ĝ = Σ_l A_l ⊗ C_l,
///
///     λ_max(Ĝ) <= min { λ_max(Σ_l λ_max(A_l) C_l), λ_max(Σ_l λ_max(C_l) A_l) },
///     λ_min(Ĝ) >= max { λ_min(Σ_l λ_min(A_l) C_l), λ_min(Σ_l λ_min(C_l) A_l) },
///
/// because λ_min(A_l) I <= A_l <= λ_max(A_l) I. Never above Eq. (7), and free of its factor κ(Σ); exact for one hidden
/// layer and for one output. +infinity when both lower ends are zero.
struct loewner_bound_t : detail::statement_base<loewner_bound_t> {
  static constexpr char const* name = "Loewner bound";
  static constexpr char const* hypotheses = "linear, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/linear.md";
  static constexpr char const* cost = "L + 2 eigenproblems of order k, L + 2 of order r";

  /// The two ends themselves, the enclosure of Ĝ's spectrum: {at least λ_max(Ĝ), at most λ_min(Ĝ)}.
  template <class G>
  struct enclosure {
    detail::number_t<G> above, below;
  };
  template <class G>
  static constexpr enclosure<G> ends(G const& g) {
    using number = detail::number_t<G>;
    detail::row<number> a_above, a_below, c_above, c_below;
    for (std::size_t l = 0; l < g.depth(); ++l) {
      auto const a = g.left_spectrum(l);
      auto const c = g.weighted_right_spectrum(l);
      a_above.push_back(a.largest), a_below.push_back(a.smallest);
      c_above.push_back(c.largest), c_below.push_back(c.smallest);
    }
    using calculate = arithmetic<number>;
    return {calculate::least(g.right_sum(a_above).largest, g.left_sum(c_above).largest),
            calculate::greatest(g.right_sum(a_below).smallest, g.left_sum(c_below).smallest)};
  }
  static constexpr auto value(auto const& g) {
    auto const e = ends(g);
    return detail::arithmetic_of<decltype(g)>::quotient(e.above, e.below);
  }
  static std::vector<checked_hypothesis> checks(small_gauss_newton const& g) {
    return {{"a lower end is positive; where some A_l and C_l are nonsingular it is", "finite",
             detail::arithmetic_of<decltype(g)>::positive(ends(g).below)},
            {"one or two layers, or one output, or one direction of data", "equality",
             g.depth() <= 2 || g.outputs() == 1 || g.data().rank() == 1}};
  }
};
inline constexpr loewner_bound_t loewner_bound{};

/// The exact κ of one hidden layer for any Σ: with W Wᵀ = P diag(λ) Pᵀ the small matrix is block diagonal, so
///
///     κ(G) = λ_max(Σ^½ (λ_1 I + VᵀV) Σ^½) / λ_min(Σ^½ (λ_k I + VᵀV) Σ^½):
///
/// two eigenproblems of order d instead of one of order k d. Where the denominator is singular, κ(G) over non-zero
/// eigenvalues wants all k blocks, and they are computed.
struct exact_one_hidden_layer_t : detail::statement_base<exact_one_hidden_layer_t> {
  static constexpr char const* name = "the one-hidden-layer formula";
  static constexpr char const* hypotheses = "linear, one hidden layer of any width, no bias";
  static constexpr char const* source = "kappa, docs/conditioning/linear.md";
  static constexpr char const* cost = "one eigenproblem of order k, two of order r; k of order r when G is not full";
  static constexpr hypothesis needs = hypothesis::one_hidden_layer;
  static constexpr relation claims = relation::equality;

  static constexpr auto value(auto const& g) {
    using number = detail::number_t<decltype(g)>;
    auto const lambda = g.left_spectrum(0);
    number const gain = g.left_spectrum(1).largest;
    auto const top = g.right_sum(detail::row<number>{lambda.largest, gain});
    auto const bottom = g.right_sum(detail::row<number>{lambda.smallest, gain});
    if (arithmetic<number>::positive(bottom.smallest)) return number(top.largest / bottom.smallest);
    return number(g.condition_number());
  }
};
inline constexpr exact_one_hidden_layer_t exact_one_hidden_layer{};

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
