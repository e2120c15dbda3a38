// Masks and graphs go along when data is cut: evaluation by chunks, accumulation by batches and mini-batches see what
// the whole batch sees.

#include <algorithm>
#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>
#include <kappa/methods.hpp>

using namespace kappa;

namespace {

using numbers = std::vector<double>;

struct sequence_net : network<input<3, 2> | ragged | dense<3> | act::tanh | masked_mean_over_positions | dense<2>> {};
struct sequences : objective<sequence_net, cross_entropy> {};
struct graph_net : network<input<3, 2> | ragged | graph_convolution<3> | act::tanh | mean_over_nodes | dense<1>> {};
struct graphs : objective<graph_net, squared_error> {};

constexpr std::size_t samples = 5;

numbers wave(std::size_t count) {
  numbers x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = std::sin(0.4 + 1.7 * static_cast<double>(i));
  return x;
}

std::vector<unsigned char> const mask{1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0};
std::vector<int> const labels{0, 1, 1, 0, 1};
// Edges of 15 nodes: 0 - 1 in every sample, and 1 - 2 in the third.
std::vector<int> const row_begin{0, 1, 2, 2, 3, 4, 4, 5, 7, 8, 9, 10, 10, 11, 12, 12};
std::vector<int> const column{1, 0, 1, 0, 1, 0, 2, 1, 1, 0, 1, 0};
numbers const weight = wave(12);

/// Every cut of the data against the whole, and against the whole without what lies beside it, `bare`.
template <class Objective>
void check(batch<double> const& data, batch<double> const& bare) {
  auto const theta = initialise<typename Objective::network, double>(5);
  auto const q = derive<Objective>(theta, data, loss_value, ggn);
  double const whole = q[loss_value];
  REQUIRE(std::abs(whole - derive<Objective>(theta, bare, loss_value)[loss_value]) > 1e-3 * whole);

  CHECK(evaluate<Objective>(theta, data, 2) == Approx(whole).epsilon(1e-13));
  CHECK_FALSE(evaluate<Objective>(theta, bare, 2) == Approx(whole).epsilon(1e-4));

  appended_ggn<Objective, double> all(theta);
  accumulate(all, data, samples, 2);
  auto const joined = eigenvalues(all.matrix()), expected = eigenvalues(q[ggn]);
  REQUIRE(joined.size() == expected.size());
  double largest = 0;
  for (double e : expected) largest = std::max(largest, e);
  REQUIRE(largest > 1e-3);
  for (std::size_t i = 0; i < joined.size(); ++i)
    CHECK(joined(i) == Approx(expected(i)).epsilon(1e-11).margin(1e-13 * largest));

  mini_batches<Objective, double> parts(data, 2, 9);
  for (std::size_t epoch = 0; epoch < 2; ++epoch) {
    parts.begin_epoch(epoch);
    double total = 0;
    for (std::size_t i = 0; i < parts.count(); ++i) {
      auto const part = parts.gather(i);
      auto const size = static_cast<double>(part.inputs.size()) / 6;
      total += size * derive<Objective>(theta, part, loss_value)[loss_value];
    }
    CHECK(total / static_cast<double>(samples) == Approx(whole).epsilon(1e-13));
  }
}

TEST_CASE("masks go along with their samples") {
  numbers const x = wave(samples * 6);
  batch<double> const bare(x, labels);
  batch<double> data = bare;
  data.side.mask = mask;
  check<sequences>(data, bare);
}

TEST_CASE("graphs go along with their samples") {
  numbers const x = wave(samples * 6), y = wave(samples), ones(12, 1);
  batch<double> bare(x, y);
  bare.side.row_begin = row_begin;
  bare.side.column = column;
  batch<double> data = bare;
  data.side.weight = weight;
  data.side.mask = mask;
  check<graphs>(data, bare);

  numbers adjacency(samples * 9);
  for (std::size_t i = 0; i < samples * 3; ++i)
    for (int e = row_begin[i]; e < row_begin[i + 1]; ++e)
      adjacency[i * 3 + static_cast<std::size_t>(column[static_cast<std::size_t>(e)])] =
          weight[static_cast<std::size_t>(e)];
  batch<double> dense(x, y);
  dense.side.adjacency = adjacency;
  dense.side.mask = mask;
  check<graphs>(dense, bare);
}

TEST_CASE("every mini-batch of every epoch has a seed of its own for dropout, and none where the data has none") {
  numbers const x = wave(samples * 6);
  batch<double> data(x, labels);
  mini_batches<sequences, double> dry(data, 2, 9);
  CHECK(dry.gather(0).side.seed == 0);
  data.side.seed = 4;
  mini_batches<sequences, double> parts(data, 2, 9);
  std::vector<std::uint64_t> seeds;
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    parts.begin_epoch(epoch);
    for (std::size_t i = 0; i < parts.count(); ++i) seeds.push_back(parts.gather(i).side.seed);
  }
  std::sort(seeds.begin(), seeds.end());
  CHECK(seeds.front() != 0);
  CHECK(std::adjacent_find(seeds.begin(), seeds.end()) == seeds.end());
}

}  // namespace
