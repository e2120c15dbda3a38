#pragma once
/// \file
/// A report as one HTML page that needs nothing else: no network, no scripts, no fonts.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kappa/io/file.hpp>
#include <kappa/io/png.hpp>
#include <kappa/io/svg.hpp>
#include <kappa/io/table.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

/// A row of pictures: matrices of the same kind, each with a few words below.
struct image_tiles {
  struct tile {
    std::string caption;
    std::size_t rows, columns;
    std::vector<double> values;  ///< row-major
  };
  /// grey: the smallest value black, the largest white. diverging: zero white, negative blue, positive red.
  enum class colors { grey, diverging };

  std::string title;
  std::vector<tile> images = {};
  colors scale = colors::grey;
  std::string caption = {};
};

/// A page, filled from top to bottom. All text is escaped; each part returns the page.
///
///     io::report page("Curvature of digits");
///     page.heading("Spectrum").plot(plot).table(table).write("report.html");
class report {
 public:
  explicit report(std::string title, std::string subtitle = {})
      : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

  /// A section. With three or more, the page begins with a list of them.
  report& heading(std::string_view text) {
    sections_.emplace_back(text);
    return put(detail::say("<h2 id=\"section-", sections_.size(), "\">", detail::escaped(text), "</h2>\n"));
  }
  report& subheading(std::string_view text) { return put(detail::say("<h3>", detail::escaped(text), "</h3>\n")); }

  /// A paragraph.
  report& text(std::string_view words) { return put(detail::say("<p>", detail::escaped(words), "</p>\n")); }

  /// Key figures, each a few words and a value: {{"parameters", "101,770"}, ...}.
  report& figures(std::vector<std::pair<std::string, std::string>> const& pairs) {
    std::string html = "<dl class=\"figures\">\n";
    for (auto const& [name, value] : pairs)
      html += detail::say("<div><dt>", detail::escaped(name), "</dt><dd>", detail::escaped(value), "</dd></div>\n");
    return put(html + "</dl>\n");
  }

  /// Text as it is, in a fixed-width face. With a summary it is folded away behind it.
  report& preformatted(std::string_view words, std::string_view summary = {}) {
    auto const block = detail::say("<pre tabindex=\"0\">", detail::escaped(words), "</pre>\n");
    if (summary.empty()) return put(block);
    return put(detail::say("<details><summary>", detail::escaped(summary), "</summary>\n", block, "</details>\n"));
  }

  report& table(io::table const& t, std::string_view caption = {}) {
    auto const cell = [&](std::string_view tag, std::size_t column, std::string_view content) {
      return detail::say("<", tag, t.is_numeric(column) ? " class=\"number\"" : "", tag == "th" ? " scope=\"col\"" : "",
                         ">", detail::escaped(content), "</", tag, ">");
    };
    std::string html = "<div class=\"wide\" tabindex=\"0\"><table>\n";
    if (!caption.empty()) html += detail::say("<caption>", detail::escaped(caption), "</caption>\n");
    html += "<thead><tr>";
    for (std::size_t j = 0; j < t.columns().size(); ++j) html += cell("th", j, t.columns()[j]);
    html += "</tr></thead>\n<tbody>\n";
    for (std::size_t i = 0; i < t.rows().size(); ++i) {
      html += t.rule_above(i) ? "<tr class=\"rule\">" : "<tr>";
      for (std::size_t j = 0; j < t.columns().size(); ++j) html += cell("td", j, t.rows()[i][j].text);
      html += "</tr>\n";
    }
    return put(html + "</tbody>\n</table></div>\n");
  }

  report& plot(line_plot const& p) { return figure(svg(p), p.caption); }
  report& plot(bar_plot const& p) { return figure(svg(p), p.caption); }

  /// Pictures, each pixel of which is at least four on the screen. Values that are not finite are grey, and said.
  /// \throws shape_mismatch  a picture that has not rows × columns values
  report& tiles(image_tiles const& t) {
    std::string html;
    if (!t.title.empty()) html += detail::say("<div class=\"figure-title\">", detail::escaped(t.title), "</div>\n");
    html += "<div class=\"tiles\">\n";
    std::size_t not_finite = 0;
    for (auto const& image : t.images) {
      auto const source = picture(image, t.scale, not_finite);
      auto const zoom = std::max<std::size_t>(1, 112 / std::max(image.rows, image.columns));
      html += detail::say("<figure><img alt=\"", detail::escaped(image.caption), "\" width=\"", image.columns * zoom,
                          "\" height=\"", image.rows * zoom, "\" src=\"data:image/png;base64,", source,
                          "\"><figcaption>", detail::escaped(image.caption), "</figcaption></figure>\n");
    }
    html += "</div>\n";
    if (t.images.empty()) html += "<p class=\"muted\">no pictures to show</p>\n";
    if (not_finite > 0)
      html += detail::say("<p class=\"muted\">Shown in grey: ", format_number(not_finite),
                          not_finite == 1 ? " value that is" : " values that are", " not finite.</p>\n");
    return figure(html, t.caption);
  }

  /// The page.
  std::string str() const {
    std::string contents;
    if (sections_.size() > 2) {
      contents = "<nav aria-label=\"Sections\"><ol>\n";
      for (std::size_t i = 0; i < sections_.size(); ++i)
        contents += detail::say("<li><a href=\"#section-", i + 1, "\">", detail::escaped(sections_[i]), "</a></li>\n");
      contents += "</ol></nav>\n";
    }
    auto const below =
        subtitle_.empty() ? std::string() : detail::say("<p class=\"muted\">", detail::escaped(subtitle_), "</p>\n");
    return detail::say(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" "
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
        detail::escaped(title_), "</title>\n<style>", detail::plot_style, page_style,
        "</style>\n</head>\n<body>\n<main>\n", "<h1>", detail::escaped(title_), "</h1>\n", below, contents, body_,
        "</main>\n</body>\n</html>\n");
  }

  /// Writes the page.
  /// \throws write_error
  void write(std::filesystem::path const& path) const { detail::write_file(path, str()); }

 private:
  static constexpr std::string_view page_style = R"(
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 760px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 28px; line-height: 1.25; margin: 16px 0 4px; }
h2 { font-size: 21px; margin: 48px 0 8px; padding-bottom: 4px; border-bottom: 1px solid var(--grid); }
h3 { font-size: 17px; margin: 28px 0 4px; } p { margin: 8px 0 12px; }
.muted, figcaption, caption, dt { color: var(--muted); } a { color: var(--c0); }
nav ol { margin: 12px 0; padding: 10px 10px 10px 34px; border: 1px solid var(--grid); border-radius: 6px; }
figure { margin: 20px 0 28px; } figcaption { font-size: 14px; margin-top: 6px; }
figure .muted { font-size: 13px; }
svg.plot { display: block; max-width: 100%; height: auto; }
.figure-title { font-size: 15px; font-weight: 600; margin-bottom: 8px; }
.tiles { display: flex; flex-wrap: wrap; gap: 14px; } .tiles figure { margin: 0; width: 112px; }
.tiles figcaption { font-size: 12.5px; line-height: 1.35; } img { display: block; image-rendering: pixelated; }
.wide { overflow-x: auto; margin: 16px 0 24px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; min-width: 50%; }
caption { text-align: left; margin-bottom: 6px; }
th, td { padding: 4px 14px 4px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid); }
th { font-weight: 600; border-bottom-color: var(--edge); } tr.rule td { border-top: 2px solid var(--edge); }
.number { text-align: right; white-space: nowrap; }
pre { font: 13px/1.4 ui-monospace, "DejaVu Sans Mono", monospace; overflow-x: auto; padding: 12px; margin: 12px 0 20px;
  border: 1px solid var(--grid); border-radius: 6px; }
details { margin: 12px 0 20px; } summary { cursor: pointer; }
dl.figures { display: flex; flex-wrap: wrap; gap: 10px 32px; margin: 16px 0 24px; }
dt { font-size: 13px; } dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
@media print { main { max-width: none; } figure, table { break-inside: avoid; } }
)";

  report& put(std::string_view html) {
    body_ += html;
    return *this;
  }
  report& figure(std::string_view content, std::string_view caption) {
    auto const below =
        caption.empty() ? std::string() : detail::say("<figcaption>", detail::escaped(caption), "</figcaption>\n");
    return put(detail::say("<figure>\n", content, below, "</figure>\n"));
  }

  static std::string picture(image_tiles::tile const& image, image_tiles::colors scale, std::size_t& not_finite) {
    auto low = std::numeric_limits<double>::infinity(), high = -low;
    for (auto const value : image.values)
      if (std::isfinite(value)) {
        low = std::min(low, value);
        high = std::max(high, value);
      }
    auto const largest = std::max(std::abs(low), std::abs(high));
    std::vector<detail::color> pixels;
    for (auto const value : image.values) {
      if (!std::isfinite(value)) {
        ++not_finite;
        pixels.push_back({128, 128, 128});
      } else if (scale == image_tiles::colors::diverging) {
        pixels.push_back(detail::diverging(largest > 0 ? value / largest : 0));
      } else {
        auto const range = high / 2 - low / 2;  // halved, so that it cannot overflow
        pixels.push_back(detail::grey(range > 0 ? (value / 2 - low / 2) / range : 0.5));
      }
    }
    return detail::base64(detail::png(image.rows, image.columns, pixels));
  }

  std::string title_, subtitle_, body_;
  std::vector<std::string> sections_;
};

}
}  // namespace kappa::io
