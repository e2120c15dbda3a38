// Measures the panels of the figures, draws them, and counts draws on the wrong side of a bound.

#include <algorithm>
#include <cmath>
#include <iostream>

#include "model.hpp"
#include "summary.hpp"

namespace conditioning_figures {

namespace {

/// The places of a panel; a short run takes the first, the middle one and the last.
std::vector<double> places(panel const& p, settings const& s) {
  if (!s.is_short || p.at.size() <= 3) return p.at;
  return {p.at.front(), p.at[p.at.size() / 2], p.at.back()};
}

panel_results results_of(panel const& p, settings const& s, point_store const& store) {
  panel_results r{places(p, s), {}};
  r.values.assign(p.quantities.size(), std::vector<std::vector<double>>(r.x.size()));
  for (std::size_t i = 0; i < r.x.size(); ++i)
    for (std::uint64_t seed = 1; seed <= s.seeds; ++seed) {
      auto const& values = *store.find({p.key, r.x[i], seed}, p.quantities.size());
      for (std::size_t q = 0; q < values.size(); ++q) r.values[q][i].push_back(values[q]);
    }
  return r;
}

io::line_plot drawn(panel const& p, panel_results const& r) {
  io::line_plot plot{p.title, p.x, p.y, {}, {}};
  for (std::size_t q = 0; q < p.quantities.size(); ++q) {
    bool const exact = p.quantities[q].is == kind::exact;
    io::series s{p.quantities[q].name, r.x, {}, exact ? io::mark::line : io::mark::dashes, {}, {}};
    for (std::size_t i = 0; i < r.x.size(); ++i) {
      s.y.push_back(r.median_at(q, i));
      if (!exact) continue;
      s.low.push_back(quantile(r.values[q][i], 0.1));
      s.high.push_back(quantile(r.values[q][i], 0.9));
    }
    plot.data.push_back(std::move(s));
  }
  return plot;
}

/// The draws of a panel's bounds, and how many of them are on the wrong side of the exact value by more than the
/// rounding of an eigenvalue problem of order 1000.
struct tally {
  std::size_t draws = 0, wrong = 0;
};
tally counted(panel const& p, panel_results const& r) {
  tally t;
  for (std::size_t q = 0; q < p.quantities.size(); ++q) {
    auto const& what = p.quantities[q];
    if (what.is != kind::upper_bound && what.is != kind::lower_bound) continue;
    for (std::size_t i = 0; i < r.x.size(); ++i)
      for (std::size_t j = 0; j < r.values[q][i].size(); ++j) {
        double const exact = r.values[what.of][i][j], bound = r.values[q][i][j];
        if (std::isnan(bound)) continue;  // not defined there
        ++t.draws;
        double const rounding = 1e-9 + 1e-12 * exact;
        t.wrong += what.is == kind::upper_bound ? bound < exact * (1 - rounding) : bound > exact * (1 + rounding);
      }
  }
  return t;
}

io::table table_of(panel const& p, panel_results const& r) {
  std::vector<std::string> names{p.x.label};
  for (auto const& q : p.quantities) names.push_back(q.name);
  io::table t(names);
  for (std::size_t i = 0; i < r.x.size(); ++i) {
    std::vector<io::table::cell> cells{io::table::cell(r.x[i])};
    for (std::size_t q = 0; q < p.quantities.size(); ++q) {
      double const m = r.median_at(q, i);
      cells.push_back(std::isnan(m) ? io::table::cell(std::string()) : io::table::cell::number(number(m)));
    }
    t.add(std::move(cells));
  }
  return t;
}

}  // namespace

double panel_results::median_at(std::size_t q, std::size_t i) const { return median(values[q][i]); }

std::string number(double value) { return io::format_number(value, 3); }

std::size_t show_figures(io::report& page, std::vector<figure> const& figures, settings const& s, point_store& store) {
  std::vector<task> tasks;
  for (auto const& f : figures)
    for (auto const& p : f.panels)
      for (double x : places(p, s))
        for (std::uint64_t seed = 1; seed <= s.seeds; ++seed)
          tasks.push_back({{p.key, x, seed}, p.quantities.size(), [&p, x, seed] { return p.measure(x, seed); }});
  sweep("figures", tasks, store, s.workers);

  tally all;
  for (auto const& f : figures) {
    page.heading(f.title).text(f.text);
    std::cout << '\n' << f.title << '\n';
    for (auto const& p : f.panels) {
      auto const r = results_of(p, s, store);
      auto const t = counted(p, r);
      all.draws += t.draws, all.wrong += t.wrong;
      auto plot = drawn(p, r);
      plot.caption = p.setting + " Medians of " + std::to_string(s.seeds) +
                     " draws; the thin lines go from the first to the last decile of the exact values.";
      auto says = p.says(r);
      if (t.draws > 0)
        says += " On the wrong side of κ(G): " + std::to_string(t.wrong) + " of " + std::to_string(t.draws) +
                " values of bounds.";
      auto const medians = table_of(p, r);
      page.plot(plot).text(says).table(medians, "Medians");
      std::cout << "  " << p.title << ": " << says << '\n';
    }
  }
  page.heading("Bounds, counted")
      .text("Of all " + std::to_string(all.draws) + " values of bounds in these figures, " + std::to_string(all.wrong) +
            " are on the wrong side of the exact κ(G).");
  return all.wrong;
}

}  // namespace conditioning_figures
