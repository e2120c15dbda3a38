// Linear networks at initialisation: κ(G) against depth, width, depth with the width scaled, and κ(Σ).

#include <algorithm>
#include <cmath>
#include <limits>

#include <kappa/theory/initialisation.hpp>
#include <kappa/theory/lower_bounds.hpp>
#include <kappa/theory/lyapunov.hpp>

#include "linear.hpp"
#include "summary.hpp"

namespace conditioning_figures {

namespace {

using io::axis;
using io::axis_scale;

axis const kappa_axis("κ(G)", axis_scale::logarithmic);

/// The five numbers most panels show.
std::vector<quantity> five_quantities() {
  return {{"exact", kind::exact, 0},
          {"Rayleigh (ours)", kind::lower_bound, 0},
          {"Loewner (ours)", kind::upper_bound, 0},
          {"Eq. (7)", kind::upper_bound, 0},
          {"max bound", kind::upper_bound, 0}};
}
std::vector<double> five(theory::small_gauss_newton const& g) {
  return {g.condition_number(), theory::rayleigh_bound_t::value(g), theory::loewner_bound_t::value(g),
          theory::eq_7_t::value(g), theory::max_bound_t::value(g)};
}

theory::gaussian_chain chain_of(settings const& s, std::size_t d, std::size_t m, std::size_t k, std::size_t layers) {
  return s.xavier ? theory::xavier(d, m, k, layers) : theory::kaiming(d, m, k, layers);
}

std::string tightness(panel_results const& r, std::size_t exact, std::size_t bound) {
  double worst = 0;
  for (std::size_t i = 0; i < r.x.size(); ++i) worst = std::max(worst, r.median_at(bound, i) / r.median_at(exact, i));
  return number(worst);
}

figure depth(settings const& s) {
  auto const law = law_of(s);
  std::vector<double> const depths{2, 3, 4, 6, 8, 10, 12};
  panel bounds{"depth",
               "Depth, at width 128",
               axis("layers L"),
               kappa_axis,
               depths,
               five_quantities(),
               [law](double x, std::uint64_t seed) {
                 return five(linear_network(32, 128, 10, static_cast<std::size_t>(x), law, seed, white(32)));
               },
               "d = 32 inputs, hidden layers of width 128, k = 10 outputs, white data.",
               [](panel_results const& r) {
                 return "From " + number(r.x.front()) + " to " + number(r.x.back()) +
                        " layers the median of κ(G) goes "
                        "from " +
                        number(r.first(0)) + " to " + number(r.last(0)) + ". At most the Loewner bound is " +
                        tightness(r, 0, 2) + " times κ(G), Eq. (7) " + tightness(r, 0, 3) + " times, the max bound " +
                        tightness(r, 0, 4) + " times.";
               }};

  panel widths{"depth_widths",
               "Depth, at three widths",
               axis("layers L"),
               kappa_axis,
               depths,
               {{"m = 64", kind::exact, 0},
                {"Eq. (7), m = 64", kind::upper_bound, 0},
                {"m = 128", kind::exact, 2},
                {"Eq. (7), m = 128", kind::upper_bound, 2},
                {"m = 256", kind::exact, 4},
                {"Eq. (7), m = 256", kind::upper_bound, 4}},
               [law](double x, std::uint64_t seed) {
                 std::vector<double> values;
                 for (std::size_t m : {64u, 128u, 256u}) {
                   auto const g = linear_network(32, m, 10, static_cast<std::size_t>(x), law, seed, white(32));
                   values.push_back(g.condition_number());
                   values.push_back(theory::eq_7_t::value(g));
                 }
                 return values;
               },
               "The same at widths m = 64, 128 and 256.",
               [](panel_results const& r) {
                 std::string text = "At " + number(r.x.back()) + " layers κ(G) is " + number(r.last(0)) + ", " +
                                    number(r.last(2)) + " and " + number(r.last(4)) + ": width pays for depth.";
                 return text;
               }};
  return {
      "Depth",
      "At a fixed width the condition number grows with the depth. The published bound, Eq. (7), grows with it; the "
      "Loewner and the Rayleigh bound enclose it.",
      {bounds, widths}};
}

figure great_depth(settings const& s) {
  auto const law = law_of(s);
  auto const chain = chain_of(s, 5, 10, 5, 2);
  panel p{"great_depth",
          "Great depth, at width 10",
          axis("layers L"),
          kappa_axis,
          {2, 4, 6, 8, 10, 14, 18, 22, 26},
          {{"exact", kind::exact, 0},
           {"Rayleigh (ours)", kind::lower_bound, 0},
           {"Loewner (ours)", kind::upper_bound, 0},
           {"Eq. (7)", kind::upper_bound, 0},
           {"product bound", kind::upper_bound, 0}},
          [law](double x, std::uint64_t seed) {
            auto const g = linear_network(5, 10, 5, static_cast<std::size_t>(x), law, seed, white(5));
            return std::vector<double>{g.condition_number(), theory::rayleigh_bound_t::value(g),
                                       theory::loewner_bound_t::value(g), theory::eq_7_t::value(g),
                                       theory::product_bound_t::value(g)};
          },
          "d = k = 5, hidden layers of width 10, white data.",
          [chain](panel_results const& r) {
            std::vector<double> x, y;
            for (std::size_t i = r.x.size() / 2; i < r.x.size(); ++i) {
              x.push_back(r.x[i]);
              y.push_back(std::log(r.median_at(0, i)));
            }
            return "Over its second half log κ(G) grows by " + number(slope_of(x, y)) +
                   " a layer; the law of great "
                   "depth says " +
                   number(theory::lyapunov_slope(chain).value) + ". At " + number(r.x.back()) + " layers Eq. (7) is " +
                   number(r.last(3) / r.last(0)) + " times κ(G), the product bound " + number(r.last(4) / r.last(0)) +
                   " times.";
          }};
  return {"Great depth",
          "At fixed width κ(G) grows exponentially in the end, at a rate that min(d, k) and the width determine. The "
          "product bound takes every layer's condition number and is useless long before.",
          {p}};
}

figure width(settings const& s) {
  auto const law = law_of(s);
  panel one{"width_one",
            "Width, one hidden layer",
            axis("hidden width m", axis_scale::logarithmic),
            kappa_axis,
            {10, 20, 40, 60, 100, 200, 500, 1000, 2000},
            {{"exact", kind::exact, 0},
             {"Lemma 2", kind::upper_bound, 0},
             {"with probability 0.95", kind::law, 0},
             {"wide limit (ours)", kind::law, 0}},
            [s](double x, std::uint64_t seed) {
              auto const m = static_cast<std::size_t>(x);
              auto const g = linear_network(5, m, 5, 2, law_of(s), seed, white(5));
              auto const chain = chain_of(s, 5, m, 5, 2);
              double const t = std::sqrt(2 * std::log(4 / 0.05));  // 1 - 4 exp(-t²/2) = 0.95
              double const nan = std::numeric_limits<double>::quiet_NaN();
              double const sure = std::sqrt(x) > std::sqrt(5.0) + t ? theory::random_matrix_bound(chain, t).value : nan;
              double const limit = theory::wide_limit(chain, true).condition_number;
              return std::vector<double>{g.condition_number(), theory::lemma_2_t::value(g), sure,
                                         std::isfinite(limit) ? limit : nan};
            },
            "d = k = 5, white data. The bound with probability 0.95 needs √m > √5 + t, the wide limit a wide network; "
            "they begin where they say something.",
            [](panel_results const& r) {
              std::size_t above = 0, count = 0;
              double equal = 0;
              for (std::size_t i = 0; i < r.x.size(); ++i)
                for (std::size_t j = 0; j < r.values[0][i].size(); ++j) {
                  equal = std::max(equal, std::abs(r.values[1][i][j] / r.values[0][i][j] - 1));
                  if (std::isnan(r.values[2][i][j])) continue;
                  ++count;
                  above += r.values[0][i][j] > r.values[2][i][j];
                }
              return "From m = " + number(r.x.front()) + " to " + number(r.x.back()) + " the median falls from " +
                     number(r.first(0)) + " to " + number(r.last(0)) +
                     ", towards κ(Σ) = 1. On white data Lemma 2 is an "
                     "equality: it differs by " +
                     number(equal) +
                     " at most, relatively. The bound in probability was "
                     "exceeded by " +
                     std::to_string(above) + " of " + std::to_string(count) + " draws, where 5 % may.";
            }};
  panel deep{"width_deep",
             "Width, four layers",
             axis("hidden width m", axis_scale::logarithmic),
             kappa_axis,
             {20, 40, 80, 160, 320},
             five_quantities(),
             [law](double x, std::uint64_t seed) {
               return five(linear_network(20, static_cast<std::size_t>(x), 10, 4, law, seed, white(20)));
             },
             "d = 20, k = 10, four layers, white data.",
             [](panel_results const& r) {
               return "At m = " + number(r.x.back()) + " the excess of Eq. (7) over 1 is " +
                      number((r.last(3) - 1) / (r.last(0) - 1)) + " times that of κ(G) and that of the Loewner bound " +
                      number((r.last(2) - 1) / (r.last(0) - 1)) +
                      " times; for L → ∞ in wide networks the former tends "
                      "to 2/√3 = 1.155.";
             }};
  return {"Width", "Wider networks are better conditioned: κ(G) falls towards κ(Σ).", {one, deep}};
}

figure scaled_depth(settings const& s) {
  panel p{"scaled",
          "Depth, the width growing with it",
          axis("layers L"),
          kappa_axis,
          {2, 3, 4, 5, 6, 8, 11, 16},
          {{"m = 15 (L - 1)", kind::exact, 0},
           {"Rayleigh (ours)", kind::lower_bound, 0},
           {"Loewner (ours)", kind::upper_bound, 0},
           {"Eq. (7)", kind::upper_bound, 0},
           {"limit of Eq. (7) (ours)", kind::law, 0},
           {"m = 15", kind::exact, 5}},
          [s](double x, std::uint64_t seed) {
            auto const layers = static_cast<std::size_t>(x);
            auto const m = 15 * (layers - 1);
            auto const g = linear_network(5, m, 5, layers, law_of(s), seed, white(5));
            auto const fixed = linear_network(5, 15, 5, layers, law_of(s), seed, white(5));
            return std::vector<double>{g.condition_number(),
                                       theory::rayleigh_bound_t::value(g),
                                       theory::loewner_bound_t::value(g),
                                       theory::eq_7_t::value(g),
                                       theory::eq_7_limit(chain_of(s, 5, m, 5, layers)).value,
                                       fixed.condition_number()};
          },
          "d = k = 5, white data, width m = 15 (L - 1); for comparison m = 15 at every depth.",
          [](panel_results const& r) {
            double low = r.first(0), high = low;
            for (std::size_t i = 0; i < r.x.size(); ++i) {
              low = std::min(low, r.median_at(0, i));
              high = std::max(high, r.median_at(0, i));
            }
            return "With the width growing the medians stay between " + number(low) + " and " + number(high) +
                   "; at m = 15 they reach " + number(r.last(5)) + ".";
          }};
  return {"Depth with the width scaled", "A width in proportion to the depth keeps κ(G) where it is.", {p}};
}

figure data(settings const& s) {
  auto const law = law_of(s);
  std::vector<double> const conditions{1, 10, 100, 1000, 10000};
  panel one{"data_one",
            "Data, one hidden layer",
            axis("κ(Σ)", axis_scale::logarithmic),
            kappa_axis,
            conditions,
            {{"exact", kind::exact, 0}, {"Loewner (ours)", kind::upper_bound, 0}, {"Lemma 2", kind::upper_bound, 0}},
            [law](double x, std::uint64_t seed) {
              auto const g = linear_network(5, 50, 5, 2, law, seed, diagonal({x, 1, 1, 1, 1}));
              return std::vector<double>{g.condition_number(), theory::loewner_bound_t::value(g),
                                         theory::lemma_2_t::value(g)};
            },
            "d = k = 5, m = 50, Σ = diag(κ(Σ), 1, 1, 1, 1).",
            [](panel_results const& r) {
              double equal = 0;
              for (std::size_t i = 0; i < r.x.size(); ++i)
                for (std::size_t j = 0; j < r.values[0][i].size(); ++j)
                  equal = std::max(equal, std::abs(r.values[1][i][j] / r.values[0][i][j] - 1));
              return "At κ(Σ) = " + number(r.x.back()) + " the median of κ(G) / κ(Σ) is " +
                     number(r.last(0) / r.x.back()) + ", that of Lemma 2 " + number(r.last(2) / r.x.back()) +
                     ". With one hidden layer the Loewner bound is an equality for any Σ: it differs by " +
                     number(equal) + " at most, relatively.";
            }};
  auto quantities = five_quantities();
  panel deep{"data_deep",
             "Data, four layers",
             axis("κ(Σ)", axis_scale::logarithmic),
             kappa_axis,
             conditions,
             quantities,
             [law](double x, std::uint64_t seed) {
               std::vector<double> spectrum(20);
               for (std::size_t j = 0; j < 20; ++j) spectrum[j] = std::pow(x, -static_cast<double>(j) / 19);
               return five(linear_network(20, 60, 10, 4, law, seed, diagonal(spectrum)));
             },
             "d = 20, k = 10, four layers of m = 60; the eigenvalues of Σ from 1 to 1/κ(Σ), evenly in their logarithm.",
             [](panel_results const& r) {
               return "From κ(Σ) = 1 to " + number(r.x.back()) + " the looseness of Eq. (7) goes from " +
                      number(r.first(3) / r.first(0)) + " to " + number(r.last(3) / r.last(0)) +
                      ", that of the Loewner bound from " + number(r.first(2) / r.first(0)) + " to " +
                      number(r.last(2) / r.last(0)) + ".";
             }};
  return {"The data",
          "The published bounds are multiples of κ(Σ). κ(G) grows with it too, by less where the network mixes the "
          "directions; bounds that keep Σ inside follow it.",
          {one, deep}};
}

}  // namespace

std::vector<figure> linear_figures(settings const& s) {
  return {depth(s), great_depth(s), width(s), scaled_depth(s), data(s)};
}

}  // namespace conditioning_figures
