#pragma once
/// \file
/// The networks of E2 with several losses, and one row of its table.

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "instances.hpp"
#include "study.hpp"

namespace sharing_study {

// N = 5, R = 4, 4-3-3-2 as in the reference.
struct linear_net : network<input<4, 4> | dense<3> | dense<3> | dense<2>> {};
struct tanh_net : network<input<4, 4> | dense<3> | act::tanh | dense<3> | act::tanh | dense<2>> {};
struct relu_net : network<input<4, 4> | dense<3> | act::relu | dense<3> | act::relu | dense<2>> {};
template <class Net>
struct pooled_net : network<typename Net::declaration{} | mean_over_positions> {};

inline constexpr char const* one_draw =
    "the reference's figure is of one random instance, and lies beyond the instances drawn here.";

/// Errors of expand and reduce for layers 1 to 3 beside the reference's six figures.
template <objective_type Objective>
layer_errors losses_case(experiment& e, io::table& table, settings const& s, std::string const& name,
                         std::array<double, 6> const& reference) {
  std::array<std::vector<double>, 6> errors;
  for (std::size_t d = 0; d < s.draws(); ++d) {
    auto const now = errors_of(instance<Objective>(5, 100 + d));
    for (std::size_t l = 0; l < 3; ++l) {
      if (std::isfinite(now.expand[l])) errors[2 * l].push_back(now.expand[l]);  // a dead layer has no curvature
      if (std::isfinite(now.reduce[l])) errors[2 * l + 1].push_back(now.reduce[l]);
    }
  }
  std::vector<io::table::cell> cells{name};
  std::size_t covered = 0;
  layer_errors largest{{0, 0, 0}, {0, 0, 0}};
  std::string missed;
  for (std::size_t c = 0; c < 6; ++c) {
    auto const range = spread_of(errors[c]);
    (c % 2 == 0 ? largest.expand : largest.reduce)[c / 2] = range.high;
    bool const within = range.low - 0.005 <= reference[c] && reference[c] <= range.high + 0.005;  // two digits
    covered += within ? 1 : 0;
    if (!within)
      missed += (missed.empty() ? "" : ", ") + std::string(c % 2 == 0 ? "expand" : "reduce") + " in layer " +
                std::to_string(c / 2 + 1) + " (" + number(reference[c]) + " there, " + said(range) + " here)";
    cells.push_back(io::table::cell::number(number(range.mean) + " | " + number(reference[c])));
  }
  table.add(std::move(cells));
  e.judged(name, std::to_string(covered) + " of 6 in our range", "6 figures of one instance", covered == 6,
           std::string(one_draw) + " Not covered: " + missed + ".");
  return largest;
}

}  // namespace sharing_study
