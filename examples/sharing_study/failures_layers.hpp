#pragma once
/// \file
/// Errors of three layers over random instances, as rows of E2's second table.

#include <algorithm>
#include <string>
#include <vector>

#include "instances.hpp"
#include "study.hpp"

namespace sharing_study {

struct by_layer {
  std::vector<double> expand[3], reduce[3];
};
template <objective_type Objective, class Prepare>
by_layer errors_over_draws(settings const& s, Prepare&& prepare) {
  by_layer all;
  for (std::size_t d = 0; d < s.draws(); ++d) {
    instance<Objective> at(5, 400 + d);
    prepare(at, d);
    auto const e = errors_of(at);
    for (std::size_t l = 0; l < 3; ++l) {
      all.expand[l].push_back(e.expand[l]);
      all.reduce[l].push_back(e.reduce[l]);
    }
  }
  return all;
}

/// One row: mean and range by layer.
inline void layers_row(io::table& table, char const* name, char const* variant,
                       std::vector<double> const (&errors)[3]) {
  std::vector<io::table::cell> cells{name, variant};
  for (auto const& layer : errors) cells.push_back(io::table::cell::number(said(spread_of(layer))));
  table.add(std::move(cells));
}

}  // namespace sharing_study
