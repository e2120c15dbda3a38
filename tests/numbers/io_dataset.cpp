// Data sets: checked when made, split the same way for a seed, standardized; `load` finds what is there.

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <kappa/io/load.hpp>

#include "io_scratch.hpp"

using namespace kappa;
using scratch::message;
using scratch::says;

namespace {

template <real T>
io::dataset<T> counted(std::size_t n, std::size_t features) {
  auto inputs = zeros<T>(n, features);
  auto labels = zeros<int>(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < features; ++j) inputs(i, j) = static_cast<T>(i * 10 + j * j);
    labels(i) = static_cast<int>(i % 3);
  }
  return io::make_dataset(std::move(inputs), std::move(labels));
}

// Mean and variance of a column (or of all), the long way, in long double.
template <real T>
std::pair<double, double> moments(io::dataset<T> const& data, std::size_t from, std::size_t to) {
  long double sum = 0, squares = 0, count = 0;
  for (std::size_t i = 0; i < data.size(); ++i)
    for (auto j = from; j < to; ++j, ++count) sum += static_cast<long double>(data.inputs(i, j));
  for (std::size_t i = 0; i < data.size(); ++i)
    for (auto j = from; j < to; ++j)
      squares += std::pow(static_cast<long double>(data.inputs(i, j)) - sum / count, 2.0L);
  return {static_cast<double>(sum / count), static_cast<double>(squares / count)};
}

}  // namespace

TEST_CASE("a data set is checked when it is made") {
  auto const make = [](std::size_t n, std::size_t d, std::size_t labels, int label = 0, double x = 1, int classes = 0,
                       std::vector<std::size_t> shape = {}) {
    auto inputs = zeros<double>(n, d);
    auto l = zeros<int>(labels);
    if (inputs.size()) inputs.data()[inputs.size() - 1] = x;
    if (labels) l(labels - 1) = label;
    return io::make_dataset(std::move(inputs), std::move(l), classes, std::move(shape), "toy");
  };
  CHECK(make(3, 4, 3, 6).classes == 7);
  CHECK(make(3, 4, 3, 6, 1, 10).classes == 10);
  CHECK(make(3, 4, 3).feature_shape == std::vector<std::size_t>{4});
  CHECK(make(3, 4, 3, 0, 1, 0, {2, 2}).feature_shape.size() == 2);
  CHECK(says(message<shape_mismatch>([&] { make(3, 4, 2); }), "toy", "3 samples", "2 labels"));
  CHECK(says(message<shape_mismatch>([&] { make(0, 4, 0); }), "0 samples"));
  CHECK(says(message<shape_mismatch>([&] { make(3, 0, 3); }), "0 features"));
  CHECK(says(message<shape_mismatch>([&] { make(3, 4, 3, 0, 1, 0, {2, 3}); }), "[2, 3]", "6", "4 features"));
  CHECK(says(message<invalid_value>([&] { make(3, 4, 3, 10, 1, 10); }), "label 2 is 10", "[0, 10)"));
  CHECK(says(message<invalid_value>([&] { make(3, 4, 3, -1); }), "label 2 is -1"));
  CHECK(says(message<invalid_value>([&] { make(3, 4, 3, 0, std::nan("")); }), "feature 3 of sample 2", "nan"));
  CHECK(says(message<invalid_value>([&] { make(3, 4, 3, 0, HUGE_VAL); }), "feature 3 of sample 2", "inf"));
}

TEST_CASE("rows are views") {
  auto const data = counted<float>(5, 2);
  CHECK(data.input_rows(1, 3).size() == 4);
  CHECK(data.input_rows(1, 3).data() == &data.inputs(1, 0));
  CHECK(data.label_rows(4, 5)[0] == 1);
}

TEST_CASE("a split keeps every sample once, with its label, and is the same for a seed") {
  auto const data = counted<double>(100, 2);
  auto const parts = io::split(data, 0.25, 7);
  CHECK(parts.train.size() == 75);
  CHECK(parts.test.size() == 25);
  std::vector<double> seen;
  for (auto const* part : {&parts.train, &parts.test})
    for (std::size_t i = 0; i < part->size(); ++i) {
      auto const index = part->inputs(i, 0) / 10;
      seen.push_back(index);
      CHECK(part->labels(i) == static_cast<int>(index) % 3);
      CHECK(part->inputs(i, 1) == part->inputs(i, 0) + 1);
    }
  std::ranges::sort(seen);
  for (std::size_t i = 0; i < 100; ++i) CHECK(seen[i] == static_cast<double>(i));
  CHECK((io::split(data, 0.25, 7).test.inputs == parts.test.inputs));
  CHECK((io::split(data, 0.25, 8).test.inputs != parts.test.inputs));
  CHECK(io::split(data, 0.999, 7).train.size() == 1);
  CHECK(io::split(data, 1e-9, 7).test.size() == 1);
  CHECK(says(message<invalid_value>([&] { io::split(data, 1.0, 7); }), "fraction is 1"));
  CHECK(says(message<invalid_value>([&] { io::split(data, std::nan(""), 7); }), "fraction is nan"));
  CHECK(says(message<shape_mismatch>([&] { io::split(counted<double>(1, 1), 0.5, 7); }), "at least 2"));
  std::vector<std::size_t> const past{100};
  CHECK(says(message<invalid_value>([&] { io::take(data, std::span<std::size_t const>(past)); }), "sample 100"));
}

TEST_CASE("shuffled indices: these are for ever, whatever the machine") {
  CHECK(io::shuffled_indices(8, 1) == io::shuffled_indices(8, 1));
  CHECK(io::shuffled_indices(8, 1) != io::shuffled_indices(8, 2));
  // Every first place is about as likely: 8,000 seeds, 1,000 expected, standard deviation 30.
  std::vector<int> counts(8);
  for (std::uint64_t seed = 0; seed < 8000; ++seed) ++counts[io::shuffled_indices(8, seed)[0]];
  for (auto const count : counts) CHECK(std::abs(count - 1000) < 150);
}

TEMPLATE_TEST_CASE("standardized data have mean 0 and variance 1", "", float, double) {
  double const tolerance = sizeof(TestType) == 4 ? 1e-5 : 1e-12;
  auto const data = counted<TestType>(50, 3);
  SECTION("feature by feature") {
    auto const z = io::apply(io::fit_standardization(data), data);
    for (std::size_t j = 0; j < 3; ++j) {
      auto const [mean, variance] = moments(z, j, j + 1);
      CHECK(std::abs(mean) < tolerance);
      CHECK(std::abs(variance - 1) < tolerance);
    }
    auto const [mean, variance] = moments(data, 1, 2);  // the data themselves fail the same check
    CHECK(std::abs(mean) > tolerance);
    CHECK(std::abs(variance - 1) > tolerance);
  }
  SECTION("overall") {
    auto const s = io::fit_standardization(data, io::standardize::overall);
    CHECK(s.mean(0) == s.mean(2));
    auto const [mean, variance] = moments(io::apply(s, data), 0, 3);
    CHECK(std::abs(mean) < tolerance);
    CHECK(std::abs(variance - 1) < tolerance);
    auto const [column, ignored] = moments(io::apply(s, data), 0, 1);
    CHECK(std::abs(column) > 1e-3);
    (void)ignored;
  }
}

TEST_CASE("a feature that does not vary is only shifted; a large mean costs no digits") {
  auto inputs = zeros<double>(4, 2);
  for (std::size_t i = 0; i < 4; ++i) {
    inputs(i, 0) = 0.1;
    inputs(i, 1) = 1e9 + static_cast<double>(i);
  }
  auto const data = io::make_dataset(std::move(inputs), vector<int>(zeros<int>(4)));
  auto const s = io::fit_standardization(data);
  CHECK(s.scale(0) == 1);
  CHECK(s.scale(1) == Approx(1 / std::sqrt(1.25)).epsilon(1e-12));
  CHECK(io::apply(s, data).inputs(2, 0) == 0);
  CHECK(says(message<shape_mismatch>([&] { io::apply(s, counted<double>(2, 3)); }), "2 features", "3"));
}

TEST_CASE("load finds what is there") {
  scratch::folder folder;
  auto const data = counted<double>(10, 4);
  auto const load = [](std::filesystem::path const& path) { return io::load<double>(path, {.test_fraction = 0.3}); };

  io::write_npy(folder.path / "features.npy", data.inputs);
  CHECK(says(message<format_error>([&] { load(folder.path); }), "features.npy", "labels.npy"));
  io::write_npy(folder.path / "labels.npy", data.labels);
  auto const parts = load(folder.path);
  CHECK(parts.train.size() == 7);
  CHECK(parts.test.size() == 3);
  CHECK(says(parts.source, "10 samples", "7 to train", "3 to test"));
  CHECK(parts.train.labels(0) == static_cast<int>(parts.train.inputs(0, 0) / 10) % 3);

  auto joined = zeros<double>(10, 5);
  for (std::size_t i = 0; i < 10; ++i) {
    for (std::size_t j = 0; j < 4; ++j) joined(i, j) = data.inputs(i, j);
    joined(i, 4) = data.labels(i);
  }
  io::write_npy(folder.path / "joined.npy", joined);
  io::write_csv(folder.path / "joined.csv", joined);
  CHECK((load(folder.path / "joined.npy").train.inputs == parts.train.inputs));
  CHECK((load(folder.path / "joined.csv").test.labels == parts.test.labels));
  CHECK((load(folder.gzipped("packed.csv.gz", scratch::content(folder.path / "joined.csv"))).test.labels ==
         parts.test.labels));

  io::write_npy<float>(folder.path / "images.npy", {10, 2, 2}, std::vector<float>(40));
  CHECK(io::load_npy<double>(folder.path / "images.npy", folder.path / "labels.npy").feature_shape ==
        std::vector<std::size_t>{2, 2});
  CHECK(says(message<shape_mismatch>([&] {
               io::write_npy<float>(folder.path / "images.npy", {9, 2, 2}, std::vector<float>(36));
               io::load_npy<double>(folder.path / "images.npy", folder.path / "labels.npy");
             }),
             "9 samples", "10 labels"));

  CHECK(says(message<format_error>([&] { load(folder.path / "nothing.csv"); }), "nothing.csv", "none with this name"));
  CHECK(says(message<format_error>([&] { load(folder.file("x.txt", "1,2")); }), "x.txt", ".txt"));
  CHECK(says(message<invalid_value>([&] { io::load<double>(folder.path / "joined.csv", {.classes = 2}); }), "is 2"));
  scratch::folder empty;
  CHECK(says(message<format_error>([&] { load(empty.path); }), "MNIST"));
}
