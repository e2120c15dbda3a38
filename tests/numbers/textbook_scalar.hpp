#pragma once
/// \file
/// What textbook definitions of layers are written in: dual numbers, and where a layer is applied.

#include <cmath>
#include <concepts>
#include <string_view>
#include <vector>

#include <kappa/declare/layer_rule.hpp>

namespace kappa::reference::textbook {

/// value + tangent ε with ε² = 0.
template <class S>
struct dual {
  S value = 0;
  S tangent = 0;

  dual() = default;
  dual(S v, S t = 0) : value(v), tangent(t) {}
  dual(int v) requires(!std::same_as<S, int>) : value(static_cast<S>(v)) {}

  friend dual operator+(dual a, dual b) { return {a.value + b.value, a.tangent + b.tangent}; }
  friend dual operator-(dual a, dual b) { return {a.value - b.value, a.tangent - b.tangent}; }
  friend dual operator-(dual a) { return {-a.value, -a.tangent}; }
  friend dual operator*(dual a, dual b) { return {a.value * b.value, a.tangent * b.value + a.value * b.tangent}; }
  friend dual operator/(dual a, dual b) {
    return {a.value / b.value, (a.tangent * b.value - a.value * b.tangent) / (b.value * b.value)};
  }
  dual& operator+=(dual b) { return *this = *this + b; }
  friend dual exp(dual a) { return {std::exp(a.value), std::exp(a.value) * a.tangent}; }
  friend dual log(dual a) { return {std::log(a.value), a.tangent / a.value}; }
  friend dual sqrt(dual a) { return {std::sqrt(a.value), a.tangent / (2 * std::sqrt(a.value))}; }
  friend bool operator<(dual a, dual b) { return a.value < b.value; }
};

/// A layer in its graph.
struct place {
  std::string_view name;
  shape in, out;
  layer_settings set;
  int node;
  int shift;
  bool ragged;
};

}  // namespace kappa::reference::textbook
