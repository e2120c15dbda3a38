#pragma once
/// \file
/// One case of E1: a deep linear network with squared error, in one of the two settings.

#include <algorithm>
#include <string>
#include <vector>

#include "instances.hpp"
#include "study.hpp"

namespace sharing_study {

enum class setting { expand, reduce };

/// Adds a row, and the claims: the setting's own variant is exact in all layers, the other one is not in the first
/// `shared` of them, those whose weight is shared. `prepare` may add a mask to an instance.
template <objective_type Objective, class Prepare>
void exactness_case(experiment& e, io::table& table, settings const& s, std::string const& name, setting where,
                    std::size_t samples, std::size_t shared, Prepare&& prepare) {
  std::vector<double> own, other;
  for (std::size_t d = 0; d < s.draws(); ++d) {
    instance<Objective> at(samples, 10 + d);
    prepare(at);
    auto const errors = errors_of(at);
    auto const& right = where == setting::expand ? errors.expand : errors.reduce;
    auto const& wrong = where == setting::expand ? errors.reduce : errors.expand;
    own.push_back(std::ranges::max(right));
    other.insert(other.end(), wrong.begin(), wrong.begin() + static_cast<std::ptrdiff_t>(shared));
  }
  auto const least = std::ranges::min(other), worst = std::ranges::max(own);
  table.row(name, where == setting::expand ? "expand" : "reduce", io::table::cell::number(number(worst)),
            io::table::cell::number(said(spread_of(other))));
  e.exact(name + ": its own variant", worst);
  e.exact(name + ": not the other one", number(least) + " at least", "0.001 at least", least > 1e-3);
  e.in_range(
      name + ": error of the other one", spread_of(other), 0.3, 0.7,
      "the reference's range is of single instances of 4-3-3-2. Expand in the reduce setting is up to R times too "
      "small, an error of up to 1 - 1/R and beyond: 0.75 at R = 4, 0.875 at R = 8.");
}
template <objective_type Objective>
void exactness_case(experiment& e, io::table& table, settings const& s, std::string const& name, setting where,
                    std::size_t samples, std::size_t shared) {
  exactness_case<Objective>(e, table, s, name, where, samples, shared, [](auto&) {});
}

}  // namespace sharing_study
