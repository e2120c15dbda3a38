#pragma once
/// \file
/// What a derivation holds of a quantity, as numbers that can be compared with another derivation's.

#include <vector>

#include <kappa/derive.hpp>

namespace held_numbers {

using namespace kappa;

template <class Range>
std::vector<double> numbers(Range const& r) {
  return {r.begin(), r.end()};
}
inline std::vector<double> numbers(double v) { return {v}; }
inline std::vector<double> numbers(matrix_view<double> m) { return {m.data, m.data + m.rows * m.columns}; }

/// Of K-FAC the factors.
template <class Derivation, class Quantity>
std::vector<double> held(Derivation& q, Quantity const& which) {
  if constexpr (requires { q.factors(which); }) {
    std::vector<double> all;
    for (kfac_factors<double> const& f : q.factors(which))
      for (auto const& m : {f.inputs, f.outputs}) all.insert(all.end(), m.data, m.data + m.rows * m.columns);
    return all;
  } else {
    return numbers(q[which]);
  }
}

}  // namespace held_numbers
