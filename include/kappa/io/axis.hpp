#pragma once
/// \file
/// The axes of a plot: what range to show, where to put ticks, how to label them.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <kappa/io/text.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

enum class axis_scale { linear, logarithmic };

/// An axis as the user asks for it. The range is that of the data, rounded out.
struct axis {
  std::string label;
  axis_scale scale;
  bool from_zero;  ///< a linear axis that shows zero whatever the data

  axis(std::string label_ = {}, axis_scale scale_ = axis_scale::linear,
       bool from_zero_ = false)  // NOLINT: from a label
      : label(std::move(label_)), scale(scale_), from_zero(from_zero_) {}
  axis(char const* label_) : axis(std::string(label_)) {}  // NOLINT
};

namespace detail {

/// Whether a number has a place on the axis.
inline bool drawable(double value, axis_scale scale) {
  return std::isfinite(value) && std::abs(value) < 1e300 && (scale == axis_scale::linear || value > 0);
}

/// An axis with its range and ticks: `position` maps the range to [0, 1].
struct fitted_axis {
  struct tick {
    double value;
    std::string label;  ///< empty for a minor one
  };
  axis_scale scale = axis_scale::linear;
  double low = 0, high = 1;
  std::vector<tick> ticks;

  double position(double value) const {
    if (scale == axis_scale::linear) return (value - low) / (high - low);
    return (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low));
  }
};

inline fitted_axis fit_linear(double low, double high, int wanted) {
  fitted_axis fit;
  auto const size = std::max(std::abs(low), std::abs(high));
  if (!(high - low > 1e-9 * size)) {  // one value: make room around it
    auto const room = size > 0 ? 0.5 * size : 1;
    low -= room;
    high += room;
  }
  auto const raw = (high - low) / wanted, magnitude = std::pow(10.0, std::floor(std::log10(raw))),
             lead = raw / magnitude;
  auto const step = magnitude * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 2.5 ? 2.5 : lead <= 5 ? 5 : 10);
  auto const first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  fit.low = first * step;
  fit.high = last * step;
  auto const top = std::max(std::abs(fit.low), std::abs(fit.high));
  // As many digits as tell neighbouring ticks apart; a step of 2.5 needs one more.
  bool const quarter = lead > 2 && lead <= 2.5;
  auto const decimals = static_cast<int>(std::max(0.0, std::ceil(-std::log10(step) - 1e-9))) + (quarter ? 1 : 0);
  auto const digits = static_cast<int>(std::ceil(std::log10(top / step))) + 2;
  bool const plain = top < 1e6 && top >= 1e-4;
  for (int i = 0; i <= static_cast<int>(last - first); ++i) {
    auto const value = (first + i) * step;
    auto const label = value == 0 ? "0" : plain ? grouped(fixed(value, decimals)) : format_number(value, digits);
    fit.ticks.push_back({value, label});
  }
  return fit;
}

inline fitted_axis fit_logarithmic(double low, double high, int wanted) {
  fitted_axis fit;
  fit.scale = axis_scale::logarithmic;
  auto const decade_below = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  auto const decade_above = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
  auto const label = [&](int lead, int k) {
    if (decade_below >= -3 && decade_above <= 5) return grouped(fixed(lead * std::pow(10.0, k), std::max(0, -k)));
    return say(lead == 1 ? "" : say(lead, "·"), "10", superscript(k));
  };
  // The range ends at 1, 2 or 5 times a power of ten.
  struct candidate {
    int lead, decade;
    double value;
  };
  std::vector<candidate> candidates;
  for (int k = decade_below - 1; k <= decade_above + 1; ++k)
    for (int const lead : {1, 2, 5}) candidates.push_back({lead, k, lead * std::pow(10.0, k)});
  auto const first = std::find_if(candidates.rbegin(), candidates.rend(),
                                  [&](candidate const& c) { return c.value <= low * (1 + 1e-9); })
                         .base() -
                     1;
  auto const last =
      std::find_if(first + 1, candidates.end(), [&](candidate const& c) { return c.value >= high * (1 - 1e-9); });
  fit.low = first->value;
  fit.high = last->value;
  // Few enough, and all of them are labelled; else powers of ten, and minor ticks between if each has its label.
  bool const narrow = last - first < wanted;
  int const every = std::max(1, (decade_above - decade_below + wanted - 1) / wanted);
  for (auto c = first; c <= last; ++c)
    if (narrow || c->lead == 1) {
      bool const major = narrow || ((c->decade % every) + every) % every == 0;
      fit.ticks.push_back({c->value, major ? label(c->lead, c->decade) : ""});
    }
  for (int k = decade_below - 1; !narrow && every == 1 && k <= decade_above; ++k)
    for (int lead = 2; lead < 10; ++lead)
      if (auto const value = lead * std::pow(10.0, k); value >= fit.low * (1 - 1e-9) && value <= fit.high * (1 + 1e-9))
        fit.ticks.push_back({value, ""});
  return fit;
}

/// The range and ticks for data between `low` and `high`, both drawable; about `wanted` labels.
inline fitted_axis fit_axis(axis const& wish, double low, double high, int wanted) {
  if (wish.scale == axis_scale::logarithmic)
    return fit_logarithmic(std::max(low, 1e-290), std::max(high, 1e-290), wanted + 2);
  if (wish.from_zero) {
    low = std::min(low, 0.0);
    high = std::max(high, 0.0);
  }
  return fit_linear(low, high, wanted);
}

}  // namespace detail
}
}  // namespace kappa::io
