#pragma once
/// \file
/// The data of the programs about digits: files, or digits drawn from a seed.

#include <cstddef>
#include <cstdint>
#include <string>

#include <kappa/io/load.hpp>
#include <kappa/io/text.hpp>

#include "strokes.hpp"

namespace examples {

/// What `--data` takes, for a program's help.
inline constexpr char const* data_help =
    "MNIST's IDX files (plain or .gz), features/labels as .npy or .csv in a folder, or one .csv or .npy\n"
    "file with the label last; 784 features, 10 classes. Without it: digits the program draws itself";

/// The data at `path`; where it is empty, `drawn_train` and `drawn_test` drawn digits. Pixels are standardised by one
/// mean and scale, those of the training samples.
/// \throws as kappa::io::load; shape_mismatch when there are not 784 features
inline kappa::io::train_and_test<float> digits(std::string const& path, std::size_t drawn_train, std::size_t drawn_test,
                                               std::uint64_t seed) {
  namespace io = kappa::io;
  auto sets = path.empty() ? io::train_and_test<float>{strokes::dataset<float>(drawn_train, seed),
                                                       strokes::dataset<float>(drawn_test, seed, drawn_train),
                                                       "drawn digits, seed " + std::to_string(seed)}
                           : io::load<float>(path, {.test_fraction = 0.2, .seed = seed, .classes = 10});
  if (sets.train.features() != strokes::side * strokes::side)
    throw kappa::shape_mismatch(path + ": this network takes 784 features, the data have " +
                                std::to_string(sets.train.features()));
  auto const scale = io::fit_standardization(sets.train, io::standardize::overall);
  return {io::apply(scale, std::move(sets.train)), io::apply(scale, std::move(sets.test)), sets.source};
}

}  // namespace examples
