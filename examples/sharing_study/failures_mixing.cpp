// E2: positions mixed by frozen attention.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <kappa/layers.hpp>

#include "failures_layers.hpp"

namespace sharing_study {

namespace {

// A frozen attention: the adjacency that comes with a batch is its matrix of scores.
struct mixed_net : network<input<4, 4> | dense<3> | graph_sum | dense<3> | graph_sum | dense<2>> {};
struct mixed_expand : objective<mixed_net, squared_error> {};
struct mixed_pooled_net
    : network<input<4, 4> | dense<3> | graph_sum | dense<3> | graph_sum | dense<2> | mean_over_positions> {};
struct mixed_reduce : objective<mixed_pooled_net, squared_error> {};
enum class scores { rows, columns };

/// Random 4 x 4 scores, a matrix a sample, whose rows or columns sum to 1.
std::vector<double> random_scores(std::size_t samples, std::uint64_t seed, scores sum_to_one) {
  counter_random random(seed, 7);
  std::vector<double> all(16 * samples);
  for (double& v : all) v = random.uniform();
  for (std::size_t n = 0; n < samples; ++n)
    for (std::size_t i = 0; i < 4; ++i) {
      auto const at = [&](std::size_t j) -> double& {
        return all[16 * n + (sum_to_one == scores::rows ? 4 * i + j : 4 * j + i)];
      };
      double total = 0;
      for (std::size_t j = 0; j < 4; ++j) total += at(j);
      for (std::size_t j = 0; j < 4; ++j) at(j) /= total;
    }
  return all;
}

}  // namespace

void failures_of_mixing(experiment& e, io::table& table, settings const& s) {
  auto const largest = [](std::vector<double> const& v) { return std::ranges::max(v); };
  char const* const other_scores = "other random scores than the reference's.";
  auto const rows = [](auto& at, std::size_t d) { at.adjacency = random_scores(5, 500 + d, scores::rows); };
  auto const columns = [](auto& at, std::size_t d) { at.adjacency = random_scores(5, 500 + d, scores::columns); };
  auto const attention = errors_over_draws<mixed_reduce>(s, rows);
  layers_row(table, "scores with rows of sum 1, mean at the end", "reduce", attention.reduce);
  layers_row(table, "scores with rows of sum 1, mean at the end", "expand", attention.expand);
  auto const everywhere = errors_over_draws<mixed_expand>(s, rows);
  layers_row(table, "scores with rows of sum 1, a loss at every position", "expand", everywhere.expand);
  auto const balanced = errors_over_draws<mixed_reduce>(s, columns);
  layers_row(table, "scores with columns of sum 1, mean at the end", "reduce", balanced.reduce);
  e.covers("frozen attention, mean at the end, reduce in layer 1", spread_of(attention.reduce[0]), 0.059, other_scores);
  e.covers("frozen attention, mean at the end, reduce in layer 2", spread_of(attention.reduce[1]), 0.026, other_scores);
  e.exact("frozen attention, mean at the end, reduce in layer 3", largest(attention.reduce[2]));
  e.covers("frozen attention, a loss at every position, expand in layer 1", spread_of(everywhere.expand[0]), 0.68,
           other_scores);
  e.covers("frozen attention, a loss at every position, expand in layer 2", spread_of(everywhere.expand[1]), 0.64,
           other_scores);
  for (std::size_t l = 0; l < 3; ++l)
    e.exact("columns of sum 1, mean at the end, reduce in layer " + std::to_string(l + 1), largest(balanced.reduce[l]));
}

}  // namespace sharing_study
