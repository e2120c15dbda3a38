#pragma once
/// \file
/// Which statements are about a network, found from its type: a list of types, and a reason for every other one.

#include <array>
#include <cstddef>
#include <type_traits>

#include <kappa/theory/bounds.hpp>
#include <kappa/theory/lower_bounds.hpp>
#include <kappa/theory/relu_network.hpp>
#include <kappa/theory/statement.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// A list of statement types.
template <statement... S>
struct statement_list {
  static constexpr std::size_t size = sizeof...(S);
  template <class One>
  static constexpr bool contains = (std::same_as<One, S> || ...);
  /// Calls f(S()) for every statement, in order.
  template <class F>
  static constexpr void for_each(F&& f) {
    (f(S()), ...);
  }
};
template <class... A, class... B>
constexpr statement_list<A..., B...> operator+(statement_list<A...>, statement_list<B...>) {
  return {};
}

/// Statements about linear networks, and about one hidden layer with ReLU. A statement of your own joins by
/// `decltype(known_statements() + statement_list<mine>())` as the second argument of bounds_for.
struct linear_statements : statement_list<lemma_2_t, eq_7_t, eq_7_convex_t, max_bound_t, product_bound_t,
                                          bottleneck_bound_t, flag_bound_t, loewner_bound_t, exact_one_hidden_layer_t,
                                          rayleigh_bound_t, moment_floor_t, data_floor_t, weyl_floor_t> {};
struct relu_network_statements
    : statement_list<exact_relu_t, relu_bound_t, relu_norm_bound_t, relu_sample_bound_t, relu_sample_lower_bound_t> {};
struct known_statements : decltype(linear_statements() + relu_network_statements()) {};

namespace detail {

template <network_type Net, class... S>
constexpr auto covering(statement_list<S...>) {
  return (statement_list<>() + ... + std::conditional_t<covers<Net, S>, statement_list<S>, statement_list<>>());
}

/// The object a statement about Net is called on.
template <network_type Net, class Statement>
struct subject_of {
  using type = linear_gauss_newton<Net>;
};
template <network_type Net, class Statement>
requires requires { typename Statement::template subject<Net>; }
struct subject_of<Net, Statement> {
  using type = typename Statement::template subject<Net>;
};

}  // namespace detail

/// The statements of `All` that are about the network, as a statement_list.
template <network_type Net, class All = known_statements>
using bounds_for = decltype(detail::covering<Net>(All()));

/// A statement that is not about a network, and why.
struct refused_statement {
  char const* name = "";
  kappa::sentence reason{};
};

/// The statements of `All` that are not about the network, each with its reason.
template <network_type Net, class All = known_statements>
constexpr auto refusals_for() {
  std::array<refused_statement, All::size - bounds_for<Net, All>::size> refused{};
  std::size_t n = 0;
  All::for_each([&]<class S>(S) {
    if constexpr (!detail::covers<Net, S>) refused[n++] = {S::name, detail::refusal_of<Net, S>()};
  });
  return refused;
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
