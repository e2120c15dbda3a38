// Skip connections W + β I at initialisation: κ(G) against the depth and against β.

#include <cmath>

#include <kappa/theory/lower_bounds.hpp>
#include <kappa/theory/residual.hpp>

#include "linear.hpp"

namespace conditioning_figures {

namespace {

using io::axis;
using io::axis_scale;

figure residual(settings const& s) {
  auto const law = law_of(s);
  axis const kappa_axis("κ(G)", axis_scale::logarithmic);
  panel depth{"skip_depth",
              "Depth, with and without skip connections",
              axis("layers L"),
              kappa_axis,
              {2, 3, 4, 5, 6, 7},
              {{"β = 0", kind::exact, 0},
               {"Eq. (7), β = 0", kind::upper_bound, 0},
               {"β = 1/√L", kind::exact, 2},
               {"β = 1", kind::exact, 3},
               {"Eq. (7), β = 1", kind::upper_bound, 3},
               {"β = 2", kind::exact, 5}},
              [law](double x, std::uint64_t seed) {
                auto const layers = random_layers(5, 20, 6, static_cast<std::size_t>(x), law, seed);
                std::vector<double> values;
                for (double beta : {0.0, 1 / std::sqrt(x), 1.0, 2.0}) {
                  theory::residual_chain const chain(layers, beta, white(5));
                  values.push_back(chain.gauss_newton().condition_number());
                  if (beta == 0 || beta == 1) values.push_back(theory::eq_7_t::value(chain.gauss_newton()));
                }
                return values;
              },
              "d = 5, k = 6, hidden layers of width 20, white data; I with ones on its main diagonal where a layer is "
              "not square.",
              [](panel_results const& r) {
                return "At " + number(r.x.back()) + " layers the median of κ(G) is " + number(r.last(0)) +
                       " without, " + number(r.last(2)) + " with β = 1/√L, " + number(r.last(3)) + " with β = 1 and " +
                       number(r.last(5)) + " with β = 2.";
              }};
  panel strength{"skip_strength",
                 "Strength of the skip connections",
                 axis("β", axis_scale::logarithmic),
                 kappa_axis,
                 {0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 5, 10, 20},
                 {{"exact", kind::exact, 0},
                  {"Rayleigh (ours)", kind::lower_bound, 0},
                  {"Loewner (ours)", kind::upper_bound, 0},
                  {"Eq. (7)", kind::upper_bound, 0},
                  {"norm bound (ours)", kind::upper_bound, 0},
                  {"κ(β = 0) to the power g(β) (ours)", kind::law, 0}},
                 [law](double x, std::uint64_t seed) {
                   auto const layers = random_layers(10, 60, 10, 5, law, seed);
                   theory::residual_chain const chain(layers, x, white(10));
                   theory::residual_chain const without(layers, 0, white(10));
                   auto const& g = chain.gauss_newton();
                   return std::vector<double>{
                       g.condition_number(),
                       theory::rayleigh_bound_t::value(g),
                       theory::loewner_bound_t::value(g),
                       theory::eq_7_t::value(g),
                       theory::residual_norm_bound(chain).value,
                       std::pow(without.gauss_newton().condition_number(), theory::residual_spread(x).value)};
                 },
                 "Five layers, d = k = 10, m = 60, white data. g(β) = √(1 + 2β²)/(1 + β²) is the law of wide networks; "
                 "the norm bound is infinite until β exceeds every ‖W‖.",
                 [](panel_results const& r) {
                   std::size_t worse = 0, pairs = 0;
                   for (std::size_t i = 1; i < r.x.size(); ++i)
                     for (std::size_t j = 0; j < r.values[0][i].size(); ++j) {
                       ++pairs;
                       worse += r.values[0][i][j] > r.values[0][i - 1][j];
                     }
                   return "From β = " + number(r.x.front()) + " to " + number(r.x.back()) + " the median goes from " +
                          number(r.first(0)) + " to " + number(r.last(0)) + ", the law from " + number(r.first(5)) +
                          " to " + number(r.last(5)) + ". A stronger connection was the worse one in " +
                          std::to_string(worse) + " of " + std::to_string(pairs) + " steps of a draw along the axis.";
                 }};
  return {
      "Skip connections",
      "A network of layers W + β I is a linear chain with those matrices, so Eq. (7) and the bounds from both sides "
      "hold as they stand. Strong connections help; weak ones do next to nothing at initialisation.",
      {depth, strength}};
}

}  // namespace

std::vector<figure> residual_figures(settings const& s) { return {residual(s)}; }

}  // namespace conditioning_figures
