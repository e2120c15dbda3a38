#pragma once
/// \file
/// Labelled samples from disk: MNIST's folder, NPY files, CSV files.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <kappa/io/csv.hpp>
#include <kappa/io/dataset.hpp>
#include <kappa/io/idx.hpp>
#include <kappa/io/npy.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace io {

namespace detail {

/// The file `name` in `folder`, plain or gzipped, if it is there.
inline std::optional<std::filesystem::path> find_packed(std::filesystem::path const& folder, std::string const& name) {
  for (auto const* const suffix : {"", ".gz"})
    if (auto path = folder / (name + suffix); std::filesystem::exists(path)) return path;
  return std::nullopt;
}

inline vector<int> as_labels(stored_array<int> const& array, std::filesystem::path const& path) {
  if (array.shape.size() != 1)
    throw format_error(
        say(path.string(), ": expected labels of rank 1, but the array has shape ", shape_text(array.shape)));
  auto labels = zeros<int>(array.values.size());
  std::ranges::copy(array.values, labels.data());
  return labels;
}

/// One label from a column of numbers.
template <real T>
int as_label(T value, std::size_t row, std::string_view name) {
  if (!(value >= 0 && value < T(most_classes) && value == std::floor(value)))
    throw invalid_value(say(name, ": the label of sample ", row, " is ", value, ", expected a whole number in [0, ",
                            most_classes, ")"));
  return static_cast<int>(value);
}

/// A matrix whose last column is the label.
template <real T>
dataset<T> last_column_is_label(matrix<T> const& values, int classes, std::filesystem::path const& path) {
  auto const n = values.shape(0), columns = values.shape(1);
  if (columns < 2)
    throw format_error(say(path.string(), ": expected features and a label in each row, but there is 1 column"));
  auto inputs = zeros<T>(n, columns - 1);
  auto labels = zeros<int>(n);
  for (std::size_t i = 0; i < n; ++i) {
    std::copy_n(values.data() + i * columns, columns - 1, inputs.data() + i * (columns - 1));
    labels(i) = as_label(values(i, columns - 1), i, path.string());
  }
  return make_dataset(std::move(inputs), std::move(labels), classes, {}, path.string());
}

/// One pair of IDX files, "train" or "t10k"; nothing if neither is there. Bytes become pixel values in [0, 1].
template <real T>
std::optional<dataset<T>> load_mnist_pair(std::filesystem::path const& folder, std::string const& stem, int classes) {
  std::optional<std::filesystem::path> images, labels;
  for (auto const* const dot : {"-", "."}) {  // some mirrors unpack to train-images.idx3-ubyte
    if (!images) images = find_packed(folder, stem + "-images" + dot + "idx3-ubyte");
    if (!labels) labels = find_packed(folder, stem + "-labels" + dot + "idx1-ubyte");
  }
  if (!images && !labels) return std::nullopt;
  if (!images || !labels)
    throw format_error(say(folder.string(), ": found ", stem, (images ? "-images" : "-labels"), " but no ", stem,
                           (images ? "-labels-idx1-ubyte" : "-images-idx3-ubyte"), "[.gz] beside it"));
  input_file file(*images);
  auto header = read_idx_header(file);
  if (header.shape.size() != 3)
    file.fail("expected images of rank 3, but the array has shape ", shape_text(header.shape));
  auto pixels = read_rows<T>(file, header);
  if (header.type == element_type::u1)
    for (auto& pixel : elements(pixels)) pixel /= T(255);
  return make_dataset<T>(std::move(pixels), as_labels(read_idx<int>(*labels), *labels), classes,
                         {header.shape[1], header.shape[2]}, images->string());
}

}  // namespace detail

/// How `load` is to read and split.
struct load_options {
  double test_fraction = 0.2;  ///< of samples that come without a test set
  std::uint64_t seed = 1;      ///< of that split
  int classes = 0;             ///< 0: the highest label plus one
};

/// MNIST's folder, or any with IDX files of these names: train-images-idx3-ubyte, train-labels-idx1-ubyte and the
/// t10k pair, plain or gzipped. Pixels are in [0, 1]. A folder with one pair only has it split.
/// \throws format_error  a missing, truncated or corrupt file
/// \throws shape_mismatch  images and labels that differ in number, train and test that differ in shape
/// \throws invalid_value  a label that is no class, a NaN
template <real T>
train_and_test<T> load_mnist(std::filesystem::path const& folder, load_options options = {}) {
  using detail::say;
  if (options.classes == 0) options.classes = 10;
  auto train = detail::load_mnist_pair<T>(folder, "train", options.classes);
  auto test = detail::load_mnist_pair<T>(folder, "t10k", options.classes);
  if (!train && !test)
    throw format_error(say(folder.string(),
                           ": expected MNIST's files, train-images-idx3-ubyte[.gz] and "
                           "train-labels-idx1-ubyte[.gz] or the t10k pair, but found neither"));
  if (train && test) {
    if (train->feature_shape != test->feature_shape)
      throw shape_mismatch(say(folder.string(), ": the training images are ", detail::shape_text(train->feature_shape),
                               ", the test images ", detail::shape_text(test->feature_shape)));
    auto source = say(folder.string(), ": ", format_number(train->size()), " training and ",
                      format_number(test->size()), " test images");
    return {std::move(*train), std::move(*test), std::move(source)};
  }
  auto result = split(train ? *train : *test, options.test_fraction, options.seed);
  result.source =
      say(folder.string(), ": only the ", train ? "train" : "t10k", " pair, split at random into ",
          format_number(result.train.size()), " training and ", format_number(result.test.size()), " test images");
  return result;
}

/// A CSV file whose last column is the label: a whole number from 0. A header line is allowed.
/// \throws as `read_csv`; invalid_value  a label that is no class
template <real T>
dataset<T> load_csv(std::filesystem::path const& path, int classes = 0) {
  return detail::last_column_is_label<T>(read_csv<T>(path).values, classes, path);
}

/// Features in one CSV file, labels in another (one column), row by row.
/// \throws as `read_csv`; shape_mismatch  files of different length
template <real T>
dataset<T> load_csv(std::filesystem::path const& features, std::filesystem::path const& labels, int classes = 0) {
  auto inputs = read_csv<T>(features).values;
  auto const column = read_csv<double>(labels).values;
  if (column.shape(1) != 1)
    throw format_error(
        detail::say(labels.string(), ": expected one column of labels, but there are ", column.shape(1)));
  auto numbers = zeros<int>(column.size());
  for (std::size_t i = 0; i < column.size(); ++i) numbers(i) = detail::as_label(column(i, 0), i, labels.string());
  return make_dataset<T>(std::move(inputs), std::move(numbers), classes, {}, features.string());
}

/// An NPY matrix whose last column is the label.
/// \throws as `read_npy`; invalid_value  a label that is no class
template <real T>
dataset<T> load_npy(std::filesystem::path const& path, int classes = 0) {
  return detail::last_column_is_label<T>(read_npy_matrix<T>(path), classes, path);
}

/// Features [n, ...] in one NPY file, labels [n] in another.
/// \throws as `read_npy`; shape_mismatch  files of different length
template <real T>
dataset<T> load_npy(std::filesystem::path const& features, std::filesystem::path const& labels, int classes = 0) {
  detail::input_file file(features);
  auto const header = detail::read_npy_header(file);
  auto inputs = detail::read_rows<T>(file, header);
  std::vector<std::size_t> shape(header.shape.begin() + 1, header.shape.end());
  return make_dataset<T>(std::move(inputs), detail::as_labels(read_npy<int>(labels), labels), classes, std::move(shape),
                         features.string());
}

/// Labelled samples from wherever `path` points: MNIST's folder; a folder with features.npy and labels.npy, or
/// features.csv and labels.csv; a .npy or .csv file (or .gz of either) whose last column is the label. What comes
/// without a test set is split at random.
/// \throws format_error, shape_mismatch, invalid_value: a sentence with the file, what was expected, what came
template <real T>
train_and_test<T> load(std::filesystem::path const& path, load_options const& options = {}) {
  using detail::say;
  if (!std::filesystem::exists(path))
    throw format_error(say(path.string(), ": expected a folder or a file, but there is none with this name"));
  auto const divided = [&](dataset<T> const& data) {
    auto result = split(data, options.test_fraction, options.seed);
    result.source =
        say(path.string(), ": ", format_number(data.size()), " samples, split at random into ",
            format_number(result.train.size()), " to train and ", format_number(result.test.size()), " to test");
    return result;
  };
  if (std::filesystem::is_directory(path)) {
    for (auto const* const kind : {".npy", ".csv"}) {
      auto const features = detail::find_packed(path, std::string("features") + kind);
      auto const labels = detail::find_packed(path, std::string("labels") + kind);
      if (!features && !labels) continue;
      if (!features || !labels)
        throw format_error(say(path.string(), ": found ", features ? "features" : "labels", kind, " but no ",
                               features ? "labels" : "features", kind, " beside it"));
      return divided(kind == std::string_view(".npy") ? load_npy<T>(*features, *labels, options.classes)
                                                      : load_csv<T>(*features, *labels, options.classes));
    }
    return load_mnist<T>(path, options);
  }
  auto const stem = path.extension() == ".gz" ? path.stem() : path;
  if (stem.extension() == ".npy") return divided(load_npy<T>(path, options.classes));
  if (stem.extension() == ".csv") return divided(load_csv<T>(path, options.classes));
  throw format_error(say(path.string(), ": expected a folder, or a file named .npy or .csv, but its name ends in '",
                         path.extension().string(), "'"));
}

}
}  // namespace kappa::io
