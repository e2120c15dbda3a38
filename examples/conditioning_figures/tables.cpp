// The long form: three tables beside published numbers and those of an independent program.

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <limits>

#include <kappa/theory/matrix_free.hpp>
#include <kappa/theory/relu_network.hpp>

#include "linear.hpp"
#include "model.hpp"
#include "summary.hpp"

namespace conditioning_figures {

namespace {

using testing::weights;

/// A row of a comparison.
struct comparison {
  std::string setting, quantity;
  double reference = 0, ours = 0;
  std::string deviation, allowed;
  bool within = false;
};

/// Prints a table and counts the rows that missed.
std::size_t show(io::report& page, std::string const& title, std::string const& text,
                 std::vector<comparison> const& rows) {
  io::table t({"setting", "quantity", "reference", "ours", "deviation", "allowed", "within"});
  std::size_t missed = 0;
  std::string before;
  for (auto const& r : rows) {
    if (!before.empty() && before != r.setting) t.rule();
    t.add({r.setting == before ? "" : r.setting, r.quantity, io::format_number(r.reference),
           io::table::cell::number(io::format_number(r.ours)), r.deviation, r.allowed, r.within});
    before = r.setting;
    missed += !r.within;
  }
  auto const verdict = std::to_string(rows.size() - missed) + " of " + std::to_string(rows.size()) +
                       " comparisons are within what is allowed.";
  page.heading(title).text(text).table(t).text(verdict);
  std::cout << '\n' << title << "\n\n" << t << '\n' << verdict << '\n';
  return missed;
}

std::string percent(double ratio) {
  auto const text = io::format_number(100 * ratio, 2) + " %";
  return ratio > 0 ? "+" + text : text;
}

/// ours / reference within a share of 1.
comparison by_share(std::string setting, std::string quantity, double reference, double ours, double share) {
  double const off = ours / reference - 1;
  return {
      std::move(setting),    std::move(quantity), reference, ours, percent(off), io::format_number(100 * share) + " %",
      std::abs(off) <= share};
}

/// A mean beside a printed mean: `error` is the standard error of their difference, `rounding` half a unit of the
/// last printed digit.
constexpr double standard_errors = 3.5;
comparison by_error(std::string setting, std::string quantity, double reference, double ours, double error,
                    double rounding) {
  double const off = std::max(0.0, std::abs(ours - reference) - rounding);
  return {std::move(setting),
          std::move(quantity),
          reference,
          ours,
          io::format_number(off / error, 2) + " errors",
          io::format_number(standard_errors, 2) + " errors of " + io::format_number(error, 2),
          off <= standard_errors * error};
}

std::vector<double> all_of(point_store const& store, std::string const& panel, double x, std::size_t count,
                           std::size_t values, std::size_t which) {
  std::vector<double> found;
  for (std::uint64_t seed = 1; seed <= count; ++seed) found.push_back((*store.find({panel, x, seed}, values))[which]);
  return found;
}

/// One table: what it has to measure, and what it shows of that.
struct long_table {
  std::vector<task> tasks;
  std::function<std::size_t(io::report&, point_store const&)> show;
};

void add(std::vector<task>& tasks, std::string const& panel, double x, std::size_t draws, std::size_t values,
         std::function<std::vector<double>(std::uint64_t)> const& measure) {
  for (std::uint64_t seed = 1; seed <= draws; ++seed)
    tasks.push_back({{panel, x, seed}, values, [measure, seed] { return measure(seed); }});
}

// --- d = 192, k = 10: Rayleigh and Loewner enclose κ ----------------------------------------------------------------

struct enclosed_row {
  char const* name;
  std::size_t layers, hidden;
  weights law;
  double power;                                // Σ has the eigenvalues j^-power
  double kappa, below, above, seven, loosest;  // the reference's: κ, and RL, PL, (7), (8) over it
};
constexpr std::array<enclosed_row, 5> enclosed_rows{
    {{"L = 3, m = 500, Xavier, white", 3, 500, weights::xavier, 0, 8.64, 0.997, 1.011, 1.14, 6.6},
     {"L = 3, m = 500, Xavier, j^-1.5", 3, 500, weights::xavier, 1.5, 7.30e3, 0.995, 1.010, 3.58, 20.8},
     {"L = 5, m = 500, Kaiming, white", 5, 500, weights::gaussian, 0, 37.7, 0.993, 1.035, 1.47, 8.6},
     {"L = 5, m = 500, Kaiming, j^-3", 5, 500, weights::gaussian, 3, 3.83e7, 0.992, 1.022, 10.2, 60},
     {"L = 5, m = 300, Kaiming, j^-3", 5, 300, weights::gaussian, 3, 5.97e7, 0.988, 1.027, 10.5, 1.2e3}}};

theory::small_gauss_newton enclosed_network(enclosed_row const& row, std::uint64_t seed) {
  std::vector<double> spectrum(192);
  for (std::size_t j = 0; j < 192; ++j) spectrum[j] = std::pow(static_cast<double>(j + 1), -row.power);
  return linear_network(192, row.hidden, 10, row.layers, row.law, seed, diagonal(spectrum));
}

std::vector<double> with_bounds(theory::small_gauss_newton const& g) {
  double const exact = theory::condition_number_matrix_free(g).value();
  return {exact, theory::rayleigh_bound_t::value(g) / exact, theory::loewner_bound_t::value(g) / exact,
          theory::eq_7_t::value(g) / exact, theory::max_bound_t::value(g) / exact};
}

long_table enclosure_table() {
  constexpr std::size_t draws = 10;
  long_table t;
  for (std::size_t i = 0; i < enclosed_rows.size(); ++i)
    add(t.tasks, "table_d", static_cast<double>(i), draws, 5,
        [i](std::uint64_t seed) { return with_bounds(enclosed_network(enclosed_rows[i], seed)); });
  t.show = [](io::report& page, point_store const& store) {
    std::vector<comparison> rows;
    double least = 1, most = 1;
    std::size_t beyond = 0;
    for (std::size_t i = 0; i < enclosed_rows.size(); ++i) {
      auto const& row = enclosed_rows[i];
      auto const draws_of = [&](std::size_t which) {
        return all_of(store, "table_d", static_cast<double>(i), draws, 5, which);
      };
      // The reference is one more draw of the same law: compared in log κ, by the deviation of our draws.
      auto logs = draws_of(0);
      for (double& x : logs) x = std::log(x);
      auto const m = moments_of(logs);
      double const error = m.deviation * std::sqrt(1 + 1 / static_cast<double>(draws));
      double const off = std::abs(std::log(row.kappa) - m.mean) / error;
      rows.push_back(
          {row.name, "κ, one draw", row.kappa, std::exp(m.mean), io::format_number(off, 2) + " deviations",
           io::format_number(standard_errors, 2) + " deviations of " + io::format_number(100 * error, 2) + " %",
           off <= standard_errors});
      auto const below = draws_of(1), above = draws_of(2);
      double const rayleigh = median(below), loewner = median(above);
      rows.push_back({row.name, "RL / κ, median", row.below, rayleigh, percent(rayleigh / row.below - 1),
                      "0.98 to 1, each ≤ 1", rayleigh >= 0.98 && quantile(below, 1) <= 1 + 1e-9});
      rows.push_back({row.name, "PL / κ, median", row.above, loewner, percent(loewner / row.above - 1),
                      "1 to 1.06, each ≥ 1", loewner <= 1.06 && quantile(above, 0) >= 1 - 1e-9});
      least = std::min(least, quantile(below, 0));
      most = std::max(most, quantile(above, 1));
      for (double x : above) beyond += x > 1.06;
      auto const seven = draws_of(3), loosest = draws_of(4);
      double const s = median(seven), l = median(loosest);
      rows.push_back(
          {row.name, "(7) / κ, median", row.seven, s, percent(s / row.seven - 1), "≥ PL / κ", s >= median(above)});
      rows.push_back({row.name, "(8) / κ, median", row.loosest, l, percent(l / row.loosest - 1), "≥ (7) / κ", l >= s});
    }
    return show(
        page, "Table: bounds from both sides, d = 192, k = 10",
        "Rayleigh (RL) and Loewner (PL) enclose κ where the published bounds (7) and (8) are loose. The "
        "reference is one draw of an independent program; ours are " +
            std::to_string(draws) +
            ": their geometric mean of κ, and medians of the bounds over κ. Over all draws RL / κ is at least " +
            io::format_number(least) + " and PL / κ at most " + io::format_number(most) + "; " +
            std::to_string(beyond) + " of " + std::to_string(draws * enclosed_rows.size()) +
            " draws have PL / κ above 1.06.",
        rows);
  };
  return t;
}

// --- one hidden layer with leaky ReLU, n = 500, d = 3072, k = 10, m = 1000 ------------------------------------------

struct relu_reference {
  double slope, exact, bound, norm_bound, sample_bound;
};
constexpr std::array<relu_reference, 5> relu_rows{{{0, 67.7, 2781, 8414, 79.0},
                                                   {0.1, 54.1, 1181, 4399, 63.4},
                                                   {0.3, 30.2, 158, 1006, 35.2},
                                                   {0.5, 14.1, 34.9, 450, 16.0},
                                                   {1, 2.36, 2.4, 186, 2.36}}};

long_table relu_table() {
  constexpr std::size_t draws = 3;
  long_table t;
  for (auto const& row : relu_rows)
    add(t.tasks, "table_f", row.slope, draws, 4, [slope = row.slope](std::uint64_t seed) {
      auto const r = theory::relu_at_initialisation({500, 3072, 1000, 10}, slope, seed);
      return std::vector<double>{r.exact, r.bound, r.norm_bound, r.sample_bound};
    });
  t.show = [](io::report& page, point_store const& store) {
    std::vector<comparison> rows;
    for (auto const& row : relu_rows) {
      auto const name = "α = " + io::format_number(row.slope);
      std::array<double, 4> const reference{row.exact, row.bound, row.norm_bound, row.sample_bound};
      std::array<char const*, 4> const what{"κ", "(13)", "Frobenius form", "(14), ours"};
      for (std::size_t q = 0; q < 4; ++q)
        rows.push_back(by_share(name, what[q], reference[q],
                                moments_of(all_of(store, "table_f", row.slope, draws, 4, q)).mean, 0.03));
    }
    return show(page, "Table: leaky ReLU, n = 500, d = 3072, k = 10, m = 1000",
                "Whitened data, He's weights. The reference is one draw of an independent program; ours are means of " +
                    std::to_string(draws) + " draws, each an eigenproblem of order 5,000.",
                rows);
  };
  return t;
}

// --- published means at initialisation ------------------------------------------------------------------------------

/// Mean and mean square of κ over the draws of a group.
std::vector<double> group_of(std::size_t size, std::function<double(std::size_t)> const& kappa) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < size; ++i) {
    double const x = kappa(i);
    sum += x, squares += x * x;
  }
  auto const n = static_cast<double>(size);
  return {sum / n, squares / n};
}

struct published_mean {
  double hidden;
  double published, independent;
  std::size_t layers = 2;
  std::size_t independent_draws = 2000;
};
constexpr std::array<published_mean, 9> width_rows{{{20, 5.02, 5.05},
                                                    {40, 2.98, 3.02},
                                                    {60, 2.44, 2.43},
                                                    {80, 2.13, 2.14},
                                                    {100, 1.97, 1.97},
                                                    {200, 1.61, 1.61},
                                                    {500, 1.35, 1.36},
                                                    {1000, 1.24, 1.25},
                                                    {5000, 1.11, 1.13, 2, 500}}};
constexpr std::array<published_mean, 8> scaled_rows{{{14, 7.65, 7.59, 2, 400},
                                                     {30, 7.73, 7.58, 3, 400},
                                                     {44, 7.92, 7.81, 4, 400},
                                                     {60, 7.64, 7.54, 5, 400},
                                                     {75, 7.72, 7.62, 6, 400},
                                                     {90, 7.61, 7.71, 7, 400},
                                                     {155, 8.08, 7.92, 12, 60},
                                                     {300, 7.88, 8.51, 22, 60}}};
constexpr std::size_t width_groups = 40, width_size = 50, scaled_groups = 40, scaled_size = 10, slope_groups = 40,
                      slope_size = 50, training_draws = 20;

/// Row 1: Σ is that of 10,000 Gaussian samples, one for all draws of the published mean, one a group here.
std::vector<double> width_group(std::size_t m, std::uint64_t seed) {
  counter_random random(seed, 77);
  auto x = zeros<double>(10000, 5);
  for (double& e : elements(x)) e = random.normal();
  auto const sigma = theory::covariance_of(x);
  return group_of(width_size, [&](std::size_t i) {
    return theory::exact_one_hidden_layer_t::value(
        linear_network(5, m, 5, 2, weights::gaussian, seed * 1000 + i, sigma));
  });
}

long_table means_table() {
  long_table t;
  for (auto const& row : width_rows)
    add(t.tasks, "table_j1", row.hidden, width_groups, 2,
        [m = static_cast<std::size_t>(row.hidden)](std::uint64_t seed) { return width_group(m, seed); });
  for (auto const& row : scaled_rows)
    add(t.tasks, "table_j2", row.hidden, scaled_groups, 2, [row](std::uint64_t seed) {
      return group_of(scaled_size, [&](std::size_t i) {
        return linear_network(5, static_cast<std::size_t>(row.hidden), 5, row.layers, weights::gaussian,
                              seed * 1000 + i, white(5))
            .condition_number();
      });
    });
  for (std::size_t law = 0; law < 2; ++law)
    add(t.tasks, "table_j3", static_cast<double>(law), slope_groups, 2, [law](std::uint64_t seed) {
      double const c = 5000;
      return group_of(slope_size, [&](std::size_t i) {
        auto const g = linear_network(5, 50, 5, 2, law == 0 ? weights::gaussian : weights::xavier, seed * 1000 + i,
                                      diagonal({c, 1, 1, 1, 1}));
        return theory::exact_one_hidden_layer_t::value(g) / c;
      });
    });
  add(t.tasks, "table_j4", 0, training_draws, 3, [](std::uint64_t seed) {
    auto const v = with_bounds(linear_network(192, 500, 10, 3, weights::xavier, seed, white(192)));
    return std::vector<double>{v[0], v[3] * v[0], v[4] * v[0]};
  });

  t.show = [](io::report& page, point_store const& store) {
    std::vector<comparison> rows;
    auto const grouped = [&](std::string const& panel, double x, std::size_t groups, std::size_t size) {
      return grouped_moments_of(all_of(store, panel, x, groups, 2, 0), all_of(store, panel, x, groups, 2, 1), size);
    };
    for (auto const& row : width_rows) {
      auto const g = grouped("table_j1", row.hidden, width_groups, width_size);
      auto const name = "one hidden layer, m = " + io::format_number(row.hidden);
      rows.push_back(by_error(name, "published mean", row.published, g.mean,
                              std::hypot(g.standard_error(), g.standard_error(1, 2000)), 0.005));
      rows.push_back(by_error(name, "independent mean", row.independent, g.mean,
                              std::hypot(g.standard_error(), g.standard_error(1, row.independent_draws)), 0.005));
    }
    for (auto const& row : scaled_rows) {
      auto const g = grouped("table_j2", row.hidden, scaled_groups, scaled_size);
      auto const name = "L = " + std::to_string(row.layers) + ", m = " + io::format_number(row.hidden);
      double const deviation = std::hypot(g.within, g.between);
      double const error =
          std::hypot(g.standard_error(), deviation / std::sqrt(static_cast<double>(row.independent_draws)));
      rows.push_back(by_error(name, "published mean", row.published, g.mean, error, 0.005));
      rows.push_back(by_error(name, "independent mean", row.independent, g.mean, error, 0.005));
    }
    std::array<double, 2> const published{1.74, 2.07}, independent{1.73, 2.10};
    for (std::size_t law = 0; law < 2; ++law) {
      auto const g = grouped("table_j3", static_cast<double>(law), slope_groups, slope_size);
      std::string const name = law == 0 ? "κ / κ(Σ), Kaiming" : "κ / κ(Σ), Xavier";
      double const error = std::hypot(g.standard_error(), std::hypot(g.within, g.between) / std::sqrt(600.0));
      rows.push_back(by_error(name, "published slope", published[law], g.mean, error, 0.005));
      rows.push_back(by_error(name, "independent mean", independent[law], g.mean, error, 0.005));
    }
    std::array<char const*, 3> const what{"κ", "(7)", "(8)"};
    std::array<double, 3> const first{8.75, 10.20, 63.1}, mean_of_three{8.15, 9.25, 56};
    std::array<double, 3> const rounding{0.005, 0.005, 0.5};
    for (std::size_t q = 0; q < 3; ++q) {
      auto const m = moments_of(all_of(store, "table_j4", 0, training_draws, 3, q));
      rows.push_back(by_error("d = 192, m = 500, L = 3, Xavier", std::string(what[q]) + ", a published draw", first[q],
                              m.mean, std::hypot(m.standard_error(), m.deviation), rounding[q]));
      rows.push_back(by_error("d = 192, m = 500, L = 3, Xavier", std::string(what[q]) + ", an independent mean of 3",
                              mean_of_three[q], m.mean, std::hypot(m.standard_error(), m.deviation / std::sqrt(3.0)),
                              rounding[q]));
    }
    return show(
        page, "Table: published means at initialisation",
        "d = k = 5 unless said. One hidden layer: Σ of 10,000 Gaussian samples, 2,000 draws. Depth L with the width "
        "growing: 400 draws, white data. κ / κ(Σ) at Σ = diag(5000, 1, 1, 1, 1), m = 50: 2,000 draws. Three layers, "
        "k = 10: 20 draws. A deviation is in standard errors of the difference of two means (of draws, where the "
        "reference is one), from the deviations of our draws and the numbers of draws on both sides; where the "
        "published number of draws is not known, that of the independent program is taken.",
        rows);
  };
  return t;
}

}  // namespace

std::size_t show_tables(io::report& page, settings const& s, point_store& store) {
  std::vector<long_table> const tables{enclosure_table(), means_table(), relu_table()};
  std::vector<task> tasks;
  for (auto const& t : tables) tasks.insert(tasks.end(), t.tasks.begin(), t.tasks.end());
  sweep("tables", tasks, store, s.workers);
  std::size_t missed = 0;
  for (auto const& t : tables) missed += t.show(page, store);
  return missed;
}

}  // namespace conditioning_figures
