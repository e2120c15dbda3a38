// Two layers of linear convolutions with shared weights: κ(G) against filters and kernel sizes.

#include <cmath>
#include <string>

#include <kappa/tensor/random.hpp>
#include <kappa/theory/convolution.hpp>

#include "linear.hpp"
#include "model.hpp"

namespace conditioning_figures {

namespace {

using io::axis;
using io::axis_scale;

constexpr std::size_t positions = 36;

theory::convolution_filters random_filters(std::size_t outputs, std::size_t inputs, std::size_t taps,
                                           counter_random& random) {
  theory::convolution_filters w{outputs, inputs, taps, std::vector<double>(outputs * inputs * taps)};
  for (double& x : w.weights) x = random.normal() / std::sqrt(static_cast<double>(inputs * taps));
  return w;
}

/// A stationary signal, neighbours correlated by one half.
theory::covariance correlated() {
  auto sigma = zeros<double>(positions, positions);
  for (std::size_t i = 0; i < positions; ++i)
    for (std::size_t j = 0; j < positions; ++j)
      sigma(i, j) = std::pow(0.5, std::abs(static_cast<double>(i) - static_cast<double>(j)));
  return theory::covariance(std::move(sigma));
}

std::vector<double> measured(std::size_t filters, std::size_t taps, std::uint64_t seed) {
  counter_random random(seed, 25);
  auto first = random_filters(filters, 1, taps, random);
  auto second = random_filters(filters, filters, taps, random);
  theory::linear_convolution_chain const chain({std::move(first), std::move(second)}, positions);
  theory::convolution_gauss_newton const on_white(chain, white(positions)), on_correlated(chain, correlated());
  return {theory::exact_convolution(on_white).value, theory::exact_convolution(on_correlated).value,
          theory::kernel_bound(on_correlated).value, theory::eq_7_t::value(on_correlated.unshared())};
}

std::vector<quantity> quantities() {
  return {{"white data", kind::exact, 0},
          {"correlated data", kind::exact, 1},
          {"correlated, kernel-space bound (ours)", kind::upper_bound, 1},
          {"correlated, Eq. (7) of Toeplitz matrices: no bound", kind::law, 1}};
}

std::string changes(char const* what, panel_results const& r) {
  return std::string("From ") + number(r.x.front()) + " to " + number(r.x.back()) + " " + what +
         " the median goes from " + number(r.first(0)) + " to " + number(r.last(0)) + " on white data, from " +
         number(r.first(1)) + " to " + number(r.last(1)) + " on correlated data.";
}

/// How often the number that is no bound was none.
std::string exceeded(panel_results const& r) {
  std::size_t above = 0, count = 0;
  for (std::size_t i = 0; i < r.x.size(); ++i)
    for (std::size_t j = 0; j < r.values[1][i].size(); ++j, ++count) above += r.values[1][i][j] > r.values[3][i][j];
  return " Eq. (7) of the Toeplitz matrices, which take every entry for a weight of its own, was below κ(G) in " +
         std::to_string(above) + " of " + std::to_string(count) + " draws; nothing forbids it.";
}

}  // namespace

std::vector<figure> convolution_figures(settings const&) {
  axis const kappa_axis("κ(G)", axis_scale::logarithmic);
  panel filters{"conv_filters",
                "Filters",
                axis("filters of each layer"),
                kappa_axis,
                {2, 3, 4, 5, 6, 8},
                quantities(),
                [](double x, std::uint64_t seed) { return measured(static_cast<std::size_t>(x), 7, seed); },
                "Two layers with kernels of 7 taps on signals of 36 positions.",
                [](panel_results const& r) { return changes("filters", r) + exceeded(r); }};
  panel taps{"conv_taps",
             "Kernel size",
             axis("taps of each kernel"),
             kappa_axis,
             {3, 5, 7, 9, 11, 13},
             quantities(),
             [](double x, std::uint64_t seed) { return measured(5, static_cast<std::size_t>(x), seed); },
             "Two layers with 5 filters on signals of 36 positions.",
             [](panel_results const& r) { return changes("taps", r) + exceeded(r); }};
  return {{"Convolutions",
           "With weights shared over positions. The published figure takes the bounds of dense networks at the "
           "layers' Toeplitz matrices; with shared weights that is no theorem, and the trends are those below.",
           {filters, taps}}};
}

}  // namespace conditioning_figures
