#pragma once
/// \file
/// Equations as terms: a captureless function from `variable` to `variable` runs inside the compiler and leaves
/// its nodes in the graph, so any acyclic graph can be written with ordinary variables and loops.

#include <kappa/declare/term.hpp>

namespace kappa {

/// `traced<f>`: the term whose nodes are those f makes of its argument.
template <auto F>
struct traced_t : term_base<traced_t<F>> {
  static constexpr int emit(auto& g, int x) { return F(variable{&g, x}).node; }
};

namespace static_detail {
template <auto F>
constexpr auto checked_traced() {
  constexpr bool fits = requires(variable x) {
    { F(x) } -> std::same_as<variable>;
  };
  static_assert(fits, "kappa: traced wants a function from `variable` to `variable`");
  if constexpr (fits) {
    return traced_t<F>{};
  } else {
    return traced_t<[](variable x) { return x; }>{};
  }
}

// The builder is complete only where a network is lowered: these are templates so that their bodies wait.
template <class Builder>
constexpr variable add_variables(Builder* g, int a, int b) {
  return {g, g->add(a, b)};
}
template <class Builder>
constexpr variable multiply_variables(Builder* g, int a, int b) {
  return {g, g->multiply(a, b)};
}
}  // namespace static_detail

template <auto F>
inline constexpr auto traced = static_detail::checked_traced<F>();

template <std::same_as<variable> Variable>
constexpr variable operator+(Variable a, Variable b) {
  return static_detail::add_variables(a.graph, a.node, b.node);
}
template <std::same_as<variable> Variable>
constexpr variable operator*(Variable a, Variable b) {
  return static_detail::multiply_variables(a.graph, a.node, b.node);
}

}  // namespace kappa
