// A batch that goes through the layers in blocks gives what it gives as a whole: every quantity that is gathered so,
// each on one thread, where blocks are several, and on as many as make them one.

#include <cstddef>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra/operations.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

#include "held.hpp"
#include "reference.hpp"

using namespace kappa;
using held_numbers::held;
using held_numbers::numbers;
using kappa::reference::relative_error;

namespace {

struct image_net : network<input<16, 16, 2> | conv<8, 3, padding<1>> | act::relu | max_pool<2> |
                           conv<8, 3, padding<1>, "shared"> | act::tanh | conv<8, 3, padding<1>, "shared"> |
                           group_norm<2> | dropout<1, 4> | conv<3, 3> | act::sigmoid | flatten | dense<5>> {};
struct images : objective<image_net, cross_entropy> {};
struct token_net
    : network<input<64> | embedding<30, 32> | act::tanh | dense<24> | act::tanh | mean_over_positions | dense<3>> {};
struct tokens : objective<token_net, squared_error> {};
struct sentence_net : network<input<64> | ragged | embedding<30, 32> | act::tanh | dense<24> | act::tanh |
                              masked_mean_over_positions | dense<3>> {};
struct sentences : objective<sentence_net, squared_error> {};

constexpr std::size_t samples = 40;
template <objective_type Objective, class... Quantities>
using blocks_for = detail::sample_blocks<double, Objective, request_of<Quantities...>()>;

struct data {
  vector<double> theta;
  std::vector<double> x, along;
  std::vector<int> labels;
  std::vector<double> targets;
};
template <objective_type Objective>
data data_of(int vocabulary) {
  using net = typename Objective::network;
  data d{initialise<net, double>(7), {}, {}, {}, {}};
  counter_random random(8);
  for (std::size_t i = 0; i < samples * static_cast<std::size_t>(net::input_shape.size()); ++i)
    d.x.push_back(vocabulary > 0 ? static_cast<double>(random.below(static_cast<std::uint32_t>(vocabulary)))
                                 : random.normal());
  for (std::size_t i = 0; i < static_cast<std::size_t>(net::parameter_count); ++i) d.along.push_back(random.normal());
  for (std::size_t i = 0; i < samples; ++i) d.labels.push_back(static_cast<int>(random.below(5)));
  for (std::size_t i = 0; i < samples * 3; ++i) d.targets.push_back(random.normal());
  return d;
}
auto batch_of(data const& d, images*) {
  batch b(d.x, d.labels);
  b.side.seed = 11;
  return b;
}
auto batch_of(data const& d, tokens*) { return batch(d.x, d.targets); }

/// Sentences of 1 to 64 tokens.
batch<double> batch_of(data const& d, sentences*) {
  static std::vector<unsigned char> const mask = [] {
    std::vector<unsigned char> all;
    for (std::size_t n = 0; n < samples; ++n)
      for (std::size_t r = 0; r < 64; ++r) all.push_back(r <= (n * 37) % 64 ? 1 : 0);
    return all;
  }();
  batch b(d.x, d.targets);
  b.side.mask = mask;
  return b;
}

/// The quantities on one thread and on so many that a block is the batch.
template <objective_type Objective, quantity... Quantities>
void agrees(data const& d, Quantities const&... quantities) {
  using size_of = blocks_for<Objective, Quantities...>;
  STATIC_REQUIRE(size_of::pay);
  REQUIRE(size_of::size(samples, 1) < samples / 2);
  constexpr int many = static_cast<int>((samples + size_of::own - 1) / size_of::own);
  auto const b = batch_of(d, static_cast<Objective*>(nullptr));
  auto const on = [&](int thread_count) {
    set_threads(thread_count);
    auto q = derive<Objective>(d.theta, b, quantities...);
    return std::vector<std::vector<double>>{held(q, quantities)...};
  };
  auto const cut = on(1), together = on(many);
  for (std::size_t i = 0; i < cut.size(); ++i) {
    INFO("quantity " << i);
    CHECK(relative_error(cut[i], together[i]) < 1e-12);
  }
  set_threads(1);
}

}  // namespace

TEST_CASE("gradients, norms, diagonals and products of convolutions do not depend on blocks") {
  auto const d = data_of<images>(0);
  agrees<images>(d, loss_value, gradient, per_sample_gradient_norms, per_sample_gradient);
  agrees<images>(d, ggn_diagonal, per_sample_ggn_diagonal, ggn_diagonal_from<empirical>, gradient);
  agrees<images>(d, ggn_diagonal_from<monte_carlo<2>>(5), ggn_vector_product(d.along));
  agrees<images>(d, hessian_vector_product(d.along));
}

TEST_CASE("K-FAC factors of convolutions do not depend on blocks, whatever the source") {
  auto const d = data_of<images>(0);
  agrees<images>(d, kfac<expand>, kfac<reduce>, kfac<automatic>);
  agrees<images>(d, kfac<expand, monte_carlo<3>>(4), kfac<reduce, empirical>, kfac<expand, exact, separate_bias>);
  agrees<images>(d, kfac<expand, random_signs<2>>(6), kfac<reduce, forward_only>, gradient);
}

TEST_CASE("tables and their frequencies are gathered over blocks") {
  auto const d = data_of<tokens>(30);
  agrees<tokens>(d, loss_value, gradient, ggn_diagonal, ggn_vector_product(d.along));
  agrees<tokens>(d, kfac<expand>, kfac<reduce>, kfac<automatic>, kfac<expand, empirical>);
}

TEST_CASE("a block's samples have their own masks; K-FAC beside padding counts positions first, of all samples") {
  auto const d = data_of<sentences>(30);
  agrees<sentences>(d, loss_value, gradient, per_sample_gradient_norms, ggn_diagonal, ggn_vector_product(d.along));
  STATIC_REQUIRE_FALSE(blocks_for<sentences, kfac_t<expand_t, exact_t, joint_bias_t>>::add_up);
}

TEST_CASE("a gradient gathered over blocks is the mean of the samples' own, and no other weighting of them") {
  auto const d = data_of<tokens>(30);
  set_threads(1);
  auto const total = numbers(derive<tokens>(d.theta, batch_of(d, static_cast<tokens*>(nullptr)), gradient)[gradient]);
  std::vector<double> average(total.size()), skewed(total.size());
  for (std::size_t n = 0; n < samples; ++n) {
    std::vector<double> const x(d.x.begin() + static_cast<std::ptrdiff_t>(n * 64),
                                d.x.begin() + static_cast<std::ptrdiff_t>((n + 1) * 64));
    std::vector<double> const y(d.targets.begin() + static_cast<std::ptrdiff_t>(n * 3),
                                d.targets.begin() + static_cast<std::ptrdiff_t>((n + 1) * 3));
    auto const one = derive<tokens>(d.theta, batch(x, y), gradient);
    for (std::size_t p = 0; p < total.size(); ++p) {
      average[p] += one[gradient][p] / samples;
      skewed[p] += one[gradient][p] / samples * (n == samples - 1 ? 2 : 1);
    }
  }
  CHECK(relative_error(total, average) < 1e-12);
  CHECK(relative_error(total, skewed) > 1e-4);
}

TEST_CASE("blocks bound the memory of a batch, unless vectors are kept") {
  using sums = workspace<images, float, gradient_t>;
  using kept = workspace<images, float, gradient_t, ggn_t>;
  constexpr std::size_t grown = sums::bytes(4096, 1) - sums::bytes(2048, 1);
  STATIC_REQUIRE(grown == 0);
  STATIC_REQUIRE(workspace<images, float, gradient_t, per_sample_gradient_norms_t>::bytes(4096, 1) -
                     workspace<images, float, gradient_t, per_sample_gradient_norms_t>::bytes(2048, 1) ==
                 2048 * sizeof(float));
  STATIC_REQUIRE(sums::bytes(4096, 2) > sums::bytes(4096, 1));
  STATIC_REQUIRE(kept::bytes(4096, 1) > 2 * kept::bytes(2048, 1) - 4096);
  STATIC_REQUIRE_FALSE(blocks_for<images, gradient_t, ggn_t>::add_up);
  STATIC_REQUIRE_FALSE(blocks_for<images, gradient_t, gradient_variance_t>::add_up);
}

TEST_CASE("the explanation says whether a batch goes in blocks") {
  auto const says = [](explanation const& e, char const* what) { return e.text.find(what) != std::string::npos; };
  auto const own = std::to_string(blocks_for<images, gradient_t>::own);
  CHECK(says(explain<images, double>(gradient),
             (" of " + own + " samples a thread, which go through all layers").c_str()));
  CHECK_FALSE(says(explain<images, double>(gradient, ggn), "samples a thread"));
}
