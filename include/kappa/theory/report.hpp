#pragma once
/// \file
/// κ(G) of a network beside everything theory says about it: each statement with its value, its hypotheses looked up,
/// its slack and its cost.

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <kappa/theory/bounds_for.hpp>
#include <kappa/theory/matrix_free.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace theory {

/// One line of a report: a number, and its ratio to the exact κ(G) (for a bound: its slack).
struct condition_row {
  std::string name;
  double value = 0;
  double slack = 0;
  std::string note;
};

/// What a statement says about one network.
struct reported_bound : bound {
  relation claims = relation::upper_bound;
  std::vector<checked_hypothesis> checks;  ///< what depends on numbers
  double slack = 0;                        ///< value / κ(G); NaN when κ(G) was not computed
  char const* cost = "";                   ///< in eigenproblems or flops
  double seconds = 0;                      ///< spent here; spectra are shared, whoever asks first pays

  /// The hypotheses that depend on numbers in one line: "finite: no (W W' or V'V is nonsingular); ...".
  std::string checked() const {
    std::string line;
    for (checked_hypothesis const& c : checks)
      line += (line.empty() ? "" : "; ") + std::string(c.gives) + ": " + (c.holds ? "yes" : "no") + " (" + c.says + ")";
    return line;
  }
};

/// κ(G) and what theory says about it for one network, weights and data.
struct condition_summary {
  std::size_t order = 0;  ///< of the small matrix: k r; for ReLU n k
  std::size_t rank = 0;   ///< of G, by the rank formula; for ReLU 0: there is no formula
  double data = 0;        ///< κ(Σ) over the directions the data span
  double exact = std::numeric_limits<double>::quiet_NaN();  ///< κ(G) over non-zero eigenvalues; NaN when not computed
  std::string exact_by = "not computed";
  std::vector<reported_bound> bounds;
  std::vector<refused_statement> refused;  ///< what is not about this network, and why

  /// The rows of a table: κ(Σ), κ(G), then every statement.
  std::vector<condition_row> rows() const {
    std::vector<condition_row> table;
    table.push_back({"condition number of the data", data, data / exact, "over the directions the data span"});
    std::string const size = "order " + std::to_string(order) + ", " + exact_by;
    table.push_back({"exact condition number", exact, exact / exact,
                     rank > 0 ? "rank " + std::to_string(rank) + ", " + size : size});
    for (reported_bound const& b : bounds)
      table.push_back({b.name, b.value, b.slack, b.value == detail::infinity ? "vacuous" : b.hypotheses});
    return table;
  }
  /// The rows as aligned text, one a line: name, value, slack, note, and below what was looked up; then what was
  /// refused.
  std::string text() const {
    std::string lines;
    auto const table = rows();
    for (std::size_t i = 0; i < table.size(); ++i) {
      char line[128];
      std::snprintf(line, sizeof line, "%-32s %14.6g %12.4g  ", table[i].name.c_str(), table[i].value, table[i].slack);
      lines += line + table[i].note + "\n";
      auto const checked = i < 2 ? std::string() : bounds[i - 2].checked();
      if (!checked.empty()) lines += "    " + checked + "\n";
    }
    for (refused_statement const& r : refused)
      lines += "not covered: " + std::string(r.reason.s, static_cast<std::size_t>(r.reason.n)) + "\n";
    return lines;
  }
};

/// What a report may spend.
struct report_options {
  /// κ(G) itself is computed from the small matrix up to this order; beyond it, for linear networks of full rank,
  /// without the matrix, by condition_number_matrix_free.
  std::size_t largest_order = 2500;
  bool matrix_free = true;
};

namespace detail {

struct the_condition_report {
  static constexpr char const* name = "the condition report";
};

template <class S>
char const* cost_of() {
  if constexpr (requires { S::cost; }) {
    return S::cost;
  } else {
    return "";
  }
}

/// Every statement of `bounds_for<Net, All>` about `subject`.
template <class All, network_type Net, class Subject>
condition_summary report_on(Subject const& subject, double data, report_options const& options) {
  condition_summary report;
  report.order = subject.order();
  report.data = data;
  if constexpr (requires { subject.rank(); }) report.rank = subject.rank();
  bool affordable = report.order <= options.largest_order;
  if constexpr (one_hidden_layer<Net>) affordable = true;  // k eigenproblems of order r
  if (affordable) {
    report.exact = subject.condition_number();
    report.exact_by = "eigenvalues";
  } else if constexpr (linear_network<Net>) {
    if (options.matrix_free && subject.full_rank()) {
      auto const found = condition_number_matrix_free(subject);
      report.exact = found.value();
      report.exact_by = "matrix-free, " + std::to_string(found.products) + " products";
    }
  }
  bounds_for<Net, All>::for_each([&]<class S>(S statement) {
    static_assert(std::is_base_of_v<typename subject_of<Net, S>::type, Subject>);
    reported_bound said;
    said.claims = relation_of<S>();
    auto const begin = std::chrono::steady_clock::now();
    if (affordable || said.claims != relation::equality) {
      auto const b = statement(subject);
      if constexpr (std::is_same_v<decltype(b), bound const>) {
        static_cast<bound&>(said) = b;
      } else {
        said.value = b, said.name = S::name;
      }
    } else {
      said.name = S::name, said.hypotheses = "not computed: as dear as the exact condition number";
    }
    if constexpr (requires { S::checks(subject); }) said.checks = S::checks(subject);
    said.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    said.slack = said.value / report.exact;
    said.cost = cost_of<S>();
    report.bounds.push_back(said);
  });
  for (refused_statement const& r : refusals_for<Net, All>()) report.refused.push_back(r);
  return report;
}

}  // namespace detail

/// κ(G) of the linear network `Net` at theta, on data of the given covariance, with every statement about it. Where
/// κ(G) is affordable it costs the eigenvalues of the small matrix, 4/3 (k r)³ flops, or k problems of order r with one
/// hidden layer. \throws as linear_gauss_newton.
template <network_type Net, class All = known_statements, real T>
condition_summary condition_report(std::span<T const> theta, covariance const& data,
                                   report_options const& options = {}) {
  if constexpr (linear_network<Net>) {
    return detail::report_on<All, Net>(linear_gauss_newton<Net>(theta, data), data.condition_number(), options);
  } else {
    static_assert(detail::refuse_unless_covered<Net, detail::the_condition_report>());
    return {};
  }
}

/// The same from the inputs themselves, [n, d], one sample a row; for one hidden layer with ReLU, too.
/// \throws as linear_gauss_newton and relu_gauss_newton.
template <network_type Net, class All = known_statements, real T, real U>
condition_summary condition_report(std::span<T const> theta, matrix<U> const& inputs,
                                   report_options const& options = {}) {
  if constexpr (relu_network<Net>) {
    auto wide = zeros<double>(inputs.shape(0), inputs.shape(1));
    std::copy(inputs.begin(), inputs.end(), wide.begin());
    auto const data = covariance_of(inputs);
    return detail::report_on<All, Net>(relu_gauss_newton<Net>(theta, wide), data.condition_number(), options);
  } else {
    return condition_report<Net, All>(theta, covariance_of(inputs), options);
  }
}
template <network_type Net, class All = known_statements, real T>
condition_summary condition_report(vector<T> const& theta, auto const& data, report_options const& options = {}) {
  return condition_report<Net, All>(elements(theta), data, options);
}

}  // namespace theory
}  // namespace kappa::inline KAPPA_ARCH
