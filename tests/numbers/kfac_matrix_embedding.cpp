// K-FAC of an embedding, B and the diagonal of its frequencies: that of a dense layer without bias over one-hot rows,
// the Gauss-Newton block of deep linear networks, tied tables, padding.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

#include "one_hot.hpp"
#include "reference.hpp"

using namespace kappa;
namespace ref = kappa::reference;

namespace {

constexpr int length = 5, vocabulary = 4, features = 3, count = 4;

struct token_net : network<input<length> | embedding<vocabulary, features> | act::tanh | dense<2> | act::tanh |
                           mean_over_positions | dense<3>> {};
struct hot_net : network<input<length, vocabulary> | dense<features, no_bias> | act::tanh | dense<2> | act::tanh |
                         mean_over_positions | dense<3>> {};
struct masked_token_net : network<input<length> | ragged | embedding<vocabulary, features> | act::tanh | dense<2> |
                                  masked_sum_over_positions | dense<3>> {};
struct masked_hot_net : network<input<length, vocabulary> | ragged | dense<features, no_bias> | act::tanh | dense<2> |
                                masked_sum_over_positions | dense<3>> {};
// One table read at both ends of a sentence.
struct tied_net : network<input<length> |
                          concatenate_along<0>(slice<0, 0, 2> | embedding<vocabulary, features, "E">,
                                               slice<0, 2, 3> | embedding<vocabulary, features, "E">) |
                          act::tanh | dense<2> | act::tanh | mean_over_positions | dense<3>> {};

// No row of the table is read twice as often as another, and one never.
std::vector<double> const tokens{0, 1, 1, 2, 0, 1, 0, 1, 1, 1, 2, 2, 0, 1, 1, 0, 2, 1, 1, 2};
std::vector<int> const labels{0, 2, 1, 2};
std::vector<unsigned char> const mask{1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0};

std::vector<double> by_rows(std::span<double const> twin) {
  return kappa::one_hot::as_table(twin, vocabulary, features);
}
/// A matrix [P, P] likewise.
std::vector<double> by_rows(matrix<double> const& twin) {
  std::size_t const p = twin.shape(0);
  std::vector<double> half, whole(p * p);
  for (std::size_t i = 0; i < p; ++i)
    for (double v : by_rows(std::span<double const>(twin.data() + i * p, p))) half.push_back(v);
  for (std::size_t j = 0; j < p; ++j) {
    std::vector<double> column;
    for (std::size_t i = 0; i < p; ++i) column.push_back(half[i * p + j]);
    column = by_rows(column);
    for (std::size_t i = 0; i < p; ++i) whole[i * p + j] = column[i];
  }
  return whole;
}

double distance(std::span<double const> x, std::span<double const> y, double scale = 1) {
  REQUIRE(x.size() == y.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += (scale * x[i] - y[i]) * (scale * x[i] - y[i]);
    norm += y[i] * y[i];
  }
  REQUIRE(norm > 0);
  return std::sqrt(difference / norm);
}

template <class Net, class Twin>
struct pair_of {
  using objective = kappa::objective<Net, cross_entropy>;
  using twin = kappa::objective<Twin, cross_entropy>;
};

/// The factors of a table against those of its dense twin.
void check_factors(kfac_factors<double> const& table, kfac_factors<double> const& twin, double positions) {
  REQUIRE(table.inputs.rows == 1);
  REQUIRE(table.inputs.columns == vocabulary);
  REQUIRE(twin.inputs.rows == vocabulary);
  CHECK(table.parameter.inputs == vocabulary);
  CHECK(table.parameter.outputs == features);
  std::vector<double> spread(vocabulary * vocabulary), swapped(vocabulary * vocabulary);
  for (std::size_t v = 0; v < vocabulary; ++v) {
    spread[v * (vocabulary + 1)] = table.inputs(0, v);
    swapped[v * (vocabulary + 1)] = table.inputs(0, v ^ 1u);
  }
  auto const a = twin.inputs.elements(), b = twin.outputs.elements();
  CHECK(distance(spread, a) < 1e-13);
  CHECK(distance(swapped, a) > 1e-2);
  CHECK(distance(spread, a, positions) > 0.9);
  CHECK(distance(table.outputs.elements(), b) < 1e-12);
  CHECK(distance(table.outputs.elements(), b, positions) > 0.9);
}

template <class Pair>
void check_twins(std::vector<unsigned char> const& valid) {
  using objective = typename Pair::objective;
  using twin = typename Pair::twin;
  auto const theta_twin = ref::random_theta<typename twin::network, double>(5);
  auto const theta = by_rows(theta_twin);
  auto const hot = kappa::one_hot::rows_of(tokens, vocabulary);
  batch<double> words(tokens, labels), rows(hot, labels);
  words.side.mask = rows.side.mask = valid;
  auto const v = ref::random_theta<typename twin::network, double>(9);
  constexpr auto drawn = kfac<expand, monte_carlo<2>>;
  constexpr auto signs = kfac<expand, random_signs<2>>;
  auto const quantities = [&]<class Objective>(std::vector<double> const& at, batch<double> const& b,
                                               std::vector<double> const& direction, Objective) {
    return derive<Objective>(at, b, gradient, ggn_vector_product(direction), hessian_vector_product(direction),
                             kfac<expand>, drawn(3), kfac<expand, empirical>, signs(4), kfac<expand, forward_only>,
                             kfac<reduce>, kfac<automatic>, ekfac<expand>);
  };
  auto const q = quantities(theta, words, by_rows(v), objective());
  auto const t = quantities(theta_twin, rows, v, twin());
  // None of these wants the table's vectors sample by sample.
  CHECK(distance(q[gradient], by_rows(t[gradient])) < 1e-12);
  CHECK(distance(q[ggn_vector_product], by_rows(t[ggn_vector_product])) < 1e-12);
  CHECK(distance(q[hessian_vector_product], by_rows(t[hessian_vector_product])) < 1e-12);

  check_factors(q.factors(kfac<expand>)[0], t.factors(kfac<expand>)[0], length);
  check_factors(q.factors(drawn)[0], t.factors(drawn)[0], length);
  check_factors(q.factors(kfac<expand, empirical>)[0], t.factors(kfac<expand, empirical>)[0], length);
  check_factors(q.factors(signs)[0], t.factors(signs)[0], length);
  check_factors(q.factors(kfac<expand, forward_only>)[0], t.factors(kfac<expand, forward_only>)[0], length);
  // In every mode: the mean of one-hot rows is a histogram, whose second moments are no diagonal matrix.
  check_factors(q.factors(kfac<reduce>)[0], t.factors(kfac<expand>)[0], length);
  check_factors(q.factors(kfac<automatic>)[0], t.factors(kfac<expand>)[0], length);

  // The operators in the order of the parameters.
  auto const k = q[kfac<expand>], k_twin = t[kfac<expand>];
  CHECK(distance(elements(to_dense(k)), by_rows(to_dense(k_twin))) < 1e-12);
  CHECK(distance(elements(to_dense(k)), elements(to_dense(k_twin))) > 1e-2);
  auto const e = q[ekfac<expand>], e_twin = t[ekfac<expand>];
  CHECK(distance(elements(to_dense(e)), by_rows(to_dense(e_twin))) < 1e-12);
  CHECK(distance(elements(to_dense(e)), elements(to_dense(k))) > 1e-2);
  CHECK(log_det(e + 0.1 * identity) == Approx(log_det(e_twin + 0.1 * identity)).epsilon(1e-12));
  auto const damped = k + 0.1 * identity, damped_twin = k_twin + 0.1 * identity;
  auto const g = q[gradient], g_twin = t[gradient];
  auto const same = [&](auto const& x, auto const& y) {
    CHECK(distance(elements(x), by_rows(std::span<double const>(elements(y)))) < 1e-11);
  };
  same(solve(damped, g), solve(damped_twin, g_twin));
  same(solve(damp(k, pi_damping{0.1}), g), solve(damp(k_twin, pi_damping{0.1}), g_twin));
  same(solve(damp(k, block_relative_damping{}), g), solve(damp(k_twin, block_relative_damping{}), g_twin));
  same(solve(e + 0.1 * identity, g), solve(e_twin + 0.1 * identity, g_twin));
  same(diagonal(k), diagonal(k_twin));
  same(diagonal(inverse(damped)), diagonal(inverse(damped_twin)));
  same(diagonal(inverse(e + 0.1 * identity)), diagonal(inverse(e_twin + 0.1 * identity)));
  CHECK(log_det(damped) == Approx(log_det(damped_twin)).epsilon(1e-12));
  CHECK(trace(k) == Approx(trace(k_twin)).epsilon(1e-12));
  CHECK(frobenius_norm(k) == Approx(frobenius_norm(k_twin)).epsilon(1e-12));
  CHECK(distance(elements(eigenvalues(k)), elements(eigenvalues(k_twin))) < 1e-12);
  auto const pairs = top_eigenpairs(k, 4);
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<double> const u(pairs.vectors.data() + i * k.size(), pairs.vectors.data() + (i + 1) * k.size());
    CHECK(distance(elements(kappa::apply(k, u)), u, 1 / pairs.values(i)) < 1e-12);
  }
  // A token that never comes has no curvature.
  CHECK_THROWS_AS(solve(k, g), singular_matrix);
}

// The same without tanh, and one position after the other: what expand is exact for.
struct linear_net : network<input<length> | embedding<vocabulary, features> | dense<2>> {};
// Two tables of as many numbers under one name, whose rows are not the same: no row is read, but numbers.
struct two_shapes_net
    : network<input<length> | concatenate_along<0>(slice<0, 0, 2> | embedding<4, 3, "E"> | dense<2>,
                                                   slice<0, 2, 3> | embedding<3, 4, "E"> | dense<2>)> {};
// A table that is also added to three positions of four features.
struct two_roles_net
    : network<input<3> | embedding<3, 4, "E"> | positional_embedding<"E"> | mean_over_positions | dense<2>> {};

template <class Objective>
void check_exact(std::vector<unsigned char> const& valid = {}) {
  using net = typename Objective::network;
  auto b = ref::random_batch<Objective, double>(count, 2, ref::targets::vectors);
  for (std::size_t i = 0; i < b.inputs.size(); ++i) b.inputs[i] = tokens[i];
  b.beside.mask = valid;
  auto const theta = ref::random_theta<net, double>(5);
  batch<double> data(b.inputs, b.vectors);
  data.side.mask = valid;
  auto const ggn = ref::ggn<Objective, double>(theta, b);
  auto const q = derive<Objective>(theta, data, kfac<expand>, ekfac<expand>);
  constexpr std::size_t size = vocabulary * features;
  auto const error = [&](auto const& k, double scale) {
    auto const block = to_dense(k.blocks().front());
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j < size; ++j) {
        double const g = ggn[i * static_cast<std::size_t>(net::parameter_count) + j];
        difference += (scale * block(i, j) - g) * (scale * block(i, j) - g);
        norm += g * g;
      }
    return std::sqrt(difference / norm);
  };
  CHECK(error(q[kfac<expand>], 1) < 1e-12);
  CHECK(error(q[ekfac<expand>], 1) < 1e-12);
  CHECK(error(q[kfac<expand>], length) == Approx(length - 1.0).epsilon(1e-9));
  CHECK(error(q[kfac<expand>], 1.0 / length) == Approx(1 - 1.0 / length).epsilon(1e-9));
}

/// The dense block of a table that is used otherwise as well is the Gauss-Newton matrix's.
template <class Net>
void check_dense_block(std::vector<double> const& words) {
  using goal = objective<Net, squared_error>;
  auto b = ref::random_batch<goal, double>(2, 2, ref::targets::vectors);
  for (std::size_t i = 0; i < b.inputs.size(); ++i) b.inputs[i] = words[i];
  auto const theta = ref::random_theta<Net, double>(5);
  auto const q = derive<goal>(theta, batch<double>(b.inputs, b.vectors), kfac<reduce_unaggregated>);
  auto const ggn = ref::ggn<goal, double>(theta, b);
  auto const blocks = coverage<Net>().blocks;
  CHECK(blocks.front().kind == block_kind::dense);
  CHECK(blocks.front().size == 12);
  auto const own = q.factors(kfac<reduce_unaggregated>)[0];
  REQUIRE(own.outputs.rows == 12);
  std::vector<double> part;
  for (std::size_t i = 0; i < 12; ++i)
    for (std::size_t j = 0; j < 12; ++j) part.push_back(ggn[i * static_cast<std::size_t>(Net::parameter_count) + j]);
  CHECK(distance(own.outputs.elements(), part) < 1e-12);
  CHECK(distance(own.outputs.elements(), part, 1.001) > 1e-4);
}

}  // namespace

TEST_CASE("an embedding's block is that of a dense layer over one-hot rows") {
  check_twins<pair_of<token_net, hot_net>>({});
}
TEST_CASE("the same with padding, which is no position") {
  check_twins<pair_of<masked_token_net, masked_hot_net>>(mask);
}

TEST_CASE("an embedding under a linear map has the Gauss-Newton matrix's block, with the scale") {
  check_exact<objective<linear_net, squared_error>>();
  check_exact<objective<linear_net, squared_error, sum>>();
  check_exact<objective<linear_net, squared_error, kappa::mean_over_positions>>();
}

TEST_CASE("two embeddings of one table read more positions of it") {
  using goal = objective<tied_net, cross_entropy>;
  using single = objective<token_net, cross_entropy>;
  auto const theta = ref::random_theta<token_net, double>(5), v = ref::random_theta<token_net, double>(9);
  batch<double> const words(tokens, labels);
  auto const q = derive<goal>(theta, words, gradient, ggn_vector_product(v), kfac<expand>, ekfac<expand>);
  auto const s = derive<single>(theta, words, gradient, ggn_vector_product(v), kfac<expand>, ekfac<expand>);
  CHECK(distance(q[gradient], s[gradient]) < 1e-13);
  CHECK(distance(q[ggn_vector_product], s[ggn_vector_product]) < 1e-13);
  auto const tied = q.factors(kfac<expand>)[0], one = s.factors(kfac<expand>)[0];
  CHECK(distance(tied.inputs.elements(), one.inputs.elements()) < 1e-14);
  CHECK(distance(tied.outputs.elements(), one.outputs.elements()) < 1e-13);
  CHECK(distance(tied.outputs.elements(), one.outputs.elements(), 2) > 0.9);
  CHECK(distance(elements(to_dense(q[ekfac<expand>])), elements(to_dense(s[ekfac<expand>]))) < 1e-12);
  auto const c = coverage<tied_net>();
  INFO(c.text);
  CHECK(c.text.find("diagonal of 4 frequencies, expand over 5 positions, 2 uses together") != std::string::npos);
  CHECK(c.blocks.front().positions == length);
  CHECK(c.blocks.front().elements() == vocabulary + features * features);

  // Beside a quantity that does want whole tables.
  auto const both = derive<goal>(theta, words, per_sample_gradient, kfac<expand>, ekfac<expand>);
  CHECK(distance(both.factors(kfac<expand>)[0].outputs.elements(), tied.outputs.elements()) < 1e-14);
  CHECK(distance(both.factors(kfac<expand>)[0].inputs.elements(), tied.inputs.elements()) < 1e-14);
  CHECK(distance(elements(to_dense(both[ekfac<expand>])), elements(to_dense(q[ekfac<expand>]))) < 1e-13);
  std::vector<double> total(theta.size());
  for (std::size_t n = 0; n < count; ++n)
    for (std::size_t p = 0; p < total.size(); ++p) total[p] += both[per_sample_gradient](n, p);
  CHECK(distance(total, q[gradient]) < 1e-13);
}

TEST_CASE("a table that is used otherwise as well keeps its dense block") {
  check_dense_block<two_shapes_net>({0, 3, 2, 1, 0, 2, 2, 1, 1, 0});
  check_dense_block<two_roles_net>({0, 2, 2, 1, 0, 0});
}

TEST_CASE("where no token comes twice in a sample, the block has the Gauss-Newton block's trace, whatever the loss") {
  using goal = objective<masked_token_net, cross_entropy>;
  auto const theta = ref::random_theta<masked_token_net, double>(5);
  std::vector<unsigned char> const first_three{1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0};
  auto const ratio = [&](std::vector<double> const& words) {
    batch<double> b(words, labels);
    b.side.mask = first_three;
    auto const q = derive<goal>(theta, b, ggn_diagonal, kfac<reduce>);
    double total = 0;
    for (double d : q[ggn_diagonal].first(vocabulary * features)) total += d;
    return trace(q[kfac<reduce>].blocks().front()) / total;
  };
  CHECK(ratio({0, 1, 2, 9, 9, 3, 1, 0, 9, 9, 2, 3, 0, 9, 9, 1, 3, 2, 9, 9}) == Approx(1).epsilon(1e-12));
  CHECK(ratio({0, 1, 1, 9, 9, 3, 3, 0, 9, 9, 2, 2, 2, 9, 9, 1, 3, 2, 9, 9}) < 0.9);
}

namespace {

// What it embeds comes to nothing: the output is of the tokens themselves.
struct unread_net : network<input<length> | mark<"tokens"> | embedding<vocabulary, features> | act::tanh |
                            recall<"tokens"> | dense<3>> {};

}  // namespace

TEST_CASE("a table without influence on the output has B = 0, and its frequencies all the same") {
  using goal = objective<unread_net, cross_entropy>;
  auto const theta = ref::random_theta<unread_net, double>(5);
  batch<double> const words(tokens, labels);
  auto const check_nothing = [&](auto const& q) {
    auto const table = q.factors(kfac<expand>)[0];
    CHECK(std::ranges::count(table.outputs.elements(), 0.0) == features * features);
    CHECK(table.inputs(0, 1) == Approx(0.5).epsilon(1e-14));
    CHECK(trace(q[ekfac<expand>].blocks().front()) == 0);
    CHECK(trace(q[ekfac<expand>].blocks().back()) > 0);
    CHECK(std::ranges::count(q[gradient].first(vocabulary * features), 0.0) == vocabulary * features);
  };
  check_nothing(derive<goal>(theta, words, gradient, kfac<expand>, ekfac<expand>));
  check_nothing(derive<goal>(theta, words, gradient, per_sample_gradient_norms, kfac<expand>, ekfac<expand>));
}
