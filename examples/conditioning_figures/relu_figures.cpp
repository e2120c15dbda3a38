// One hidden layer with leaky ReLU on whitened data: κ(G) against the slope and against the width.

#include <limits>

#include <kappa/theory/relu_network.hpp>

#include "model.hpp"

namespace conditioning_figures {

namespace {

using io::axis;
using io::axis_scale;

double finite_or_nan(double value) {
  return value < std::numeric_limits<double>::infinity() ? value : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::vector<figure> relu_figures(settings const&) {
  axis const kappa_axis("κ(G)", axis_scale::logarithmic);
  panel slope{"relu_slope",
              "Slope of the leaky ReLU",
              axis("slope α"),
              kappa_axis,
              {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1},
              {{"exact", kind::exact, 0},
               {"lower bound by samples (ours)", kind::lower_bound, 0},
               {"bound by samples, (14) (ours)", kind::upper_bound, 0},
               {"published bound, (13)", kind::upper_bound, 0},
               {"Frobenius form", kind::upper_bound, 0},
               {"limit m → ∞ (ours)", kind::law, 0}},
              [](double x, std::uint64_t seed) {
                auto const row = theory::relu_at_initialisation({80, 400, 160, 4}, x, seed);
                return std::vector<double>{row.exact, row.lower_bound, row.sample_bound,
                                           row.bound, row.norm_bound,  row.width_limit};
              },
              "n = 80 whitened samples of d = 400 features, m = 160 hidden units, k = 4 outputs, He's weights.",
              [](panel_results const& r) {
                return "The median of κ(G) falls from " + number(r.first(0)) + " (ReLU) to " + number(r.last(0)) +
                       " (a linear network). At α = " + number(r.x.front()) + " the published bound is " +
                       number(r.first(3) / r.first(0)) + " times κ(G), ours by samples " +
                       number(r.first(2) / r.first(0)) + " times.";
              }};
  panel width{"relu_width",
              "Width",
              axis("hidden width m", axis_scale::logarithmic),
              kappa_axis,
              {80, 160, 320, 640, 1280, 2560},
              {{"α = 0", kind::exact, 0},
               {"(14), α = 0", kind::upper_bound, 0},
               {"(13), α = 0", kind::upper_bound, 0},
               {"limit, α = 0", kind::law, 0},
               {"α = 0.5", kind::exact, 4},
               {"limit, α = 0.5", kind::law, 4}},
              [](double x, std::uint64_t seed) {
                theory::relu_sizes const sizes{40, 400, static_cast<std::size_t>(x), 4};
                auto const relu = theory::relu_at_initialisation(sizes, 0, seed);
                auto const leaky = theory::relu_at_initialisation(sizes, 0.5, seed);
                return std::vector<double>{relu.exact,       relu.sample_bound, finite_or_nan(relu.bound),
                                           relu.width_limit, leaky.exact,       leaky.width_limit};
              },
              "n = 40 whitened samples of d = 400 features, k = 4.",
              [](panel_results const& r) {
                return "From m = " + number(r.x.front()) + " to " + number(r.x.back()) + " ReLU's median goes from " +
                       number(r.first(0)) + " to " + number(r.last(0)) + " (limit " + number(r.last(3)) +
                       "), that of α = 0.5 from " + number(r.first(4)) + " to " + number(r.last(4)) + " (limit " +
                       number(r.last(5)) + ").";
              }};
  return {{"Leaky ReLU",
           "On whitened data with n ≤ d a larger slope is better conditioned. In width the limit is of order n: unlike "
           "a linear network's, a ReLU network's κ(G) need not fall as it widens.",
           {slope, width}}};
}

}  // namespace conditioning_figures
