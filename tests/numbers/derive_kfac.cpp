// Where K-FAC is exact, and where it is not: blocks B ⊗ A against the Gauss-Newton matrix's diagonal blocks for deep
// linear networks with squared error (Eschenhagen et al. 2023, Propositions 1 and 2).

#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "networks.hpp"
#include "reference.hpp"
#include "worst.hpp"

namespace {

using namespace kappa;
using namespace kappa::test_networks;
namespace ref = kappa::reference;

// For every parameter the relative error, in the Frobenius norm, of the K-FAC block; its factors may be scaled.
template <class Objective>
std::vector<double> block_errors(auto const& quantity, double scale = 1) {
  using net = typename Objective::network;
  constexpr int samples = 5;
  auto const theta = ref::random_theta<net, double>(21);
  auto const b = ref::random_batch<Objective, double>(samples, 22, ref::targets::vectors);
  auto const dense = ref::ggn<Objective, double>(theta, b);
  auto const q = derive<Objective>(theta, batch<double>(b.inputs, b.vectors), quantity);
  auto const blocks = q[quantity].blocks();
  std::vector<double> errors;
  for (std::size_t p = 0; p < blocks.size(); ++p) {
    // The operator's own coordinates are the flat parameters of the layer.
    auto const block = to_dense(blocks[p]);
    auto const offset = static_cast<std::size_t>(net::parameters[p].offset);
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < block.shape(0); ++i)
      for (std::size_t j = 0; j < block.shape(1); ++j) {
        double const exact_entry = dense[(offset + i) * static_cast<std::size_t>(net::parameter_count) + offset + j];
        difference += std::pow(scale * block(i, j) - exact_entry, 2);
        norm += exact_entry * exact_entry;
      }
    REQUIRE(norm > 1e-6);
    errors.push_back(std::sqrt(difference / norm));
  }
  return errors;
}

template <class Objective>
void is_exact(auto const& quantity) {
  for (double error : block_errors<Objective>(quantity)) CHECK(error < 1e-12);
  for (double error : block_errors<Objective>(quantity, 1.001)) CHECK(error > 1e-4);  // the check sees a scale
}

// At least one block is off; those above an aggregation see one position and may be exact in both.
template <class Objective>
void is_not_exact(auto const& quantity) {
  double worst = 0;
  for (double error : block_errors<Objective>(quantity)) worst = worst_of(worst, error);
  CHECK(worst > 1e-3);
}

}  // namespace

TEST_CASE("without shared positions expand and reduce are the same and exact") {
  is_exact<linear_mean>(kfac<expand>);
  is_exact<linear_mean>(kfac<reduce>);
  is_exact<linear_sum>(kfac<expand>);
  is_exact<linear_sum>(kfac<reduce>);
  is_not_exact<linear_mean>(kfac<expand, empirical>);
}

TEST_CASE("expand is exact where the loss has a term per position, for every reduction; reduce is not") {
  is_exact<linear_expand>(kfac<expand>);
  is_exact<linear_expand_mean>(kfac<expand>);
  is_exact<linear_expand_sum>(kfac<expand>);
  is_not_exact<linear_expand>(kfac<reduce_unaggregated>);
  is_not_exact<linear_expand_mean>(kfac<reduce_unaggregated>);
  is_not_exact<linear_expand_sum>(kfac<reduce_unaggregated>);
}

TEST_CASE("reduce is exact where positions are aggregated before the loss, by mean or sum; expand is not") {
  is_exact<linear_reduce_mean>(kfac<reduce>);
  is_exact<linear_reduce_sum>(kfac<reduce>);
  is_not_exact<linear_reduce_mean>(kfac<expand>);
  is_not_exact<linear_reduce_sum>(kfac<expand>);
}

namespace {

// The mean over `seeds` of the last layer's Monte Carlo factor B, and its relative distance to the exact one.
template <class Objective, ref::targets Kind, int Draws>
double monte_carlo_error(std::uint64_t seeds, double scale = 1) {
  using net = typename Objective::network;
  auto const theta = ref::random_theta<net, double>(31);
  auto const b = ref::random_batch<Objective, double>(6, 32, Kind);
  batch<double> const data = b.labels.empty() ? batch<double>(b.inputs, b.vectors) : batch<double>(b.inputs, b.labels);
  auto const reference = derive<Objective>(theta, data, kfac<expand>);
  auto const exact_factor = reference.factors(kfac<expand>).back().outputs;
  std::vector<double> mean(exact_factor.rows * exact_factor.columns);
  auto work = workspace_for<Objective, double>(6, kfac<expand, monte_carlo<Draws>>);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    auto const q = derive(work, theta, data, kfac<expand, monte_carlo<Draws>>(seed));
    auto const drawn = q.factors(kfac<expand, monte_carlo<Draws>>).back().outputs;
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += scale * drawn.data[i] / static_cast<double>(seeds);
  }
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < mean.size(); ++i) {
    difference += std::pow(mean[i] - exact_factor.data[i], 2);
    norm += exact_factor.data[i] * exact_factor.data[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace

TEST_CASE("Monte Carlo factors are unbiased, for every loss that can draw, and converge like 1/√draws") {
  // 3000 seeds with 4 draws: a relative standard error below 2 %.
  CHECK(monte_carlo_error<labelled, ref::targets::labels, 4>(3000) < 0.03);
  CHECK(monte_carlo_error<regression, ref::targets::vectors, 4>(3000) < 0.03);
  CHECK(monte_carlo_error<smooth, ref::targets::vectors, 4>(3000) < 0.03);
  CHECK(monte_carlo_error<tokens, ref::targets::labels, 4>(3000) < 0.03);
  CHECK(monte_carlo_error<labelled, ref::targets::labels, 4>(3000, 1.1) > 0.05);  // a wrong scale is seen
  double const few = monte_carlo_error<labelled, ref::targets::labels, 1>(50);
  double const many = monte_carlo_error<labelled, ref::targets::labels, 64>(50);
  CHECK(many < few / 4);
  CHECK(many > few / 16);
}

TEST_CASE("Monte Carlo draws depend on the seed alone") {
  auto const theta = ref::random_theta<perceptron, double>(41);
  auto const b = ref::random_batch<labelled, double>(7, 42, ref::targets::labels);
  auto const factor = [&](std::uint64_t seed, int thread_count) {
    set_threads(thread_count);
    auto const q = derive<labelled>(theta, batch<double>(b.inputs, b.labels), kfac<expand, monte_carlo<2>>(seed));
    auto const view = q.factors(kfac<expand, monte_carlo<2>>).front().outputs;
    return std::vector<double>(view.data, view.data + view.rows * view.columns);
  };
  CHECK(factor(5, 1) == factor(5, 2));
  CHECK(factor(5, 1) != factor(6, 1));
}
