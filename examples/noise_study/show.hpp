#pragma once
/// \file
/// What the sections of the page share: series along a training, and numbers in sentences.

#include <string>
#include <utility>
#include <vector>

#include <kappa/io/svg.hpp>
#include <kappa/io/text.hpp>

#include "model.hpp"
#include "summary.hpp"

namespace noise_study {

inline std::string number(double value) { return io::format_number(value, 3); }

/// "7 of 12 checkpoints".
inline std::string of_count(std::size_t some, std::size_t all, std::string const& what) {
  return io::format_number(some) + " of " + io::format_number(all) + " " + what + (all == 1 ? "" : "s");
}
/// "58.3 % of 12".
inline std::string percent(std::size_t some, std::size_t all) {
  return number(all == 0 ? 0.0 : 100 * static_cast<double>(some) / static_cast<double>(all)) + " % of " +
         io::format_number(all);
}

/// The checkpoints' places on a logarithmic axis.
inline std::vector<double> steps_of(run const& r) {
  std::vector<double> all;
  for (checkpoint const& c : r.checkpoints) all.push_back(static_cast<double>(c.step + 1));
  return all;
}

/// One number of every mini-batch of a checkpoint.
template <class Number>
std::vector<double> over_batches(checkpoint const& c, Number const& number_of) {
  std::vector<double> all;
  for (measurement const& m : c.batches) all.push_back(number_of(m));
  return all;
}

/// The mean over mini-batches at every checkpoint, with their range.
template <class Number>
io::series over_training(std::string name, run const& r, Number const& number_of) {
  io::series line{std::move(name), steps_of(r), {}};
  for (checkpoint const& c : r.checkpoints) {
    auto const range = spread_of(over_batches(c, number_of));
    line.y.push_back(range.mean);
    line.low.push_back(range.low);
    line.high.push_back(range.high);
  }
  return line;
}

/// The median over mini-batches at every checkpoint.
template <class Number>
io::series median_over_training(std::string name, run const& r, Number const& number_of) {
  io::series line{std::move(name), steps_of(r), {}};
  for (checkpoint const& c : r.checkpoints) line.y.push_back(median_of(over_batches(c, number_of)));
  return line;
}

}  // namespace noise_study
