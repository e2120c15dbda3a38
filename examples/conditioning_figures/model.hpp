#pragma once
/// \file
/// What a figure is: panels of curves over one x, each point drawn several times.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <kappa/io/html_report.hpp>

#include "store.hpp"
#include "sweep.hpp"

namespace conditioning_figures {

using namespace kappa;

struct settings {
  bool xavier = false;  ///< weights of linear networks of variance 2 / (fan-in + fan-out), else 1 / fan-in
  std::size_t seeds = 11;
  bool is_short = false;
  std::size_t workers = 1;
};

/// How a curve stands to the exact one: claims are counted, laws are drawn beside.
enum class kind { exact, upper_bound, lower_bound, law };

/// A curve of a panel. `of` is the place, in the panel, of the exact quantity that a bound is about.
struct quantity {
  std::string name;
  kind is = kind::exact;
  std::size_t of = 0;
};

/// What a panel's draws are, by quantity and x: values[q][i][s].
struct panel_results {
  std::vector<double> x;
  std::vector<std::vector<std::vector<double>>> values;

  /// The median of quantity q at place i, and at the last.
  double median_at(std::size_t q, std::size_t i) const;
  double first(std::size_t q) const { return median_at(q, 0); }
  double last(std::size_t q) const { return median_at(q, x.size() - 1); }
};

struct panel {
  std::string key;  ///< its name in the file of points
  std::string title;
  io::axis x, y;
  std::vector<double> at;  ///< the places on the x axis
  std::vector<quantity> quantities;
  std::function<std::vector<double>(double x, std::uint64_t seed)> measure;
  std::string setting;                                    ///< the networks, in a sentence
  std::function<std::string(panel_results const&)> says;  ///< what its numbers say
};

struct figure {
  std::string title, text;
  std::vector<panel> panels;
};

/// The figures, each in a file of its name.
std::vector<figure> linear_figures(settings const& s);
std::vector<figure> residual_figures(settings const& s);
std::vector<figure> relu_figures(settings const& s);
std::vector<figure> convolution_figures(settings const& s);

/// Measures, draws and counts. \returns how many draws were on the wrong side of a bound
std::size_t show_figures(io::report& page, std::vector<figure> const& figures, settings const& s, point_store& store);

/// The long form: tables beside published numbers. \returns how many rows missed
std::size_t show_tables(io::report& page, settings const& s, point_store& store);

/// A number in a sentence.
std::string number(double value);

}  // namespace conditioning_figures
