// Numbers for people, tables, progress lines, axes, SVG, pictures and the HTML page.

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include <zlib.h>

#include <kappa/io/html_report.hpp>
#include <kappa/io/progress.hpp>

#include "io_scratch.hpp"

using namespace kappa;
using scratch::message;
using scratch::says;

namespace {

std::size_t count(std::string const& text, std::string const& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

// Whether every tag is closed by its own and every attribute quoted, as XML asks for; `meta`, `img` and the document
// type of HTML may stay open.
bool well_formed(std::string const& text) {
  std::vector<std::string> open;
  for (auto at = text.find('<'); at != std::string::npos; at = text.find('<', at)) {
    bool quoted = false;
    auto end = at + 1;
    for (; end < text.size() && (quoted || text[end] != '>'); ++end) {
      if (text[end] == '<') return false;
      quoted = quoted != (text[end] == '"');
    }
    if (end == text.size()) return false;
    auto const tag = text.substr(at + 1, end - at - 1);
    auto const name = tag.substr(0, tag.find_first_of(" /", 1));
    at = end;
    if (name == "meta" || name == "img" || name == "!DOCTYPE" || tag.ends_with('/')) continue;
    if (!name.starts_with('/')) {
      open.push_back(name);
    } else {
      if (open.empty() || "/" + open.back() != name) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

io::line_plot example() {
  return {"A <plot>",
          {"x"},
          {"y", io::axis_scale::logarithmic},
          {{"a & b", {1, 2, 3}, {1, 10, 100}}, {"c", {1, 2}, {5, 6}, io::mark::stems}}};
}

}  // namespace

TEST_CASE("numbers for people") {
  CHECK(io::format_number(101770) == "101,770");
  CHECK(io::format_number(-1234567) == "-1,234,567");
  CHECK(io::format_number(-123) == "-123");
  CHECK(io::format_number(std::size_t{0}) == "0");
  CHECK(io::format_number(0.0) == "0");
  CHECK(io::format_number(0.5) == "0.5");
  CHECK(io::format_number(-0.00123456) == "-0.001235");
  CHECK(io::format_number(1234.56) == "1,235");
  CHECK(io::format_number(12345.6, 7) == "12,345.6");
  CHECK(io::format_number(401920.0) == "401,920");
  CHECK(io::format_number(9.9999) == "10");
  CHECK(io::format_number(1e-7) == "10⁻⁷");
  CHECK(io::format_number(-1.25e12) == "-1.25·10¹²");
  CHECK(io::format_number(-1e300) == "-10³⁰⁰");
  CHECK(io::format_number(std::nan("")) == "NaN");
  CHECK(io::format_number(-HUGE_VAL) == "-∞");
  CHECK(io::format_number(5e-324) == "4.941·10⁻³²⁴");
  CHECK(io::format_seconds(0.85) == "850 ms");
  CHECK(io::format_seconds(12.34) == "12.3 s");
  CHECK(io::format_seconds(245) == "4 min 05 s");
  CHECK(io::format_seconds(7620) == "2 h 07 min");
  CHECK(io::format_seconds(std::nan("")) == "?");
  CHECK(io::format_bytes(512) == "512 B");
  CHECK(io::format_bytes(1.6e6) == "1.6 MB");
  CHECK(io::format_bytes(999999) == "1 MB");
}

TEST_CASE("a table is aligned, numbers right and text left, also beyond ASCII") {
  io::table t{"layer", "κ", "ok"};
  t.row("dense", 1234, true).row("λ", 5, false).rule().row("total", "", "");
  std::ostringstream out;
  out << t;
  CHECK(out.str() ==
        "layer      κ  ok\n"
        "─────  ─────  ───\n"
        "dense  1,234  yes\n"
        "λ          5  no\n"
        "─────  ─────  ───\n"
        "total\n");
  CHECK(says(message<shape_mismatch>([&] { t.row(1, 2); }), "3 columns", "2 cells"));
  CHECK(t.rows().size() == 3);
  CHECK(t.is_numeric(1));
  CHECK_FALSE(t.is_numeric(0));
  t.row("x", "n/a", "");
  CHECK_FALSE(t.is_numeric(1));
  CHECK(io::table::cell::number("12 ± 1").is_number);
}

TEST_CASE("progress says share, rate and time left") {
  CHECK(io::detail::progress_line("training", 500, 2000, 10, "loss 0.5", 4) ==
        "training  █░░░   25 %  500/2,000  50/s  30.0 s left  loss 0.5");
  CHECK(io::detail::progress_line("training", 0, 2000, 0, "", 0) == "training    0 %  0/2,000");
  CHECK(io::detail::progress_line("training", 10, 10, 2, "", 2) == "training  ██  100 %  10/10  5/s  in 2.0 s");
  CHECK(says(io::detail::progress_line("nothing", 0, 0, 0, "", 2), "100 %", "0/0"));

  std::ostringstream plain, terminal;
  {
    io::progress bar("work", 1000, plain, false);
    for (int i = 0; i < 1000; ++i) ++bar;
  }
  CHECK(count(plain.str(), "\n") == 1);  // too quick for a line on the way
  CHECK(says(plain.str(), "100 %", "1,000/1,000"));
  CHECK(count(plain.str(), "\r") == 0);
  {
    io::progress bar("work", 1000, terminal, true);
    bar.advance(5000);
    bar.finish();
  }
  CHECK(says(terminal.str(), "\r", "100 %"));
  CHECK(count(terminal.str(), "\n") == 1);
}

TEST_CASE("an axis holds its data and has a few labelled ticks, inside it, in order") {
  auto const check = [](io::axis const& wish, double low, double high) {
    INFO(low << " to " << high);
    auto const fit = io::detail::fit_axis(wish, low, high, 6);
    bool const is_linear = wish.scale == io::axis_scale::linear;
    auto const size = std::max(std::abs(low), std::abs(high));  // rounding is relative to it, or to each end
    CHECK(fit.low <= low + 1e-8 * (is_linear ? size : low));
    CHECK(fit.high >= high - 1e-8 * (is_linear ? size : high));
    CHECK(fit.low < fit.high);
    std::vector<std::string> labels;
    for (auto const& tick : fit.ticks) {
      CHECK(fit.position(tick.value) >= -1e-9);
      CHECK(fit.position(tick.value) <= 1 + 1e-9);
      if (!tick.label.empty()) labels.push_back(tick.label);
    }
    CHECK(labels.size() >= 2);
    CHECK(labels.size() <= 12);
    for (std::size_t i = 1; i < labels.size(); ++i) CHECK(labels[i] != labels[i - 1]);
  };
  io::axis const linear{}, logarithmic{"", io::axis_scale::logarithmic};
  for (double const scale : {1e-290, 1e-20, 1e-3, 0.7, 1.0, 3.0, 99.9, 12345.0, 1e7, 1e250})
    for (double const ratio : {1.0, 1.0001, 1.7, 3.0, 10.0, 123.0, 1e6, 1e12}) {
      check(linear, scale, scale * ratio);
      check(linear, -scale * ratio, scale);
      check(linear, -scale * ratio, -scale);
      check(logarithmic, scale, scale * ratio);
    }
  check(linear, 0, 0);
  check(logarithmic, 1e-280, 1e280);
  CHECK(io::detail::fit_axis({"", io::axis_scale::linear, true}, 5, 7, 6).low == 0);
  CHECK(io::detail::fit_axis(linear, 5, 7, 6).low == 5);
}

TEST_CASE("a plot is well-formed, has its title and names escaped, and one mark per point") {
  auto const text = io::svg(example());
  CHECK(well_formed(text));
  CHECK_FALSE(well_formed(text + "</g>"));
  CHECK_FALSE(well_formed(text + "<g>"));
  CHECK(says(text, "<title>A &lt;plot&gt;</title>", "a &amp; b", "role=\"img\"", "c: 2 points."));
  CHECK(count(text, "A <plot>") == 0);
  CHECK(count(text, "nan") == 0);
  CHECK(count(text, "Not drawn") == 0);
  CHECK(count(text, "a3 3 0 1 0 6 0") == 0);  // series 0 is a line
  CHECK(count(text, "h5.4v5.4h-5.4z") == 3);  // series 1: two points, one in the legend
}

TEST_CASE("what a series spreads over is drawn, is on the axis, and has the length of the series") {
  auto plot = io::line_plot{"", {}, {}, {{"a", {1, 2}, {5, 6}}}, ""};
  CHECK(count(io::svg(plot), "class=\"stem\"") == 0);
  CHECK(count(io::svg(plot), ">100<") == 0);
  plot.data[0].low = {4, -100};
  plot.data[0].high = {7, 100};
  auto const text = io::svg(plot);
  CHECK(well_formed(text));
  CHECK(count(text, "class=\"stem\"") == 1);
  CHECK(count(text, ">100<") == 1);
  CHECK(count(text, ">-100<") == 1);
  plot.y.scale = io::axis_scale::logarithmic;  // a whisker without a lower end is left out, and said
  CHECK(says(io::svg(plot), "Not drawn: 1 value"));
  plot.data[0].high = {7};
  CHECK(says(message<shape_mismatch>([&] { (void)io::svg(plot); }), "2 low", "1 high"));
}

TEST_CASE("what has no place on the axes is left out and said") {
  auto plot = example();
  plot.data[1].y = {0, -3};
  plot.data[0].y[1] = std::nan("");
  auto const text = io::svg(plot);
  CHECK(says(text, "Not drawn: 1 value that is not finite, 2 values ≤ 0 on a logarithmic axis."));
  CHECK(count(text, "nan") == 0);
  CHECK(count(text, "inf") == 0);
  CHECK(count(text, "h5.4v5.4h-5.4z") == 1);  // the legend's
  plot.y.scale = io::axis_scale::linear;
  CHECK(says(io::svg(plot), "Not drawn: 1 value that is not finite."));
  plot.data.resize(1);
  plot.data[0].y = {HUGE_VAL, -HUGE_VAL, std::nan("")};
  CHECK(says(io::svg(plot), "no data to draw", "3 values that are not finite"));
}

TEST_CASE("empty plots, single points, constants and extremes are drawn") {
  for (auto const scale : {io::axis_scale::linear, io::axis_scale::logarithmic})
    for (auto const style : {io::mark::line, io::mark::dashes, io::mark::points, io::mark::stems})
      for (auto const& y : std::vector<std::vector<double>>{
               {}, {3}, {0}, {2, 2, 2}, {-1e299, 1e299}, {1e-300, 1e299}, {5e-324, 1}, {1e300, HUGE_VAL}}) {
        auto const text = io::svg(io::line_plot{"t", {"x"}, {"y", scale}, {io::over_index("s", y, style)}});
        CHECK(well_formed(text));
        CHECK(count(text, "nan") + count(text, "inf\"") == 0);
      }
  CHECK(says(io::svg(io::line_plot{"nothing"}), "no data to draw"));
  CHECK(says(io::svg(io::bar_plot{"nothing"}), "no data to draw"));
  CHECK(count(io::svg(io::line_plot{"", {}, {}, {io::over_index("", std::vector<double>{3})}}), "class=\"marks\"") ==
        1);
  io::line_plot uneven{"t", {}, {}, {{"s", {1, 2}, {1}}}};
  CHECK(says(message<shape_mismatch>([&] { io::svg(uneven); }), "'s'", "2 x values", "1 y values"));
}

TEST_CASE("a long curve is thinned and keeps its extremes") {
  std::vector<double> y(200000);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = std::sin(static_cast<double>(i));
  y[77777] = 40;  // one spike, to be seen
  auto const text = io::svg(io::line_plot{"t", {}, {}, {io::over_index("", y)}});
  CHECK(text.size() < 200000);
  auto const with = text;
  y[77777] = 0;
  CHECK(io::svg(io::line_plot{"t", {}, {}, {io::over_index("", y)}}) != with);
  std::vector<std::optional<std::pair<double, double>>> points;
  for (int i = 0; i < 1000; ++i) points.emplace_back(std::pair{10.0, i == 500 ? 99.0 : i == 501 ? -7.0 : 1.0});
  CHECK(io::detail::curve_path(points) == "M10 1L10 99L10 -7L10 1");
}

TEST_CASE("bars") {
  io::bar_plot plot{"bars", {"ms"}, {"gradient", "K-FAC"}, {{"ours", {1, -2}}, {"theirs", {3, std::nan("")}}}};
  auto const text = io::svg(plot);
  CHECK(well_formed(text));
  CHECK(count(text, "<rect class=\"bar c") == 3);
  CHECK(says(text, "gradient: ours 1 theirs 3.", "not finite"));
  plot.x.scale = io::axis_scale::logarithmic;
  CHECK(says(io::svg(plot), "1 value ≤ 0"));
  plot.data[0].values.pop_back();
  CHECK(says(message<shape_mismatch>([&] { io::svg(plot); }), "'ours'", "1 values", "2 groups"));
}

TEST_CASE("base64 and PNG") {
  CHECK(io::detail::base64("") == "");
  CHECK(io::detail::base64("f") == "Zg==");  // RFC 4648, section 10
  CHECK(io::detail::base64("fo") == "Zm8=");
  CHECK(io::detail::base64("foobar") == "Zm9vYmFy");
  std::vector<io::detail::color> const pixels{{1, 2, 3}, {4, 5, 6}};
  auto const png = io::detail::png(1, 2, pixels);
  CHECK(png.substr(0, 8) == "\x89PNG\r\n\x1a\n");
  // Unpack the one data chunk: it must hold a filter byte and the six numbers.
  auto const at = png.find("IDAT");
  auto const word = [&](std::size_t i) {
    std::uint32_t value = 0;
    for (std::size_t k = 0; k < 4; ++k) value = value << 8U | static_cast<unsigned char>(png[i + k]);
    return value;
  };
  auto const length = word(at - 4);
  std::string raw(7, '\0');
  uLongf size = raw.size();
  CHECK(uncompress(reinterpret_cast<Bytef*>(raw.data()), &size, reinterpret_cast<Bytef const*>(png.data() + at + 4),
                   length) == Z_OK);
  CHECK(raw == std::string("\0\1\2\3\4\5\6", 7));
  CHECK(word(at + 4 + length) == crc32(0, reinterpret_cast<Bytef const*>(png.data() + at), length + 4));
  CHECK(io::detail::diverging(0) == io::detail::color{247, 247, 247});
  CHECK(io::detail::diverging(-1)[2] > io::detail::diverging(-1)[0]);
  CHECK(io::detail::diverging(1)[0] > io::detail::diverging(1)[2]);
  CHECK(says(message<shape_mismatch>([&] { io::detail::png(2, 2, pixels); }), "2 × 2", "2"));
}

TEST_CASE("a page is well-formed, self-contained and escaped") {
  io::report page("Title <script>", "sub & title");
  io::table t{"a<b", "n"};
  t.row("<i>", 1).rule().row("x", 2);
  io::image_tiles pictures{"tiles", {{"one \"quoted\"", 2, 2, {0, 1, 2, std::nan("")}}}};
  page.heading("One").text("<b>bold</b>\x01").table(t, "cap").heading("Two").plot(example()).heading("Three");
  page.tiles(pictures).preformatted("a < b", "more").preformatted("plain").subheading("sub").figures({{"k", "<v>"}});
  pictures.scale = io::image_tiles::colors::diverging;
  page.tiles(pictures).tiles({"none"}).plot(io::bar_plot{"b", {}, {"g"}, {{"", {1}}}});
  auto const html = page.str();
  CHECK(well_formed(html));
  CHECK(count(html, "<script") == 0);
  CHECK(count(html, "<b>bold") == 0);
  CHECK(count(html, "<i>") == 0);
  CHECK(count(html, "\x01") == 0);
  CHECK(says(html, "Title &lt;script&gt;", "a&lt;b", "href=\"#section-2\"", "id=\"section-2\"", "prefers-color-scheme",
             "<details>", "one &quot;quoted&quot;", "1 value that is not finite", "no pictures to show"));
  // Nothing is fetched: the only addresses are the SVG namespace, anchors and data.
  CHECK(count(html, "href=\"") == count(html, "href=\"#section-"));
  CHECK(count(html, "src=\"") == count(html, "src=\"data:image/png;base64,"));
  CHECK(count(html, "http") == count(html, "http://www.w3.org/2000/svg") + count(html, "http-equiv"));
  CHECK(says(message<shape_mismatch>([&] { io::report("x").tiles({"t", {{"c", 2, 3, {1}}}}); }), "2 × 3"));

  scratch::folder folder;
  page.write(folder.path / "page.html");
  CHECK(scratch::content(folder.path / "page.html") == html);
  CHECK(says(message<write_error>([&] { page.write(folder.path / "no" / "page.html"); }), "no/page.html"));
  io::write_svg(folder.path / "plot.svg", example());
  CHECK(well_formed(scratch::content(folder.path / "plot.svg")));
}
