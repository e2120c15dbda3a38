// A padded sequence or graph is the shorter one: what lies in the padding, and how much of it there is, changes
// nothing. Separate weights of an attention are the rows of the fused one.

#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

using namespace kappa;

namespace {

template <int Positions>
struct sequence_net : network<input<Positions, 2> | ragged | residual(attention<heads<2>>) | act::tanh |
                              attention<causal> | (masked_mean_over_positions + last_valid_position)> {};
template <int Positions>
struct sequences : objective<sequence_net<Positions>, squared_error> {};

template <int Nodes>
struct graph_net : network<input<Nodes, 2> | ragged | graph_convolution<3> | act::silu | graph_convolution<2> |
                           graph_mean | mean_over_nodes> {};
template <int Nodes>
struct graphs : objective<graph_net<Nodes>, squared_error> {};

struct tagger_net : network<input<3, 2> | ragged | dense<4> | act::tanh | dense<2>> {};
struct tagger : objective<tagger_net, cross_entropy> {};

struct fused_net : network<input<3, 2> | attention<heads<2>, "A"> | mean_over_positions> {};
struct fused : objective<fused_net, squared_error> {};
struct separate_net : network<input<3, 2> | attention<heads<2>, separate_weights, "A"> | mean_over_positions> {};
struct separate : objective<separate_net, squared_error> {};

template <class T>
batch<double> with(std::vector<double> const& x, std::vector<double> const& y, T side) {
  batch<double> b(x, y);
  b.side = side;
  return b;
}

std::vector<double> const goal{0.5, -1};

template <class Got, class Expected>
void same(Got const& got, Expected const& expected) {
  REQUIRE(got.size() == expected.size());
  double most = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got.data()[i] == Approx(expected.data()[i]).epsilon(1e-12).margin(1e-14));
    most = std::max(most, std::abs(expected.data()[i]));
  }
  CHECK(most > 1e-3);
}

}  // namespace

TEST_CASE("a padded sequence is the shorter sequence") {
  auto const theta = initialise<sequence_net<2>, double>(3);
  std::vector<double> const x{0.3, -0.7, 1.1, 0.4};
  auto const q = derive<sequences<2>>(theta, batch(x, goal), loss_value, gradient, ggn);
  std::vector<unsigned char> const mask{1, 1, 0, 0};
  batch_side<double> side{};
  side.mask = mask;
  for (double padding : {0.0, 100.0}) {
    std::vector<double> longer = x;
    longer.resize(8, padding);
    auto const p = derive<sequences<4>>(theta, with(longer, goal, side), loss_value, gradient, ggn);
    CHECK(p[loss_value] == Approx(q[loss_value]).epsilon(1e-13));
    same(p[gradient], q[gradient]);
    same(eigenvalues(p[ggn]), eigenvalues(q[ggn]));
  }
  std::vector<double> longer = x;
  longer.resize(8, 1.0);
  auto const unmasked = derive<sequences<4>>(theta, batch(longer, goal), loss_value, gradient, ggn);
  CHECK(unmasked[loss_value] != Approx(q[loss_value]).epsilon(1e-3));  // without a mask it is a longer one
}

TEST_CASE("a padded graph is the smaller graph, and edges are the adjacency") {
  auto const theta = initialise<graph_net<2>, double>(3);
  std::vector<double> const x{0.3, -0.7, 1.1, 0.4}, pair{0, 2, 2, 0};
  batch_side<double> side{};
  side.adjacency = pair;
  auto const q = derive<graphs<2>>(theta, with(x, goal, side), loss_value, gradient, ggn);

  std::vector<unsigned char> const mask{1, 1, 0};
  std::vector<double> const longer{0.3, -0.7, 1.1, 0.4, 9, 9}, wider{0, 2, 5, 2, 0, 0, 5, 0, 1};
  batch_side<double> wide{};
  wide.mask = mask;
  wide.adjacency = wider;
  auto const p = derive<graphs<3>>(theta, with(longer, goal, wide), loss_value, gradient, ggn);
  CHECK(p[loss_value] == Approx(q[loss_value]).epsilon(1e-13));
  same(p[gradient], q[gradient]);
  same(eigenvalues(p[ggn]), eigenvalues(q[ggn]));

  std::vector<int> const row_begin{0, 1, 2}, column{1, 0};
  std::vector<double> const weight{2, 2};
  batch_side<double> edges{};
  edges.row_begin = row_begin;
  edges.column = column;
  edges.weight = weight;
  same(derive<graphs<2>>(theta, with(x, goal, edges), loss_value, gradient, ggn)[gradient], q[gradient]);
  edges.weight = {};
  auto const unweighted = derive<graphs<2>>(theta, with(x, goal, edges), loss_value, gradient, ggn);
  CHECK(unweighted[loss_value] != Approx(q[loss_value]).epsilon(1e-3));
}

// A network of nothing but dense layers keeps the mask as well.
TEST_CASE("K-FAC without a layer that reads the mask leaves padding out") {
  auto const theta = initialise<tagger_net, double>(5);
  std::vector<double> const x{0.3, -0.7, 1.1, 0.4, -0.2, 0.9};
  std::vector<int> const labels{0, 1, 1};
  std::vector<unsigned char> const mask{1, 1, 0};
  auto const inputs_of = [&](std::vector<double> const& given, bool with_mask) {
    kappa::batch b(given, labels);
    if (with_mask) b.side.mask = mask;
    auto const q = derive<tagger>(theta, b, kfac<expand>);
    auto const a = q.factors(kfac<expand>).front().inputs.elements();
    return std::vector<double>(a.begin(), a.end());
  };
  auto other_padding = x, other_tokens = x;
  other_padding[4] = 7;
  other_tokens[1] = 7;
  CHECK(inputs_of(other_padding, true) == inputs_of(x, true));
  CHECK_FALSE(inputs_of(other_tokens, true) == inputs_of(x, true));
  CHECK_FALSE(inputs_of(other_padding, false) == inputs_of(x, false));
}

TEST_CASE("separate weights of an attention are the rows of the fused one") {
  auto const theta = initialise<fused_net, double>(4);
  // W_q W_k W_v b_q b_k b_v and the output, against W_q b_q W_k b_k W_v b_v and the output.
  std::vector<std::size_t> order;
  for (std::size_t part = 0; part < 3; ++part) {
    for (std::size_t i = 0; i < 4; ++i) order.push_back(4 * part + i);
    for (std::size_t i = 0; i < 2; ++i) order.push_back(12 + 2 * part + i);
  }
  for (std::size_t i = 18; i < 24; ++i) order.push_back(i);
  auto const permuted = [&](auto const& v) {
    auto w = zeros<double>(v.size());
    for (std::size_t i = 0; i < v.size(); ++i) w(i) = v.data()[order[i]];
    return w;
  };
  std::vector<double> const x{0.3, -0.7, 1.1, 0.4, -0.2, 0.9};
  auto const q = derive<fused>(theta, batch(x, goal), loss_value, gradient, ggn);
  auto const p = derive<separate>(permuted(theta), batch(x, goal), loss_value, gradient, ggn);
  CHECK(p[loss_value] == Approx(q[loss_value]).epsilon(1e-13));
  same(p[gradient], permuted(q[gradient]));
  same(eigenvalues(p[ggn]), eigenvalues(q[ggn]));
  for (std::size_t i : {14u, 15u}) {  // a softmax does not see the bias of the keys, but that of the queries
    CHECK(std::abs(q[gradient][i]) < 1e-14);
    CHECK(std::abs(q[gradient][i - 2]) > 1e-4);
  }
  auto const wrong = derive<separate>(theta, batch(x, goal), loss_value);
  CHECK(wrong[loss_value] != Approx(q[loss_value]).epsilon(1e-3));
}
