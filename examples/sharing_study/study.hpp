#pragma once
/// \file
/// What the experiments of the study share: how large they are, and what one of them reports.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <kappa/io/html_report.hpp>
#include <kappa/io/svg.hpp>
#include <kappa/io/table.hpp>

namespace sharing_study {

using namespace kappa;

struct settings {
  bool is_short = false;
  std::size_t seeds = 3;  ///< of trainings, in E4 and E5
  /// Random instances of the small experiments.
  std::size_t draws() const { return is_short ? 3 : 20; }
};

/// Mean and range of some numbers.
struct spread {
  double mean = 0, low = 0, high = 0;
};
spread spread_of(std::vector<double> const& values);
/// "0.43", or "0.43 (0.32 to 0.6)" where there is a range.
std::string said(spread const& s);
std::string number(double value);
/// The larger one; a NaN when one of them is, which std::max may drop.
constexpr double worst_of(double a, double b) { return a >= b || a != a ? a : b; }

/// One figure beside the reference's.
struct comparison {
  std::string what, measured, reference;
  bool within = false;
  bool must_hold = false;  ///< a claim of exactness: the program fails when it does not hold
  std::string difference;  ///< said when it is not within
};

/// One experiment: the set-up, tables and plots of what was measured, and comparisons with the reference.
class experiment {
 public:
  experiment(std::string name, std::string title, std::string set_up);

  void table(io::table t, std::string caption);
  void plot(io::line_plot p);
  void text(std::string words);

  /// A claim of exactness: `error` is at most `bound`.
  void exact(std::string what, double error, double bound = 1e-12);
  /// The same for what is true or false, such as equal bits.
  void exact(std::string what, std::string measured, std::string reference, bool holds);
  /// The mean of `measured` lies in the range that the reference states.
  void in_range(std::string what, spread const& measured, double low, double high, std::string difference);
  /// The reference has one figure of one random instance: it lies in the range of `measured` over instances.
  void covers(std::string what, spread const& measured, double figure, std::string difference);
  /// Anything else, judged by the caller.
  void judged(std::string what, std::string measured, std::string reference, bool within, std::string difference);

  std::string const& name() const { return name_; }
  /// Whether all claims of exactness hold.
  bool all_exact() const;
  std::size_t comparisons() const { return comparisons_.size(); }
  std::size_t within() const;  ///< how many of them
  /// Onto the page and the terminal.
  void show(io::report& page) const;

 private:
  std::string name_, title_, set_up_;
  struct part {
    enum class kind { table, plot, text } what;
    std::size_t index;
  };
  std::vector<part> parts_;
  std::vector<std::pair<io::table, std::string>> tables_;
  std::vector<io::line_plot> plots_;
  std::vector<std::string> texts_;
  std::vector<comparison> comparisons_;
};

/// The files of these names.
experiment exactness(settings const& s);     // E1
experiment failures(settings const& s);      // E2
experiment factor_cost(settings const& s);   // E3
experiment steps_reduce(settings const& s);  // E4
experiment steps_expand(settings const& s);  // E5
experiment evidence(settings const& s);      // E7
experiment influence(settings const& s);     // E8
experiment inverse_free(settings const& s);  // E9
experiment placement(settings const& s);     // E10
experiment damping(settings const& s);       // E11

/// Further rows of E1 and E2, in files of their own.
void exactness_of_aggregations(experiment& e, io::table& table, settings const& s);
void exactness_of_convolutions(experiment& e, io::table& table, settings const& s);
void exactness_of_lengths(experiment& e, io::table& table, settings const& s);
void failures_of_losses(experiment& e, io::table& table, settings const& s);
void failures_of_scales(experiment& e, settings const& s);
void failures_of_mixing(experiment& e, io::table& table, settings const& s);
void failures_of_positions(experiment& e, settings const& s);

}  // namespace sharing_study
