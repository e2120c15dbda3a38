#pragma once
/// \file
/// Statements about κ(G), the condition number of the Gauss-Newton matrix of a linear network. Each is a function
/// object with its name, hypotheses and source; called on a `linear_gauss_newton` it gives its number.
/// `docs/conditioning.md` tells which test verifies which.

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include <kappa/theory/gauss_newton.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// How a statement's number stands to κ(G).
enum class relation { upper_bound, lower_bound, equality };

/// What a statement says about one network: its number, and where that holds. An upper bound of +infinity is vacuous.
struct bound {
  double value = std::numeric_limits<double>::quiet_NaN();
  char const* name = "";
  char const* hypotheses = "";
  char const* source = "";
};

/// A statement about κ(G): a default-constructible struct with a static `name`, and a call on
/// `linear_gauss_newton<Net>` that gives a `bound` or a double. It may say `static constexpr hypothesis needs`
/// (default: linear) and `static constexpr relation claims` (default: upper_bound). A user's own has the same.
template <class S>
concept statement = std::default_initializable<S> && requires {
  { S::name } -> std::convertible_to<char const*>;
};

namespace detail {

template <class Statement>
constexpr relation relation_of() {
  if constexpr (requires { Statement::claims; }) {
    return Statement::claims;
  } else {
    return relation::upper_bound;
  }
}

inline double number_of(double x) { return x; }
inline double number_of(bound const& b) { return b.value; }

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline double quotient(double over, double under) { return under > 0 ? over / under : infinity; }

/// Σ_l λ_max(A_l) λ_max(B_l).
inline double sum_of_largest(small_gauss_newton const& g) {
  double sum = 0;
  for (std::size_t l = 0; l < g.depth(); ++l) sum += g.left_spectrum(l).largest * g.right_spectrum(l).largest;
  return sum;
}

/// Σ_l λ_min(A_l) λ_min(B_l).
inline double sum_of_smallest(small_gauss_newton const& g) {
  double sum = 0;
  for (std::size_t l = 0; l < g.depth(); ++l) sum += g.left_spectrum(l).smallest * g.right_spectrum(l).smallest;
  return sum;
}

/// Makes a statement of Self's `value(small_gauss_newton const&)`.
template <class Self>
struct statement_base {
  template <network_type Net>
  bound operator()(linear_gauss_newton<Net> const& g) const {
    static_assert(refuse_unless_covered<Net, Self>());
    return {Self::value(g), Self::name, Self::hypotheses, Self::source};
  }
};

}  // namespace detail

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
  static constexpr hypothesis needs = hypothesis::one_hidden_layer;

  static double value(small_gauss_newton const& g) {
    double const gain = g.left_spectrum(1).largest;  // A_1 = gain · I; 1 without scales
    auto const w = g.left_spectrum(0), v = g.right_spectrum(1);
    return detail::quotient(g.data().condition_number() * (w.largest + gain * v.largest),
                            w.smallest + gain * v.smallest);
  }
};
inline constexpr lemma_2_t lemma_2{};

/// Eq. (7): κ(G) <= κ(Σ) Σ_l λ_max(A_l) λ_max(B_l) / Σ_l λ_min(A_l) λ_min(B_l), at any depth and width; +infinity when
/// every term of the denominator is zero.
struct eq_7_t : detail::statement_base<eq_7_t> {
  static constexpr char const* name = "Eq. (7)";
  static constexpr char const* hypotheses = "linear, no bias; lambda_min of A_l of order k and B_l of order d";
  static constexpr char const* source = "Zhao, Singh, Lucchi 2024, arXiv:2411.02139";

  static double value(small_gauss_newton const& g) {
    return detail::quotient(g.data().condition_number() * detail::sum_of_largest(g), detail::sum_of_smallest(g));
  }
};
inline constexpr eq_7_t eq_7{};

/// Eq. (7) as a convex combination: κ(Σ) Σ_l γ_l κ(A_l) κ(B_l), γ_l the share of term l in the denominator. The same
/// number where no λ_min is zero, +infinity elsewhere: Eq. (7) is the better form.
struct eq_7_convex_t : detail::statement_base<eq_7_convex_t> {
  static constexpr char const* name = "Eq. (7), convex form";
  static constexpr char const* hypotheses = "linear, no bias; every A_l and B_l nonsingular";
  static constexpr char const* source = "Zhao, Singh, Lucchi 2024, arXiv:2411.02139";

  static double value(small_gauss_newton const& g) {
    double const total = detail::sum_of_smallest(g);
    double sum = 0;
    for (std::size_t l = 0; l < g.depth(); ++l) {
      auto const a = g.left_spectrum(l), b = g.right_spectrum(l);
      double const smallest = a.smallest * b.smallest;
      if (!(smallest > 0)) return detail::infinity;
      sum += smallest / total * (a.largest / a.smallest) * (b.largest / b.smallest);
    }
    return g.data().condition_number() * sum;
  }
};
inline constexpr eq_7_convex_t eq_7_convex{};

/// κ(G) <= κ(Σ) max_l κ(A_l) κ(B_l): the loose form of Eq. (7); +infinity when any λ_min is zero.
struct max_bound_t : detail::statement_base<max_bound_t> {
  static constexpr char const* name = "max bound";
  static constexpr char const* hypotheses = "linear, no bias; every A_l and B_l nonsingular";
  static constexpr char const* source = "public code of Zhao, Singh, Lucchi 2024; follows from Eq. (7)";

  static double value(small_gauss_newton const& g) {
    double largest = 0;
    for (std::size_t l = 0; l < g.depth(); ++l) {
      auto const a = g.left_spectrum(l), b = g.right_spectrum(l);
      largest = std::max(largest, detail::quotient(a.largest * b.largest, a.smallest * b.smallest));
    }
    return g.data().condition_number() * largest;
  }
};
inline constexpr max_bound_t max_bound{};

/// κ(G) <= κ(Σ) (s_1(W)² + s_1(V)²) / min(s_+(W)², s_+(V)²) for F(x) = W V x with a bottleneck, s_+ the smallest
/// non-zero singular value. Equality when Σ is a multiple of the identity and neither W Wᵀ nor VᵀV is nonsingular.
struct bottleneck_bound_t : detail::statement_base<bottleneck_bound_t> {
  static constexpr char const* name = "bottleneck bound";
  static constexpr char const* hypotheses = "linear, one hidden layer of any width, no bias";
  static constexpr char const* source = "kappa, docs/conditioning.md";
  static constexpr hypothesis needs = hypothesis::one_hidden_layer;

  static double value(small_gauss_newton const& g) {
    double const gain = g.left_spectrum(1).largest;
    auto const w = g.left_spectrum(0), v = g.right_spectrum(1);
    // A zero matrix contributes no eigenvalue of its own.
    double const smallest = w.rank == 0   ? gain * v.smallest_non_zero
                            : v.rank == 0 ? w.smallest_non_zero
                                          : std::min(w.smallest_non_zero, gain * v.smallest_non_zero);
    return detail::quotient(g.data().condition_number() * (w.largest + gain * v.largest), smallest);
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
  static constexpr char const* source = "kappa, docs/conditioning.md";

  static double value(small_gauss_newton const& g) {
    auto const depth = g.depth();
    double smallest = detail::infinity;
    for (std::size_t i = 0; i < depth; ++i) {
      if (g.left_spectrum(i).rank <= (i == 0 ? 0 : g.left_spectrum(i - 1).rank)) continue;
      double sum = 0;
      for (std::size_t j = i; j < depth; ++j) {
        sum += g.left_spectrum(j).smallest_non_zero * g.right_spectrum(j).smallest_non_zero;
        bool const corner = g.right_spectrum(j).rank > (j + 1 == depth ? 0 : g.right_spectrum(j + 1).rank);
        if (corner) smallest = std::min(smallest, sum);
      }
    }
    if (smallest == detail::infinity) return detail::infinity;  // the zero matrix has no cell
    return detail::quotient(g.data().condition_number() * detail::sum_of_largest(g), smallest);
  }
};
inline constexpr flag_bound_t flag_bound{};

/// Partial Loewner bound: with C_l = diag(√s) B_l diag(√s), so that Ĝ = Σ_l A_l ⊗ C_l,
///
///     λ_max(Ĝ) <= min { λ_max(Σ_l λ_max(A_l) C_l), λ_max(Σ_l λ_max(C_l) A_l) },
///     λ_min(Ĝ) >= max { λ_min(Σ_l λ_min(A_l) C_l), λ_min(Σ_l λ_min(C_l) A_l) },
///
/// because λ_min(A_l) I <= A_l <= λ_max(A_l) I. Never above Eq. (7), and free of its factor κ(Σ); exact for one hidden
/// layer and for one output. 2 + L eigenproblems of order k or r. +infinity when both lower ends are zero.
struct loewner_bound_t : detail::statement_base<loewner_bound_t> {
  static constexpr char const* name = "Loewner bound";
  static constexpr char const* hypotheses = "linear, no bias";
  static constexpr char const* source = "kappa, docs/conditioning.md";

  static double value(small_gauss_newton const& g) {
    matrix<double> right_above, right_below, left_above, left_below;
    auto const add = [](matrix<double>& sum, double weight, matrix<double> const& m) {
      if (sum.size() == 0) sum = zeros<double>(m.shape(0), m.shape(1));
      for (std::size_t i = 0; i < m.size(); ++i) sum.data()[i] += weight * m.data()[i];
    };
    for (std::size_t l = 0; l < g.depth(); ++l) {
      auto const c = g.weighted_right(l);
      auto const a_ends = g.left_spectrum(l), c_ends = ends_of(elements(lapack::symmetric_eigenvalues(c)));
      add(right_above, a_ends.largest, c);
      add(right_below, a_ends.smallest, c);
      add(left_above, c_ends.largest, g.left(l));
      add(left_below, c_ends.smallest, g.left(l));
    }
    auto const ends = [](matrix<double>& m) { return ends_of(elements(lapack::symmetric_eigenvalues(std::move(m)))); };
    return detail::quotient(std::min(ends(right_above).largest, ends(left_above).largest),
                            std::max(ends(right_below).smallest, ends(left_below).smallest));
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
  static constexpr char const* source = "kappa, docs/conditioning.md";
  static constexpr hypothesis needs = hypothesis::one_hidden_layer;
  static constexpr relation claims = relation::equality;

  static double value(small_gauss_newton const& g) {
    auto const lambda = lapack::symmetric_eigenvalues(g.left(0));
    auto const top = lapack::symmetric_eigenvalues(g.hidden_layer_block(lambda(0)));
    auto const bottom = lapack::symmetric_eigenvalues(g.hidden_layer_block(std::max(0.0, lambda(lambda.size() - 1))));
    double const smallest = bottom(bottom.size() - 1);
    if (smallest > zero_threshold * top(0)) return top(0) / smallest;
    return g.condition_number();
  }
};
inline constexpr exact_one_hidden_layer_t exact_one_hidden_layer{};

/// The number of a statement on the network `Net`, at theta and data of the given covariance. A network the statement
/// does not cover is refused in one sentence that names the layer.
template <network_type Net, statement Statement, real T>
double value_of(Statement const& s, std::span<T const> theta, covariance const& data) {
  static_assert(detail::refuse_unless_covered<Net, Statement>());
  if constexpr (detail::obstacle_to<Net>(detail::needs_of<Statement>()).why == detail::obstacle_kind::none) {
    return detail::number_of(s(linear_gauss_newton<Net>(theta, data)));
  } else {
    return 0;
  }
}
template <network_type Net, statement Statement, real T>
double value_of(Statement const& s, vector<T> const& theta, covariance const& data) {
  return value_of<Net>(s, elements(theta), data);
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
