#pragma once
/// \file
/// What a statement about κ(G) is: a function object with its name, hypotheses and source; called on a
/// `linear_gauss_newton` it gives its number.

#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <kappa/theory/arithmetic.hpp>
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

/// A hypothesis that depends on numbers, looked up on one network: `gives` is what it is good for, "finite" or
/// "equality".
struct checked_hypothesis {
  char const* says = "";
  char const* gives = "";
  bool holds = false;
};

/// A statement about κ(G): a default-constructible struct with a static `name`, and a call on
/// `linear_gauss_newton<Net>` that gives a `bound` or a double. It may say `static constexpr hypothesis needs`
/// (default: linear) and `static constexpr relation claims` (default: upper_bound). A user's own has the same.
/// A static `value(auto const& g)` written for any `g.number` makes it work in intervals and in constant evaluation.
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

/// The type of g's quantities, and its arithmetic.
template <class G>
using number_t = typename std::remove_cvref_t<G>::number;
template <class G>
using arithmetic_of = arithmetic<number_t<G>>;

/// Σ_l λ_max(A_l) λ_max(B_l).
constexpr auto sum_of_largest(auto const& g) {
  number_t<decltype(g)> sum = 0;
  for (std::size_t l = 0; l < g.depth(); ++l) sum += g.left_spectrum(l).largest * g.right_spectrum(l).largest;
  return sum;
}

/// Σ_l λ_min(A_l) λ_min(B_l).
constexpr auto sum_of_smallest(auto const& g) {
  number_t<decltype(g)> sum = 0;
  for (std::size_t l = 0; l < g.depth(); ++l) sum += g.left_spectrum(l).smallest * g.right_spectrum(l).smallest;
  return sum;
}

/// κ(Σ) = 1 to working precision.
inline bool white(small_gauss_newton const& g) { return g.data_condition() <= 1 + zero_threshold; }

/// A_l and B_l are nonsingular.
inline bool nonsingular_term(small_gauss_newton const& g, std::size_t l) {
  return g.left_spectrum(l).smallest > 0 && g.right_spectrum(l).smallest > 0;
}
inline bool some_term_nonsingular(small_gauss_newton const& g) {
  for (std::size_t l = 0; l < g.depth(); ++l)
    if (nonsingular_term(g, l)) return true;
  return false;
}
inline bool every_term_nonsingular(small_gauss_newton const& g) {
  for (std::size_t l = 0; l < g.depth(); ++l)
    if (!nonsingular_term(g, l)) return false;
  return true;
}

/// Makes a statement of Self's `value(g)`.
template <class Self>
struct statement_base {
  template <network_type Net>
  bound operator()(linear_gauss_newton<Net> const& g) const {
    static_assert(refuse_unless_covered<Net, Self>());
    small_gauss_newton const& small = g;  // one instantiation for all networks
    return {Self::value(small), Self::name, Self::hypotheses, Self::source};
  }
};

}  // namespace detail

/// The number of a statement on the network `Net`, at theta and data of the given covariance. A network the statement
/// does not cover is refused in one sentence that names the layer.
template <network_type Net, statement Statement, real T>
double value_of(Statement const& s, std::span<T const> theta, covariance const& data) {
  static_assert(detail::refuse_unless_covered<Net, Statement>());
  if constexpr (detail::covers<Net, Statement>) {
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
