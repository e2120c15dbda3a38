#pragma once
/// \file
/// Labelled samples for classification, and what is done to them before training: checked, shuffled, split,
/// standardized.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kappa/io/text.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

/// Labelled samples. `inputs` is [n, features], one sample a row; `labels` is [n] with values in [0, classes);
/// `feature_shape` says what a row is, {28, 28} for an image, its product is the number of features.
template <real T>
struct dataset {
  matrix<T> inputs;
  vector<int> labels;
  int classes = 0;
  std::vector<std::size_t> feature_shape;

  std::size_t size() const { return inputs.shape(0); }
  std::size_t features() const { return inputs.shape(1); }

  /// Samples [begin, end) as one span of inputs, and their labels: a mini-batch without a copy.
  std::span<T const> input_rows(std::size_t begin, std::size_t end) const {
    return elements(inputs).subspan(begin * features(), (end - begin) * features());
  }
  std::span<int const> label_rows(std::size_t begin, std::size_t end) const {
    return elements(labels).subspan(begin, end - begin);
  }
};

/// What to train on and what to test on. `source` is a sentence that says where the samples came from.
template <real T>
struct train_and_test {
  dataset<T> train, test;
  std::string source;
};

/// More classes than this are taken for a mistake (a column that is no label).
inline constexpr int most_classes = 65536;

/// Makes a data set of its parts and checks it. `classes` = 0 counts them: the highest label plus one. An empty
/// `feature_shape` is {features}. `name` begins every message.
/// \throws shape_mismatch  as many labels as rows, at least one sample and one feature, a shape that fits
/// \throws invalid_value  a label that is no class, a NaN or an infinity
template <real T>
dataset<T> make_dataset(matrix<T> inputs, vector<int> labels, int classes = 0,
                        std::vector<std::size_t> feature_shape = {}, std::string_view name = "data set") {
  using detail::say;
  auto const n = inputs.shape(0), features = inputs.shape(1);
  if (labels.size() != n)
    throw shape_mismatch(
        say(name, ": expected one label per sample, but there are ", n, " samples and ", labels.size(), " labels"));
  if (n == 0 || features == 0)
    throw shape_mismatch(
        say(name, ": expected samples with features, but there are ", n, " samples of ", features, " features"));
  if (feature_shape.empty()) feature_shape = {features};
  auto const product = std::accumulate(feature_shape.begin(), feature_shape.end(), std::size_t{1}, std::multiplies<>{});
  if (product != features)
    throw shape_mismatch(say(name, ": the feature shape ", detail::shape_text(feature_shape), " has ", product,
                             " elements, but a sample has ", features, " features"));
  int const limit = classes > 0 ? classes : most_classes;
  for (std::size_t i = 0; i < n; ++i)
    if (labels(i) < 0 || labels(i) >= limit)
      throw invalid_value(say(name, ": label ", i, " is ", labels(i), ", expected a class in [0, ", limit, ")"));
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!std::isfinite(inputs.data()[i]))
      throw invalid_value(say(name, ": feature ", i % features, " of sample ", i / features, " is ", inputs.data()[i],
                              ", expected a finite number"));
  if (classes <= 0) classes = 1 + *std::ranges::max_element(elements(labels));
  return {std::move(inputs), std::move(labels), classes, std::move(feature_shape)};
}

/// The samples with the given indices, in their order.
/// \throws invalid_value  an index past the end
template <real T>
dataset<T> take(dataset<T> const& data, std::span<std::size_t const> indices) {
  auto const features = data.features();
  dataset<T> taken{zeros<T>(indices.size(), features), zeros<int>(indices.size()), data.classes, data.feature_shape};
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] >= data.size())
      throw invalid_value(detail::say("sample ", indices[i], " was asked of a data set of ", data.size()));
    std::copy_n(data.inputs.data() + indices[i] * features, features, taken.inputs.data() + i * features);
    taken.labels(i) = data.labels(indices[i]);
  }
  return taken;
}

/// The numbers 0 to n-1 in an order that depends on the seed only (SplitMix64 and Fisher-Yates), on every machine.
inline std::vector<std::size_t> shuffled_indices(std::size_t n, std::uint64_t seed) {
  std::vector<std::size_t> indices(n);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  std::uint64_t state = seed;
  for (auto i = n; i > 1; --i) {
    auto z = state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    z ^= z >> 31U;
    std::swap(indices[i - 1], indices[static_cast<std::size_t>(z % i)]);  // the bias is below i/2⁶⁴
  }
  return indices;
}

/// Splits at random, the same way for a seed: round(test_fraction n) samples to test on, at least one on each side.
/// \throws invalid_value  a fraction outside (0, 1)
/// \throws shape_mismatch  fewer than two samples
template <real T>
train_and_test<T> split(dataset<T> const& data, double test_fraction, std::uint64_t seed) {
  if (!(test_fraction > 0 && test_fraction < 1))
    throw invalid_value(detail::say("the test fraction is ", test_fraction, ", expected one between 0 and 1"));
  auto const n = data.size();
  if (n < 2) throw shape_mismatch(detail::say("expected at least 2 samples to split, but there are ", n));
  auto const wanted = static_cast<std::size_t>(std::llround(test_fraction * static_cast<double>(n)));
  auto const tested = std::clamp<std::size_t>(wanted, 1, n - 1);
  auto const order = shuffled_indices(n, seed);
  auto const indices = std::span<std::size_t const>(order);
  return {take(data, indices.subspan(tested)), take(data, indices.first(tested)), {}};
}

/// x ↦ (x - mean) * scale, feature by feature.
template <real T>
struct standardization {
  vector<T> mean, scale;
};

/// Whether all features share one mean and scale (pixels of an image) or each has its own (columns of a table).
enum class standardize { overall, per_feature };

/// The standardization that gives the data mean 0 and variance 1 (the biased one, over n). Features that do not
/// vary get scale 1. Sums are in double, about the first sample's value. Cost O(n · features).
template <real T>
standardization<T> fit_standardization(dataset<T> const& data, standardize how = standardize::per_feature) {
  auto const n = data.size(), features = data.features();
  if (n == 0) throw shape_mismatch("expected samples to standardize, but there are none");
  bool const overall = how == standardize::overall;
  std::vector<double> sum(features), squares(features);
  auto const origin = [&](std::size_t j) { return static_cast<double>(data.inputs(0, overall ? 0 : j)); };
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < features; ++j) {
      auto const x = static_cast<double>(data.inputs(i, j)) - origin(j);
      sum[j] += x;
      squares[j] += x * x;
    }
  auto count = static_cast<double>(n);
  if (overall) {
    count *= static_cast<double>(features);
    std::ranges::fill(sum, std::accumulate(sum.begin(), sum.end(), 0.0));
    std::ranges::fill(squares, std::accumulate(squares.begin(), squares.end(), 0.0));
  }
  standardization<T> result{zeros<T>(features), zeros<T>(features)};
  for (std::size_t j = 0; j < features; ++j) {
    auto const mean = sum[j] / count, square = squares[j] / count, variance = square - mean * mean;
    result.mean(j) = static_cast<T>(origin(j) + mean);
    result.scale(j) = variance > 1e-14 * square ? static_cast<T>(1 / std::sqrt(variance)) : T(1);
  }
  return result;
}

/// The data set, standardized. Fit on the training samples, apply to both.
/// \throws shape_mismatch  another number of features
template <real T>
dataset<T> apply(standardization<T> const& s, dataset<T> data) {
  if (s.mean.size() != data.features())
    throw shape_mismatch(
        detail::say("a standardization of ", s.mean.size(), " features was applied to samples of ", data.features()));
  for (std::size_t i = 0; i < data.size(); ++i)
    for (std::size_t j = 0; j < data.features(); ++j) data.inputs(i, j) = (data.inputs(i, j) - s.mean(j)) * s.scale(j);
  return data;
}

}
}  // namespace kappa::io
