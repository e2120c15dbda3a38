// What an experiment reports, and how it is shown.

#include "study.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>

#include <kappa/io/text.hpp>

namespace sharing_study {

spread spread_of(std::vector<double> const& values) {
  spread s;
  if (values.empty()) return {std::nan(""), std::nan(""), std::nan("")};
  for (double v : values) s.mean += v / static_cast<double>(values.size());
  auto const [low, high] = std::ranges::minmax(values);
  s.low = low;
  s.high = high;
  return s;
}

std::string number(double value) { return io::format_number(value, 3); }

std::string said(spread const& s) {
  if (std::abs(s.high) < 1e-12) return number(s.high);  // rounding
  if (!(s.low < s.high)) return number(s.mean);
  return number(s.mean) + " (" + number(s.low) + " to " + number(s.high) + ")";
}

experiment::experiment(std::string name, std::string title, std::string set_up)
    : name_(std::move(name)), title_(std::move(title)), set_up_(std::move(set_up)) {}

void experiment::table(io::table t, std::string caption) {
  parts_.push_back({part::kind::table, tables_.size()});
  tables_.emplace_back(std::move(t), std::move(caption));
}
void experiment::plot(io::line_plot p) {
  parts_.push_back({part::kind::plot, plots_.size()});
  plots_.push_back(std::move(p));
}
void experiment::text(std::string words) {
  parts_.push_back({part::kind::text, texts_.size()});
  texts_.push_back(std::move(words));
}

void experiment::exact(std::string what, double error, double bound) {
  comparisons_.push_back({std::move(what), number(error), "rounding, at most " + number(bound), error <= bound, true,
                          "This claim of exactness does not hold."});
}
void experiment::exact(std::string what, std::string measured, std::string reference, bool holds) {
  comparisons_.push_back({std::move(what), std::move(measured), std::move(reference), holds, true,
                          "This claim of exactness does not hold."});
}
void experiment::in_range(std::string what, spread const& measured, double low, double high, std::string difference) {
  comparisons_.push_back({std::move(what), said(measured), number(low) + " to " + number(high),
                          measured.mean >= low && measured.mean <= high, false, std::move(difference)});
}
void experiment::covers(std::string what, spread const& measured, double figure, std::string difference) {
  comparisons_.push_back({std::move(what), said(measured), number(figure),
                          measured.low <= figure && figure <= measured.high, false, std::move(difference)});
}
void experiment::judged(std::string what, std::string measured, std::string reference, bool within,
                        std::string difference) {
  comparisons_.push_back(
      {std::move(what), std::move(measured), std::move(reference), within, false, std::move(difference)});
}

bool experiment::all_exact() const {
  return std::ranges::all_of(comparisons_, [](comparison const& c) { return c.within || !c.must_hold; });
}

std::size_t experiment::within() const {
  return static_cast<std::size_t>(std::ranges::count_if(comparisons_, [](comparison const& c) { return c.within; }));
}

void experiment::show(io::report& page) const {
  page.heading(name_ + ". " + title_).text(set_up_);
  std::cout << '\n' << name_ << ". " << title_ << "\n\n";
  for (part const& p : parts_) {
    if (p.what == part::kind::text) page.text(texts_[p.index]);
    if (p.what == part::kind::plot) page.plot(plots_[p.index]);
    if (p.what == part::kind::table) {
      page.table(tables_[p.index].first, tables_[p.index].second);
      std::cout << tables_[p.index].first << '\n';
    }
  }
  io::table verdicts{"compared", "measured", "reference", "verdict"};
  std::vector<std::pair<std::string, std::string>> differences;  // what is outside, and one sentence for all of it
  for (comparison const& c : comparisons_) {
    verdicts.row(c.what, c.measured, c.reference, c.within ? "within" : "outside");
    if (c.within) continue;
    auto const same = std::ranges::find(differences, c.difference, &std::pair<std::string, std::string>::second);
    if (same != differences.end())
      same->first += "; " + c.what;
    else
      differences.emplace_back(c.what, c.difference);
  }
  page.table(verdicts, "Measured beside the reference");
  std::cout << verdicts;
  for (auto const& [what, difference] : differences) {
    auto const words = "Outside (" + what + "): " + difference;
    page.text(words);
    std::cout << words << '\n';
  }
  std::cout << std::flush;
}

}  // namespace sharing_study
