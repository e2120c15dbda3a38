// The sections about curvature: the setting, spectra, leading spaces.

#include <algorithm>
#include <iostream>
#include <numeric>

#include <kappa/io/table.hpp>
#include <kappa/io/text.hpp>

#include "model.hpp"
#include "show.hpp"

namespace noise_study {

namespace {

std::vector<double> leading_positive(vector<float> const& values, std::size_t most) {
  std::vector<double> kept;
  float const least = values.size() > 0 ? values(0) * 1e-6f : 0;  // float's resolution of a Gram spectrum
  for (std::size_t i = 0; i < values.size() && kept.size() < most; ++i)
    if (values(i) > least) kept.push_back(static_cast<double>(values(i)));
  return kept;
}

double eigenvalue(vector<float> const& values, std::size_t k) {
  return k < values.size() ? static_cast<double>(values(k)) : 0;
}

io::line_plot spectrum_plot(std::string title, spectra const& s) {
  io::line_plot plot{
      std::move(title), {"index", io::axis_scale::logarithmic}, {"eigenvalue", io::axis_scale::logarithmic}, {}, ""};
  auto const full = leading_positive(s.full, s.full.size());
  for (std::size_t kind = 0; kind < approximations.size(); ++kind)
    plot.data.push_back(io::over_index(approximations[kind], leading_positive(s.approximate[kind], s.full.size())));
  plot.data.push_back(io::over_index("full batch", full, io::mark::points));
  return plot;
}

// A quantity of every approximation along one training.
io::line_plot along_training(std::string title, io::axis y, run const& r,
                             std::array<double, approximations.size()> measurement::*what) {
  io::line_plot plot{std::move(title), {"step + 1", io::axis_scale::logarithmic}, std::move(y), {}, ""};
  for (std::size_t kind = 0; kind < approximations.size(); ++kind)
    plot.data.push_back(over_training(approximations[kind], r, [&](measurement const& m) { return (m.*what)[kind]; }));
  return plot;
}

}  // namespace

void show_setting(io::report& page, settings const& s, study_data const& data, std::vector<run> const& runs) {
  page.text(
          "How much does one mini-batch know about the curvature of the whole training set? A network is trained, and "
          "at checkpoints spaced evenly in the logarithm of the step its generalised Gauss-Newton matrix is taken "
          "from mini-batches in four ways and, exactly, from a larger sample of the training set, the full batch, of "
          "which the mini-batches are parts. The study is a small form of that in Dangel, Tatzel and Hennig, ViViT "
          "(2023, arXiv 2106.02624).")
      .figures({{"parameters", io::format_number(runs.front().parameters)},
                {"training samples", io::format_number(data.train.size())},
                {"full-batch samples", io::format_number(data.subset.size())},
                {"mini-batch samples", io::format_number(s.batch_size)},
                {"mini-batches measured", io::format_number(s.mini_batches)},
                {"checkpoints", io::format_number(runs.front().checkpoints.size())}});
  io::table table{"optimiser", "rate", "steps", "training loss", "held-out loss", "held-out accuracy, %"};
  for (run const& r : runs)
    table.row(r.name, r.name == "SGD" ? s.sgd_rate : s.adam_rate, r.checkpoints.back().step, r.checkpoints.back().loss,
              r.checkpoints.back().held_out_loss, 100 * r.accuracy);
  io::line_plot losses{"Loss at the checkpoints",
                       {"step + 1", io::axis_scale::logarithmic},
                       {"loss", io::axis_scale::logarithmic},
                       {},
                       ""};
  for (run const& r : runs) {
    io::series training{r.name + ", training samples", steps_of(r), {}},
        held_out{r.name + ", held out", steps_of(r), {}};
    held_out.style = io::mark::dashes;
    for (checkpoint const& c : r.checkpoints) {
      training.y.push_back(c.loss);
      held_out.y.push_back(c.held_out_loss);
    }
    losses.data.push_back(std::move(training));
    losses.data.push_back(std::move(held_out));
  }
  page.heading("The training").table(table).plot(losses);
  std::cout << "The training\n" << table << '\n';
}

void show_spectra(io::report& page, std::vector<run> const& runs) {
  page.heading("Spectra")
      .text(
          "The leading eigenvalues of the first measured mini-batch's matrix, beside those of the full batch. Look "
          "at the first " +
          std::to_string(directions) +
          ", one for each class, and at where the curves break off: the matrix of N samples has rank " +
          std::to_string(directions - 1) + " N at most, with one Monte Carlo draw a sample N, and a sub-sample has " +
          std::to_string(sub_sampling) + " times fewer samples.")
      .plot(spectrum_plot("Before training", runs.front().checkpoints.front().spectrum));
  for (run const& r : runs)
    page.plot(spectrum_plot("After " + io::format_number(r.checkpoints.back().step) + " steps of " + r.name,
                            r.checkpoints.back().spectrum));

  io::table table{"after", "matrix", "λ₁", "% of full", "λ₁₀", "% of full "};
  std::vector<double> first_of_exact;
  for (run const& r : runs) {
    auto const& spectrum = r.checkpoints.back().spectrum;
    double const first = eigenvalue(spectrum.full, 0), last = eigenvalue(spectrum.full, directions - 1);
    if (&r != &runs.front()) table.rule();
    table.row(r.name, "full batch", first, 100.0, last, 100.0);
    for (std::size_t kind = 0; kind < approximations.size(); ++kind) {
      double const a = eigenvalue(spectrum.approximate[kind], 0);
      double const b = eigenvalue(spectrum.approximate[kind], directions - 1);
      table.row(r.name, approximations[kind], a, 100 * a / first, b, 100 * b / last);
    }
    for (checkpoint const& c : r.checkpoints)
      first_of_exact.push_back(eigenvalue(c.spectrum.approximate[0], 0) / eigenvalue(c.spectrum.full, 0));
  }
  auto const range = spread_of(first_of_exact);
  page.table(table).text(
      "Found: over all checkpoints of both trainings the largest eigenvalue of this exact mini-batch "
      "is " +
      number(range.low) + " to " + number(range.high) + " times the full batch's, " + number(range.mean) +
      " on average.");
  std::cout << "Spectra at the end\n" << table << '\n';
}

void show_overlaps(io::report& page, settings const& s, std::vector<run> const& runs) {
  auto const parameters = static_cast<double>(runs.front().parameters);
  page.heading("Leading spaces")
      .text("The space of the " + std::to_string(directions) +
            " leading eigenvectors is what a Newton step or a damping "
            "by directions acts on. The overlap of a mini-batch's with the full batch's is 1 where they are the same "
            "and 0 where they are orthogonal; two random spaces would have " +
            number(static_cast<double>(directions) / parameters) + ". Lines are means over " +
            std::to_string(s.mini_batches) + " mini-batches, the thin bars go from the lowest to the highest of them.");
  for (run const& r : runs)
    page.plot(along_training("Overlap with the full batch, " + r.name, {"overlap", io::axis_scale::linear, true}, r,
                             &measurement::overlap));

  io::table table{"optimiser", "overlap of", "mean", "lowest", "highest", "first", "last", "range"};
  for (run const& r : runs) {
    if (&r != &runs.front()) table.rule();
    std::vector<std::pair<double, std::size_t>> means;
    std::size_t best_exact = 0;
    for (std::size_t kind = 0; kind < approximations.size(); ++kind) {
      auto const of = [&](measurement const& m) { return m.overlap[kind]; };
      auto const line = over_training("", r, of);
      auto const range = spread_of(line.y);
      std::vector<double> width;
      for (std::size_t i = 0; i < line.y.size(); ++i) width.push_back(line.high[i] - line.low[i]);
      table.row(r.name, approximations[kind], range.mean, range.low, range.high, line.y.front(), line.y.back(),
                spread_of(width).mean);
      means.emplace_back(range.mean, kind);
    }
    for (checkpoint const& c : r.checkpoints) {
      std::vector<double> of_kinds;
      for (std::size_t kind = 0; kind < approximations.size(); ++kind)
        of_kinds.push_back(spread_of(over_batches(c, [&](measurement const& m) { return m.overlap[kind]; })).mean);
      best_exact += std::ranges::max(of_kinds) == of_kinds[0] ? 1 : 0;
    }
    std::ranges::sort(means, std::greater<>());
    std::string order;
    for (auto const& [mean, kind] : means)
      order += (order.empty() ? "" : ", ") + std::string(approximations[kind]) + " (" + number(mean) + ")";
    page.text("Found with " + r.name + ": by mean overlap the order is " + order +
              ". The exact mini-batch is the nearest at " + of_count(best_exact, r.checkpoints.size(), "checkpoint") +
              ".");
  }
  page.table(
      table,
      "Means over mini-batches: over all checkpoints, the lowest, the highest, the first and the last one; range is "
      "the highest mini-batch less the lowest, a mean over checkpoints");
  std::cout << "Overlap with the full batch's leading space\n" << table << '\n';

  io::table checks{"optimiser", "step", "all training samples and the full batch",
                   "the full batch, truncated and exact"};
  for (run const& r : runs)
    for (checkpoint const& c : r.checkpoints)
      if (c.compared) checks.row(r.name, c.step, c.overlap_with_whole, c.overlap_of_truncation);
  page.subheading("Is the full batch full?")
      .text(
          "The full batch is itself a sample. At the first and the last checkpoint the matrix of all training samples "
          "is collected, "
          "batch by batch, in a truncation to " +
          std::to_string(truncated_rank) +
          " eigenpairs; the overlap of its leading space with the full batch's says how far the latter stands for "
          "the training set. The last column is the error of truncation, on samples of which the exact matrix is "
          "known.")
      .table(checks);
  std::cout << "The full batch beside all training samples\n" << checks << '\n';

  page.subheading("Curvature claimed, curvature found")
      .text(
          "A mini-batch's eigenvalues are its own view of the curvature along its own directions, chosen because they "
          "are steep for it. Plotted is the sum of its " +
          std::to_string(directions) +
          " leading ones over the full batch's curvature along the same directions: above 1 it claims more than "
          "there is. Monte Carlo draws are right on average, but where the network is sure of a label it is nearly "
          "always the one drawn, and then there is next to no curvature: a few rare draws carry the rest.");
  for (run const& r : runs)
    page.plot(along_training("Claimed over found, " + r.name, {"claimed / found", io::axis_scale::logarithmic}, r,
                             &measurement::claimed));
  std::string found;
  for (std::size_t kind = 0; kind < approximations.size(); ++kind) {
    std::vector<double> all;
    for (run const& r : runs)
      for (checkpoint const& c : r.checkpoints)
        for (measurement const& m : c.batches) all.push_back(m.claimed[kind]);
    auto const above = static_cast<std::size_t>(std::ranges::count_if(all, [](double v) { return v > 1; }));
    auto const range = spread_of(all);
    found += std::string(found.empty() ? "" : "; ") + approximations[kind] + " " + number(median_of(all)) +
             " times in the median, from " + number(range.low) + " to " + number(range.high) + ", above 1 in " +
             percent(above, all.size());
  }
  page.text("Found, over all mini-batches of both trainings: " + found + ".");
}

}  // namespace noise_study
