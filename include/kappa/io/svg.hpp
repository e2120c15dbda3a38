#pragma once
/// \file
/// Line, point, stem and bar plots as SVG. Colours come from CSS variables, so a plot follows the page into the dark.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kappa/io/axis.hpp>
#include <kappa/io/file.hpp>
#include <kappa/io/text.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

/// How a series is drawn: connected, connected by dashes, a marker each, or a marker each on a stem.
enum class mark { line, dashes, points, stems };

/// One named series of a plot. `x` and `y` have the same length. `low` and `high` are empty, or of that length too:
/// then a thin line from low to high stands at each x, for what the values spread over.
struct series {
  std::string name;
  std::vector<double> x = {}, y = {};
  mark style = mark::line;
  std::vector<double> low = {}, high = {};
};

/// A plot of one or more series. What has no place on an axis (NaN, infinity, zero on a logarithmic axis) is left
/// out, and the plot says how many.
struct line_plot {
  std::string title;
  axis x = {}, y = {};
  std::vector<series> data = {};
  std::string caption = {};  ///< below the plot, for the page
};

/// Horizontal bars: one group per name, in each group one bar per entry of `data`, whose `values` go by group.
struct bar_plot {
  struct bars {
    std::string name;
    std::vector<double> values;
  };
  std::string title;
  axis x = {};
  std::vector<std::string> groups = {};
  std::vector<bars> data = {};
  std::string caption = {};
};

/// The numbers of any range, as doubles.
template <class Range>
std::vector<double> as_doubles(Range const& range) {
  std::vector<double> values;
  for (auto const& value : range) values.push_back(static_cast<double>(value));
  return values;
}

/// A series over 1, 2, 3, ...: eigenvalues by rank, a loss by step.
template <class Range>
series over_index(std::string name, Range const& range, mark style = mark::line) {
  series s{std::move(name), {}, as_doubles(range), style};
  for (std::size_t i = 0; i < s.y.size(); ++i) s.x.push_back(static_cast<double>(i + 1));
  return s;
}

namespace detail {

/// Text for HTML and SVG: markup characters escaped, control characters replaced.
inline std::string escaped(std::string_view text) {
  std::string out;
  for (char const c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
          out += "�";
        else if (c == '\x7f')
          out += "�";
        else
          out += c;
    }
  }
  return out;
}

/// The styles of plots, for a page or a single SVG file. Colours after Okabe and Ito, "Color Universal Design" (2008),
/// darkened or lightened for contrast with the page.
inline constexpr std::string_view plot_style = R"(
:root { --page: #ffffff; --ink: #1c2127; --muted: #5b6570; --grid: #e3e6ea; --edge: #9aa4ae;
  --c0: #0072b2; --c1: #c85200; --c2: #00835f; --c3: #a8478f; --c4: #9a6a00; --c5: #4d5560; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14181d; --ink: #e4e8ec; --muted: #9ba6b1; --grid: #2a3139; --edge: #65707b;
    --c0: #56b4e9; --c1: #ff9355; --c2: #3ccb9e; --c3: #e08cc8; --c4: #f0c040; --c5: #b9c2cb; } }
svg.plot { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
svg.plot .title { font-size: 15px; font-weight: 600; } svg.plot .muted { fill: var(--muted); }
svg.plot .grid { stroke: var(--grid); } svg.plot .minor { stroke: var(--grid); opacity: 0.55; }
svg.plot .edge { stroke: var(--edge); fill: none; }
svg.plot .curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
svg.plot .stem { fill: none; stroke-width: 1; opacity: 0.55; } svg.plot .marks { stroke: none; opacity: 0.85; }
svg.plot .c0 { color: var(--c0); } svg.plot .c1 { color: var(--c1); } svg.plot .c2 { color: var(--c2); }
svg.plot .c3 { color: var(--c3); } svg.plot .c4 { color: var(--c4); } svg.plot .c5 { color: var(--c5); }
svg.plot .curve, svg.plot .stem { stroke: currentColor; } svg.plot .marks, svg.plot .bar { fill: currentColor; }
)";

inline constexpr double character = 7.8;  ///< an estimate of a character's width in pixels, at 13 px

/// A pixel coordinate: one decimal is enough.
inline std::string px(double value) {
  auto text = fixed(value, 1);
  if (text.ends_with(".0")) text.erase(text.size() - 2);
  return text == "-0" ? "0" : text;
}

inline std::string svg_text(double x, double y, std::string_view anchor, std::string_view kind, std::string_view text) {
  return say("<text x=\"", px(x), "\" y=\"", px(y), "\"", anchor.empty() ? "" : say(" text-anchor=\"", anchor, "\""),
             kind.empty() ? "" : say(" class=\"", kind, "\""), ">", escaped(text), "</text>\n");
}

inline std::string svg_path(std::string_view kind, std::string_view d, std::string_view more = {}) {
  return d.empty() ? "" : say("<path class=\"", kind, "\" d=\"", d, "\"", more, "/>\n");
}

inline std::string color_class(std::size_t index) { return say("c", index % 6); }

/// The marker of series number `index` at a point: circle, square, triangle, diamond in turn.
inline std::string marker(std::size_t index, double x, double y) {
  switch (index % 4) {
    case 0:
      return say("M", px(x - 3), " ", px(y), "a3 3 0 1 0 6 0a3 3 0 1 0-6 0");
    case 1:
      return say("M", px(x - 2.7), " ", px(y - 2.7), "h5.4v5.4h-5.4z");
    case 2:
      return say("M", px(x), " ", px(y - 3.6), "l3.4 6h-6.8z");
    default:
      return say("M", px(x), " ", px(y - 3.9), "l3.9 3.9l-3.9 3.9l-3.9-3.9z");
  }
}

/// What was left out of a plot, as a sentence, or nothing.
struct left_out {
  std::size_t not_finite = 0, not_positive = 0;

  bool refuses(double value, axis_scale scale) {
    if (drawable(value, scale)) return false;
    ++(std::isfinite(value) && std::abs(value) < 1e300 ? not_positive : not_finite);
    return true;
  }
  std::string sentence() const {
    if (not_finite + not_positive == 0) return {};
    std::string text = "Not drawn: ";
    if (not_finite)
      text += say(format_number(not_finite), not_finite == 1 ? " value that is" : " values that are", " not finite");
    if (not_finite && not_positive) text += ", ";
    if (not_positive)
      text += say(format_number(not_positive), not_positive == 1 ? " value" : " values", " ≤ 0 on a logarithmic axis");
    return text + ".";
  }
};

/// The part that all plots share: title, legend, size, and the words for those who do not see it.
class canvas {
 public:
  static constexpr double width = 720;

  explicit canvas(std::string title) : title_(std::move(title)) {
    if (!title_.empty()) body_ += svg_text(0, y_ += 17, "", "title", title_);
  }

  /// A row of names with their marks, wrapped at the plot's width. `sample(index, x, y)` draws one 22 pixels wide.
  template <class Sample>
  void legend(std::vector<std::string> const& names, Sample const& sample) {
    double x = 0;
    y_ += 24;
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto const room = 30 + character * static_cast<double>(io::detail::width(names[i])) + 18;
      if (x > 0 && x + room > width) {
        x = 0;
        y_ += 20;
      }
      body_ += say("<g class=\"", color_class(i), "\">", sample(i, x, y_ - 4.5), "</g>\n");
      body_ += svg_text(x + 30, y_, "", "", names[i]);
      x += room;
    }
  }

  double y() const { return y_; }
  void skip(double height) { y_ += height; }
  canvas& operator<<(std::string_view part) {
    body_ += part;
    return *this;
  }

  std::string finish(std::string_view description, std::string const& note) {
    if (!note.empty()) body_ += svg_text(0, y_ += 20, "", "muted", note);
    auto const height = px(y_ + 6);
    return say("<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 ", px(width), " ",
               height, "\" width=\"", px(width), "\" height=\"", height, "\">\n<title>", escaped(title_),
               "</title>\n<desc>", escaped(say(description, note.empty() ? "" : " ", note)), "</desc>\n", body_,
               "</svg>\n");
  }

 private:
  std::string title_, body_;
  double y_ = 0;
};

/// A connected series as a path; gaps where a point was left out. Points that fall into the same half pixel column
/// are thinned to first, lowest, highest and last, which looks the same.
inline std::string curve_path(std::vector<std::optional<std::pair<double, double>>> const& points) {
  std::string d;
  bool pen_down = false;
  for (std::size_t i = 0; i < points.size();) {
    if (!points[i]) {
      pen_down = false;
      ++i;
      continue;
    }
    auto const column = std::floor(points[i]->first * 2);
    std::size_t end = i, low = i, high = i;
    for (; end < points.size() && points[end] && std::floor(points[end]->first * 2) == column; ++end) {
      if (points[end]->second < points[low]->second) low = end;
      if (points[end]->second > points[high]->second) high = end;
    }
    for (auto const k : std::set<std::size_t>{i, low, high, end - 1}) {
      d += say(pen_down ? "L" : "M", px(points[k]->first), " ", px(points[k]->second));
      pen_down = true;
    }
    i = end;
  }
  return d;
}

}  // namespace detail

/// The plot as one SVG element, 720 pixels wide.
/// \throws shape_mismatch  a series whose x and y, or x and low or high, differ in length
inline std::string svg(line_plot const& plot) {
  using namespace detail;
  left_out skipped;
  constexpr auto infinity = std::numeric_limits<double>::infinity();
  double x_low = infinity, x_high = -infinity, y_low = infinity, y_high = -infinity;
  std::string description = say(plot.y.label, " against ", plot.x.label, ".");
  for (auto const& s : plot.data) {
    if (s.x.size() != s.y.size())
      throw shape_mismatch(say("series '", s.name, "' has ", s.x.size(), " x values and ", s.y.size(), " y values"));
    if (s.low.size() != s.high.size() || (!s.low.empty() && s.low.size() != s.x.size()))
      throw shape_mismatch(say("series '", s.name, "' has ", s.x.size(), " x values, ", s.low.size(), " low and ",
                               s.high.size(), " high values"));
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (skipped.refuses(s.x[i], plot.x.scale) || skipped.refuses(s.y[i], plot.y.scale)) continue;
      x_low = std::min(x_low, s.x[i]);
      x_high = std::max(x_high, s.x[i]);
      y_low = std::min(y_low, s.y[i]);
      y_high = std::max(y_high, s.y[i]);
      for (auto const* const end : {&s.low, &s.high}) {
        if (end->empty() || skipped.refuses((*end)[i], plot.y.scale)) continue;
        y_low = std::min(y_low, (*end)[i]);
        y_high = std::max(y_high, (*end)[i]);
      }
    }
    description += say(" ", s.name, ": ", format_number(s.x.size()), s.x.size() == 1 ? " point." : " points.");
  }

  canvas out(plot.title);
  std::vector<std::string> names;
  for (auto const& s : plot.data) names.push_back(s.name);
  auto const dash = [](mark style) { return style == mark::dashes ? " stroke-dasharray=\"6 5\"" : ""; };
  if (names.size() > 1 || (names.size() == 1 && !names[0].empty()))
    out.legend(names, [&](std::size_t i, double x, double y) {
      auto const style = plot.data[i].style;
      if (style == mark::line || style == mark::dashes)
        return svg_path("curve", say("M", px(x), " ", px(y), "h22"), dash(style));
      return svg_path("marks", marker(i, x + 11, y));
    });
  if (x_low > x_high) {
    out.skip(40);
    out << svg_text(canvas::width / 2, out.y(), "middle", "muted", "no data to draw");
    out.skip(24);
    return out.finish(description + " No data to draw.", skipped.sentence());
  }

  auto const xs = fit_axis(plot.x, x_low, x_high, 7), ys = fit_axis(plot.y, y_low, y_high, 6);
  std::size_t longest = 0;
  for (auto const& t : ys.ticks) longest = std::max(longest, width(t.label));
  out.skip(12);
  if (!plot.y.label.empty()) {
    out.skip(10);
    out << svg_text(0, out.y(), "", "muted", plot.y.label);
    out.skip(4);
  }
  out.skip(8);
  double const left = 12 + character * static_cast<double>(longest), right = canvas::width - 28;
  double const top = out.y(), bottom = top + 290;
  auto const at_x = [&](double x) { return left + xs.position(x) * (right - left); };
  auto const at_y = [&](double y) { return bottom - ys.position(y) * (bottom - top); };

  std::string grid, minor;
  for (auto const& t : xs.ticks) {
    (t.label.empty() ? minor : grid) += say("M", px(at_x(t.value)), " ", px(top), "V", px(bottom));
    if (!t.label.empty()) out << svg_text(at_x(t.value), bottom + 19, "middle", "muted", t.label);
  }
  for (auto const& t : ys.ticks) {
    (t.label.empty() ? minor : grid) += say("M", px(left), " ", px(at_y(t.value)), "H", px(right));
    if (!t.label.empty()) out << svg_text(left - 8, at_y(t.value) + 4.5, "end", "muted", t.label);
  }
  out << svg_path("minor", minor) << svg_path("grid", grid);
  out << svg_path("edge", say("M", px(left), " ", px(top), "V", px(bottom), "H", px(right)));

  for (std::size_t index = 0; index < plot.data.size(); ++index) {
    auto const& s = plot.data[index];
    std::vector<std::optional<std::pair<double, double>>> points;
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (drawable(s.x[i], plot.x.scale) && drawable(s.y[i], plot.y.scale))
        points.emplace_back(std::pair{at_x(s.x[i]), at_y(s.y[i])});
      else
        points.emplace_back(std::nullopt);
    }
    std::string whiskers;
    for (std::size_t i = 0; i < s.low.size(); ++i)
      if (points[i] && drawable(s.low[i], plot.y.scale) && drawable(s.high[i], plot.y.scale))
        whiskers += say("M", px(points[i]->first), " ", px(at_y(s.low[i])), "V", px(at_y(s.high[i])));
    out << say("<g class=\"", color_class(index), "\">\n") << svg_path("stem", whiskers);
    if (s.style == mark::line || s.style == mark::dashes) {
      out << svg_path("curve", curve_path(points), dash(s.style));
      std::string lone;  // a point without neighbours makes no line
      for (std::size_t i = 0; i < points.size(); ++i)
        if (points[i] && (i == 0 || !points[i - 1]) && (i + 1 == points.size() || !points[i + 1]))
          lone += marker(index, points[i]->first, points[i]->second);
      out << svg_path("marks", lone);
    } else {
      std::string markers, stems;
      std::set<std::pair<long, long>> seen;  // markers that fall on the same half pixel look like one
      bool const zero_inside = plot.y.scale == axis_scale::linear && ys.low < 0 && ys.high > 0;
      auto const ground = px(zero_inside ? at_y(0) : bottom);
      for (auto const& p : points) {
        if (!p || !seen.emplace(std::lround(p->first * 2), std::lround(p->second * 2)).second) continue;
        markers += marker(index, p->first, p->second);
        stems += say("M", px(p->first), " ", ground, "V", px(p->second));
      }
      if (s.style == mark::stems) out << svg_path("stem", stems);
      out << svg_path("marks", markers);
    }
    out << "</g>\n";
  }
  out.skip(bottom - top + 23);
  if (!plot.x.label.empty()) {
    out.skip(16);
    out << svg_text((left + right) / 2, out.y(), "middle", "muted", plot.x.label);
  }
  return out.finish(description, skipped.sentence());
}

/// The plot as one SVG element, 720 pixels wide; each bar has its value written beside it.
/// \throws shape_mismatch  not one value per group
inline std::string svg(bar_plot const& plot) {
  using namespace detail;
  left_out skipped;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  std::string description = say(plot.x.label, ".");
  for (auto const& s : plot.data) {
    if (s.values.size() != plot.groups.size())
      throw shape_mismatch(
          say("bars '", s.name, "' have ", s.values.size(), " values for ", plot.groups.size(), " groups"));
    for (auto const value : s.values) {
      if (skipped.refuses(value, plot.x.scale)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  for (std::size_t g = 0; g < plot.groups.size(); ++g) {
    description += say(" ", plot.groups[g], ":");
    for (auto const& s : plot.data) description += say(" ", s.name, " ", format_number(s.values[g]));
    description += ".";
  }
  canvas out(plot.title);
  std::vector<std::string> names;
  for (auto const& s : plot.data) names.push_back(s.name);
  if (names.size() > 1)
    out.legend(names, [](std::size_t, double x, double y) {
      return say("<rect class=\"bar\" x=\"", px(x + 5), "\" y=\"", px(y - 5),
                 "\" width=\"12\" height=\"10\" rx=\"2\"/>");
    });
  if (low > high) {
    out.skip(40);
    out << svg_text(canvas::width / 2, out.y(), "middle", "muted", "no data to draw");
    out.skip(24);
    return out.finish(description + " No data to draw.", skipped.sentence());
  }
  auto wish = plot.x;
  wish.from_zero = true;
  bool const logarithmic = wish.scale == axis_scale::logarithmic;
  auto const xs = fit_axis(wish, logarithmic ? low / 1.5 : low, high, 6);
  std::size_t longest = 0;
  for (auto const& name : plot.groups) longest = std::max(longest, width(name));
  double const left = std::min(300.0, 12 + character * static_cast<double>(longest)), right = canvas::width - 78;
  double const bar = plot.data.size() == 1 ? 18 : 14, gap = 12;
  double const group = bar * static_cast<double>(plot.data.size()) + gap;
  out.skip(14);
  double const top = out.y(), bottom = top + group * static_cast<double>(plot.groups.size());
  auto const at_x = [&](double x) { return left + xs.position(x) * (right - left); };
  double const ground = at_x(logarithmic ? xs.low : 0);

  std::string grid;
  for (auto const& t : xs.ticks) {
    if (t.label.empty()) continue;
    grid += say("M", px(at_x(t.value)), " ", px(top), "V", px(bottom));
    out << svg_text(at_x(t.value), bottom + 19, "middle", "muted", t.label);
  }
  out << svg_path("grid", grid);
  for (std::size_t g = 0; g < plot.groups.size(); ++g) {
    double const y = top + group * static_cast<double>(g) + gap / 2;
    out << svg_text(left - 8, y + (group - gap) / 2 + 4.5, "end", "", plot.groups[g]);
    for (std::size_t s = 0; s < plot.data.size(); ++s) {
      auto const value = plot.data[s].values[g];
      double const row = y + bar * static_cast<double>(s);
      if (!drawable(value, plot.x.scale)) {
        out << svg_text(ground + 6, row + bar - 4, "", "muted", format_number(value));
        continue;
      }
      double const end = at_x(value), from = std::min(ground, end), to = std::max(ground, end);
      out << say("<rect class=\"bar ", color_class(s), "\" x=\"", px(from), "\" y=\"", px(row + 1), "\" width=\"",
                 px(to - from), "\" height=\"", px(bar - 2), "\" rx=\"1.5\"/>\n");
      out << svg_text(to + 6, row + bar / 2 + 4.5, "", "muted", format_number(value, 3));
    }
  }
  out << svg_path("edge", say("M", px(ground), " ", px(top), "V", px(bottom)));
  out.skip(bottom - top + 23);
  if (!plot.x.label.empty()) {
    out.skip(16);
    out << svg_text((left + right) / 2, out.y(), "middle", "muted", plot.x.label);
  }
  return out.finish(description, skipped.sentence());
}

/// The plot as an SVG file that brings its styles with it.
/// \throws write_error, and as `svg`
template <class Plot>
void write_svg(std::filesystem::path const& path, Plot const& plot) {
  auto text = svg(plot);
  text.insert(text.find('\n') + 1, detail::say("<style>", detail::plot_style, "</style>\n"));
  detail::write_file(path, text);
}

}
}  // namespace kappa::io
