#pragma once
/// \file
/// What a term of the network language is. A term is an empty value whose one duty is to add its nodes to a
/// graph: `emit(g, x)` receives the graph under construction and the node it is applied to, and returns the
/// node that holds its result. Terms have no state, so nothing can dangle.

#include <concepts>
#include <type_traits>

namespace kappa {

struct graph_builder;  // shapes/graph_builder.hpp

/// A symbolic value: what a traced function computes with. It names a node of a graph under construction.
struct variable {
  graph_builder* graph = nullptr;
  int node = -1;
};

struct term_tag {};

/// The base of every term; gives it the call operator that traced functions use.
template <class Self>
struct term_base : term_tag {
  constexpr variable operator()(variable x) const { return {x.graph, Self::emit(*x.graph, x.node)}; }
};

/// A term: an empty type derived from `term_base` with `static constexpr int emit(auto& g, int x)`.
template <class T>
concept term = std::is_base_of_v<term_tag, std::remove_cvref_t<T>> && std::is_empty_v<std::remove_cvref_t<T>>;

}  // namespace kappa
