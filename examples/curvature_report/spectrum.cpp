// Section 3: the mini-batch Gauss-Newton matrix, whole and layer by layer.

#include <algorithm>
#include <cmath>
#include <iostream>

#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>
#include <kappa/io/table.hpp>
#include <kappa/io/text.hpp>

#include "model.hpp"

namespace report {

namespace {

// Mean, standard deviation and signal-to-noise mean²/variance of one direction's column.
struct moments {
  double mean = 0, deviation = 0;
  double signal_to_noise() const { return deviation > 0 ? mean * mean / (deviation * deviation) : 0; }
};
moments moments_of(matrix<float> const& per_sample, std::size_t k) {
  auto const n = static_cast<double>(per_sample.shape(0));
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < per_sample.shape(0); ++i) sum += static_cast<double>(per_sample(i, k));
  for (std::size_t i = 0; i < per_sample.shape(0); ++i)
    squares += std::pow(static_cast<double>(per_sample(i, k)) - sum / n, 2);
  return {sum / n, std::sqrt(squares / n)};
}

std::vector<double> positive(vector<float> const& values, std::size_t most) {
  std::vector<double> kept;
  float const threshold = values.size() > 0 ? values(0) * 1e-6f : 0;  // float's resolution of a Gram spectrum
  for (std::size_t i = 0; i < values.size() && kept.size() < most; ++i)
    if (values(i) > threshold) kept.push_back(static_cast<double>(values(i)));
  return kept;
}

// Where in the image a direction lives: per pixel the norm of its first-layer weights.
std::vector<double> pixel_norms(matrix<float> const& directions, std::size_t k) {
  std::vector<double> pixels(28 * 28);
  for (std::size_t o = 0; o < 64; ++o)
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] += std::pow(static_cast<double>(directions(k, o * pixels.size() + i)), 2);
  for (double& p : pixels) p = std::sqrt(p);
  return pixels;
}

}  // namespace

void show_spectrum(io::report& page, settings const& s, vector<float> const& theta, io::dataset<float> const& train) {
  std::size_t const samples = std::min(s.curvature_samples, train.size());
  auto const q = derive<digits>(theta, batch<float>(train.input_rows(0, samples), train.label_rows(0, samples)),
                                loss_value, gradient, ggn, kfac<expand>);
  auto const curvature = q[ggn];
  auto const spectrum = positive(eigenvalues(curvature), curvature.root().columns());
  double total = 0;
  for (double v : spectrum) total += v;

  std::size_t const count = std::min<std::size_t>(10, spectrum.size());
  auto const d = directional_derivatives_of(q, count);
  auto const eigenvectors = directions_of(curvature, d);
  io::table directions{"direction", "eigenvalue", "share of trace, %", "slope",        "± over samples",
                       "slope S/N", "curvature",  "± over samples ",   "curvature S/N"};
  std::vector<io::series> per_sample;
  std::vector<io::image_tiles::tile> tiles;
  for (std::size_t k = 0; k < count; ++k) {
    moments const slope = moments_of(d.slopes, k), bend = moments_of(d.curvatures, k);
    double const value = static_cast<double>(d.eigenvalues(k));
    directions.row(k + 1, value, 100 * value / total, slope.mean, slope.deviation, slope.signal_to_noise(), bend.mean,
                   bend.deviation, bend.signal_to_noise());
    tiles.push_back({"direction " + std::to_string(k + 1), 28, 28, pixel_norms(eigenvectors, k)});
    if (k >= 3) continue;
    std::vector<double> x, y;
    for (std::size_t n = 0; n < samples; ++n) {
      x.push_back(static_cast<double>(d.slopes(n, k)));
      y.push_back(static_cast<double>(d.curvatures(n, k)));
    }
    per_sample.push_back({"direction " + std::to_string(k + 1), x, y, io::mark::points});
  }

  io::table blocks{"layer",
                   "parameters",
                   "largest, exact",
                   "largest, K-FAC",
                   "trace, exact",
                   "trace, K-FAC",
                   "condition number, K-FAC + 1e-3 I"};
  std::vector<io::line_plot> block_plots;
  auto const kronecker_blocks = q[kfac<expand>].blocks();
  for (std::size_t p = 0; p < classifier::parameters.size(); ++p) {
    auto const exact = symmetric<float>(curvature.root().gram_of(p));
    auto const exact_values = positive(eigenvalues(exact), exact.size());
    auto const kfac_values = positive(eigenvalues(kronecker_blocks[p]), exact_values.size());
    auto const name = "dense " + std::to_string(p + 1);
    blocks.row(name, classifier::parameters[p].size(), exact_values.at(0), kfac_values.at(0), trace(exact),
               trace(kronecker_blocks[p]), static_cast<double>(kfac_values.at(0)) / 1e-3 + 1);
    block_plots.push_back({"Block of " + name,
                           {"index", io::axis_scale::logarithmic},
                           {"eigenvalue", io::axis_scale::logarithmic},
                           {io::over_index("exact block", exact_values), io::over_index("K-FAC", kfac_values)},
                           ""});
  }

  std::cout << "The Gauss-Newton matrix on " << samples << " training samples at K-FAC's parameters: loss "
            << io::format_number(q[loss_value]) << ", " << spectrum.size() << " non-zero eigenvalues of "
            << classifier::parameter_count << ", trace " << io::format_number(total) << '\n'
            << directions << "\nBlocks, exact and by K-FAC\n"
            << blocks << '\n';
  page.heading("The Gauss-Newton matrix")
      .text("On " + std::to_string(samples) +
            " training samples, at the parameters K-FAC found: the matrix has order " +
            std::to_string(classifier::parameter_count) + " and rank at most " +
            std::to_string(curvature.root().columns()) +
            " (samples times classes less one). Its non-zero spectrum is that of its Gram matrix and is computed "
            "whole; the matrix is never formed.")
      .plot(io::line_plot{"All non-zero eigenvalues",
                          {"index"},
                          {"eigenvalue", io::axis_scale::logarithmic},
                          {io::over_index("Gauss-Newton matrix", spectrum, io::mark::stems)},
                          ""})
      .subheading("Leading directions")
      .text(
          "Slope and curvature of each sample along the leading eigenvectors; S/N is mean²/variance over samples. "
          "The mean curvature along a direction is its eigenvalue.")
      .table(directions)
      .plot(io::line_plot{"Per-sample slope and curvature", {"slope"}, {"curvature"}, per_sample, ""})
      .tiles({"Where the leading directions lie in the image", tiles, io::image_tiles::colors::grey,
              "per pixel, the norm of the direction's weights of the first layer"})
      .subheading("K-FAC beside the exact blocks")
      .table(blocks);
  for (auto const& plot : block_plots) page.plot(plot);
}

}  // namespace report
