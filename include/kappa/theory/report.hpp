#pragma once
/// \file
/// κ(G) of a linear network beside what theory says about it, as rows for a table.

#include <cstdio>
#include <string>
#include <vector>

#include <kappa/theory/bounds.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// One line of a report: a number, and its ratio to the exact κ(G) (for a bound: its slack, at least 1).
struct condition_row {
  std::string name;
  double value = 0;
  double slack = 0;
  std::string note;
};

/// κ(G) and its bounds for one network, weights and data.
struct condition_summary {
  std::size_t order = 0;  ///< k r, the order of Ĝ
  std::size_t rank = 0;   ///< of G, by the rank formula
  double data = 0;        ///< κ(Σ) over the directions the data span
  double exact = 0;       ///< κ(G) over non-zero eigenvalues
  std::vector<bound> bounds;

  /// The rows of a table: κ(Σ), κ(G), then every bound.
  std::vector<condition_row> rows() const {
    std::vector<condition_row> table;
    table.push_back({"condition number of the data", data, data / exact, "over the directions the data span"});
    table.push_back(
        {"exact condition number", exact, 1, "rank " + std::to_string(rank) + ", order " + std::to_string(order)});
    for (bound const& b : bounds)
      table.push_back({b.name, b.value, b.value / exact,
                       b.value == detail::infinity ? "vacuous: a lambda_min is zero" : b.hypotheses});
    return table;
  }
  /// The rows as aligned text, one a line: name, value, slack.
  std::string text() const {
    std::string lines;
    for (condition_row const& row : rows()) {
      char line[128];
      std::snprintf(line, sizeof line, "%-30s %14.6g %12.4g  ", row.name.c_str(), row.value, row.slack);
      lines += line + row.note + "\n";
    }
    return lines;
  }
};

/// κ(G) of the linear network `Net` at theta, on data of the given covariance, with Lemma 2 where the network has one
/// hidden layer, Eq. (7), its max form, the flag bound and the Loewner bound. Costs the eigenvalues of Ĝ: 4/3 (k r)³
/// flops, and k problems of order r with one hidden layer. \throws as linear_gauss_newton.
template <network_type Net, real T>
condition_summary condition_report(std::span<T const> theta, covariance const& data) {
  linear_gauss_newton<Net> const g(theta, data);
  condition_summary report{g.order(), g.rank(), g.data().condition_number(), g.condition_number(), {}};
  if constexpr (one_hidden_layer<Net>) report.bounds.push_back(lemma_2(g));
  if constexpr (linear_network<Net>) {
    report.bounds.push_back(eq_7(g));
    report.bounds.push_back(max_bound(g));
    report.bounds.push_back(flag_bound(g));
    report.bounds.push_back(loewner_bound(g));
  }
  return report;
}

/// The same from the inputs themselves, [n, d], one sample a row.
template <network_type Net, real T, real U>
condition_summary condition_report(std::span<T const> theta, matrix<U> const& inputs) {
  return condition_report<Net>(theta, covariance_of(inputs));
}
template <network_type Net, real T>
condition_summary condition_report(vector<T> const& theta, auto const& data) {
  return condition_report<Net>(elements(theta), data);
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
