// The sections about noise: slopes and curvatures along the leading directions, and steps that take it into account.

#include <algorithm>
#include <cmath>
#include <iostream>

#include <kappa/io/table.hpp>
#include <kappa/io/text.hpp>

#include "model.hpp"
#include "show.hpp"

namespace noise_study {

namespace {

constexpr std::array<std::size_t, 4> plotted{1, 2, 5, 10};  // directions, counted from 1

double at(std::vector<double> const& values, std::size_t k) { return k < values.size() ? values[k] : std::nan(""); }

// A number of every plotted direction along one training.
io::line_plot by_direction(std::string title, std::string y, run const& r, std::vector<double> measurement::*what) {
  io::line_plot plot{
      std::move(title), {"step + 1", io::axis_scale::logarithmic}, {std::move(y), io::axis_scale::logarithmic}, {}, ""};
  for (std::size_t k : plotted)
    plot.data.push_back(median_over_training("direction " + std::to_string(k), r,
                                             [&](measurement const& m) { return at(m.*what, k - 1); }));
  return plot;
}

// All of a kind at one checkpoint, over directions and mini-batches.
std::vector<double> pooled(checkpoint const& c, std::vector<double> measurement::*what) {
  std::vector<double> all;
  for (measurement const& m : c.batches)
    for (double v : m.*what)
      if (!std::isnan(v)) all.push_back(v);
  return all;
}

std::size_t below(std::vector<double> const& values, double threshold) {
  return static_cast<std::size_t>(std::ranges::count_if(values, [=](double v) { return v < threshold; }));
}

// Takes out what would press the rest into one line: losses larger than the largest gain. Says how many.
std::string without_far_losses(io::line_plot& plot) {
  double largest = 0;
  for (auto const& line : plot.data)
    for (double v : line.y) largest = std::max(largest, v);
  std::size_t count = 0;
  for (auto& line : plot.data) {
    io::series near{line.name, {}, {}, line.style};
    for (std::size_t i = 0; i < line.y.size(); ++i) {
      if (line.y[i] < -largest) {
        ++count;
        continue;
      }
      near.x.push_back(line.x[i]);
      near.y.push_back(line.y[i]);
    }
    line = std::move(near);
  }
  return count == 0 ? ""
                    : "Not drawn: medians below " + number(-largest) + " %, " + io::format_number(count) + " of them.";
}

}  // namespace

void show_noise(io::report& page, settings const& s, std::vector<run> const& runs) {
  double const resolved = 1 / static_cast<double>(s.batch_size);
  page.heading("Signal and noise along the leading directions")
      .text(
          "Along each leading direction of a mini-batch every sample has a slope and a curvature of its own. Their "
          "signal-to-noise ratio is mean² over variance over the samples. Below the dashed line, at 1/N, the mean of "
          "the N = " +
          std::to_string(s.batch_size) +
          " samples is smaller than its own standard error: the "
          "mini-batch does not even know its sign. Lines are medians over " +
          std::to_string(s.mini_batches) +
          " mini-batches. The directions come from the same samples, which makes their curvature look better known "
          "than it is.");
  auto const threshold = [&](io::line_plot& plot, run const& r) {
    auto const steps_shown = steps_of(r);
    plot.data.push_back({"1/N", {steps_shown.front(), steps_shown.back()}, {resolved, resolved}, io::mark::dashes});
  };
  io::table table{"optimiser", "step", "slope S/N", "below 1/N, %", "curvature S/N", "below 1/N, % "};
  for (run const& r : runs) {
    auto slopes = by_direction("Slopes, " + r.name, "mean² / variance", r, &measurement::slope_noise);
    auto curvatures = by_direction("Curvatures, " + r.name, "mean² / variance", r, &measurement::curvature_noise);
    threshold(slopes, r);
    threshold(curvatures, r);
    page.plot(slopes).plot(curvatures);
    if (&r != &runs.front()) table.rule();
    std::size_t clearer = 0, unresolved = 0, count = 0;
    for (checkpoint const& c : r.checkpoints) {
      auto const slope = pooled(c, &measurement::slope_noise), curvature = pooled(c, &measurement::curvature_noise);
      auto const share = [&](std::vector<double> const& v) {
        return 100 * static_cast<double>(below(v, resolved)) / static_cast<double>(v.size());
      };
      table.row(r.name, c.step, median_of(slope), share(slope), median_of(curvature), share(curvature));
      unresolved += below(slope, resolved);
      count += slope.size();
      for (measurement const& m : c.batches)
        for (std::size_t k = 0; k < std::min(m.slope_noise.size(), m.curvature_noise.size()); ++k)
          clearer += m.curvature_noise[k] > m.slope_noise[k] ? 1 : 0;
    }
    auto const first = median_of(pooled(r.checkpoints.front(), &measurement::slope_noise)),
               last = median_of(pooled(r.checkpoints.back(), &measurement::slope_noise)),
               first_bend = median_of(pooled(r.checkpoints.front(), &measurement::curvature_noise)),
               last_bend = median_of(pooled(r.checkpoints.back(), &measurement::curvature_noise));
    auto const moves = [](double from, double to) {
      return std::string(to < from ? "falls" : "rises") + " from " + number(from) + " to " + number(to);
    };
    page.text("Found with " + r.name +
              ": from the first checkpoint to the last the median signal-to-noise ratio of "
              "slopes " +
              moves(first, last) + ", that of curvatures " + moves(first_bend, last_bend) +
              ". Over all "
              "checkpoints, mini-batches and directions " +
              percent(unresolved, count) +
              " slopes are below 1/N (68 % would be if all true slopes were zero and their means normal), and the "
              "curvature is clearer than the slope in " +
              percent(clearer, count) + ".");
  }
  page.table(table, "Medians and shares over directions and mini-batches");
  std::cout << "Signal-to-noise along the leading directions\n" << table << '\n';
}

void show_steps(io::report& page, settings const& s, std::vector<run> const& runs) {
  page.heading("Damping and steps")
      .text(
          "A Newton step in the leading directions moves by -γ/(λ + δ) in each. The bootstrap draws the mini-batch's "
          "samples anew, 100 times, and takes for each direction the damping δ whose gain has the best 5th percentile; "
          "where that is a loss for every δ, the direction is left out. It knows nothing but the mini-batch's own "
          "samples. Points are the directions that are kept, of all mini-batches.");
  io::table dampings{"optimiser", "step", "δ, median of those kept", "smallest", "largest", "directions left out, %"};
  io::line_plot left_out{"Directions left out",
                         {"step + 1", io::axis_scale::logarithmic},
                         {"share of all, %", io::axis_scale::linear, true},
                         {},
                         ""};
  std::string found;
  for (run const& r : runs) {
    io::series kept{"a direction that is kept", {}, {}, io::mark::points}, middle{"median", {}, {}};
    io::series share{r.name, steps_of(r), {}};
    if (&r != &runs.front()) dampings.rule();
    for (checkpoint const& c : r.checkpoints) {
      auto all = pooled(c, &measurement::damping);
      auto const count = all.size();
      std::erase_if(all, [](double v) { return std::isinf(v); });
      auto const range = spread_of(all);
      for (double v : all) {
        kept.x.push_back(static_cast<double>(c.step + 1));
        kept.y.push_back(v);
      }
      middle.x.push_back(static_cast<double>(c.step + 1));
      middle.y.push_back(median_of(all));
      share.y.push_back(100 * static_cast<double>(count - all.size()) / static_cast<double>(count));
      dampings.row(r.name, c.step, median_of(all), range.low, range.high, share.y.back());
    }
    found += (found.empty() ? "Found: with " : "; with ") + r.name + " the share of directions left out goes from " +
             number(share.y.front()) + " % at the first checkpoint to " + number(share.y.back()) +
             " % at the last, the median damping of those kept from " + number(middle.y.front()) + " to " +
             number(middle.y.back());
    page.plot(io::line_plot{"Damping chosen by the bootstrap, " + r.name,
                            {"step + 1", io::axis_scale::logarithmic},
                            {"δ", io::axis_scale::logarithmic},
                            {kept, middle},
                            ""});
    left_out.data.push_back(std::move(share));
  }
  page.plot(left_out).text(found + ".");
  page.table(dampings)
      .subheading("What a step gains")
      .text(
          "From the same parameters and the same mini-batch, one step each way; the gain is the share of the "
          "held-out loss that it takes away, negative where the loss rises. SGD steps have no momentum here; the "
          "best rate is that of 17 from 0.001 to 10 after whose step the mini-batch's own loss is least. The last "
          "kind takes its curvature from " +
          std::to_string(s.batch_size / sub_sampling) +
          " samples with one draw each, and its slopes from the whole mini-batch.");
  io::table gains{"optimiser", "step taken", "mean", "median", "worst", "best", "losing, %"};
  for (run const& r : runs) {
    io::line_plot plot{"Gain of one step in held-out loss, " + r.name,
                       {"step + 1", io::axis_scale::logarithmic},
                       {"share of the held-out loss, %, median"},
                       {},
                       ""};
    if (&r != &runs.front()) gains.rule();
    std::size_t beats = 0, beats_searched = 0, count = 0;
    for (std::size_t kind = 0; kind < steps.size(); ++kind) {
      auto const of = [&](measurement const& m) { return 100 * m.gain[kind]; };
      plot.data.push_back(median_over_training(steps[kind], r, of));
      std::vector<double> all;
      for (checkpoint const& c : r.checkpoints)
        for (measurement const& m : c.batches) all.push_back(of(m));
      auto const range = spread_of(all);
      gains.row(r.name, steps[kind], range.mean, median_of(all), range.low, range.high,
                100 * static_cast<double>(below(all, 0)) / static_cast<double>(all.size()));
    }
    for (checkpoint const& c : r.checkpoints)
      for (measurement const& m : c.batches) {
        ++count;
        beats += m.gain[newton_step] > m.gain[sgd_step] ? 1 : 0;
        beats_searched += m.gain[newton_step] > m.gain[searched_sgd_step] ? 1 : 0;
      }
    std::size_t worst_kind = 0;
    checkpoint const* worst_at = nullptr;
    measurement const* worst = nullptr;
    for (checkpoint const& c : r.checkpoints)
      for (measurement const& m : c.batches)
        for (std::size_t kind = 0; kind < steps.size(); ++kind)
          if (worst == nullptr || m.gain[kind] < worst->gain[worst_kind]) {
            worst_kind = kind;
            worst_at = &c;
            worst = &m;
          }
    plot.caption = without_far_losses(plot);
    page.plot(plot).text("Found with " + r.name +
                         ": the Newton step with bootstrap damping gains more than SGD at the "
                         "training's rate in " +
                         percent(beats, count) +
                         " mini-batches, and more than SGD at its best "
                         "rate in " +
                         percent(beats_searched, count) + ". The step that loses most, " +
                         number(-100 * worst->gain[worst_kind]) + " % of the held-out loss, is of the kind \"" +
                         steps[worst_kind] + "\", at step " + io::format_number(worst_at->step) +
                         "; there the sub-sampled Monte Carlo curvature claims " +
                         number(worst->claimed[approximations.size() - 1]) + " times what the full batch finds.");
  }
  page.table(gains, "Gains in % of the held-out loss over all checkpoints and mini-batches");
  std::cout << "Damping chosen by the bootstrap\n"
            << dampings << "\nGain of one step in held-out loss\n"
            << gains << '\n';
}

}  // namespace noise_study
