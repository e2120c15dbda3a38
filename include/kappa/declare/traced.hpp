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
template <auto F>
inline constexpr traced_t<F> traced{};

namespace static_detail {
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

template <std::same_as<variable> Variable>
constexpr variable operator+(Variable a, Variable b) {
  return static_detail::add_variables(a.graph, a.node, b.node);
}
template <std::same_as<variable> Variable>
constexpr variable operator*(Variable a, Variable b) {
  return static_detail::multiply_variables(a.graph, a.node, b.node);
}

}  // namespace kappa
