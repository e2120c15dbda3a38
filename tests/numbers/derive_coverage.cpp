// The blocks of K-FAC: each parameter of the networks of examples/networks is in one of them, and what the table says
// of a block is what is derived.

#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

#include "../../examples/networks/decoder.hpp"
#include "../../examples/networks/resnet.hpp"
#include "../../examples/networks/vision_transformer.hpp"
#include "reference.hpp"

using namespace kappa;

namespace {

/// How many of `count` parameters are not in exactly one block.
std::size_t missed(std::vector<curvature_block> const& blocks, int count) {
  std::vector<int> seen(static_cast<std::size_t>(count));
  std::size_t outside = 0;
  for (curvature_block const& b : blocks)
    for (std::size_t i = b.first; i < b.first + b.size; ++i) i < seen.size() ? void(++seen[i]) : void(++outside);
  return outside + seen.size() - static_cast<std::size_t>(std::count(seen.begin(), seen.end(), 1));
}

template <network_type Net>
curvature_coverage checked() {
  auto const c = coverage<Net>();
  INFO(c.text);
  CHECK(missed(c.blocks, Net::parameter_count) == 0);
  std::size_t total = 0;
  for (curvature_block const& b : c.blocks) {
    total += b.size;
    CHECK(b.size == b.input_order * b.output_order);
    CHECK(c.text.find(b.title) != std::string::npos);
  }
  CHECK(total == static_cast<std::size_t>(Net::parameter_count));
  auto less = c.blocks, shifted = c.blocks;
  less.pop_back();
  ++shifted.back().first;
  CHECK(missed(less, Net::parameter_count) == c.blocks.back().size);
  CHECK(missed(shifted, Net::parameter_count) == 2);
  return c;
}

std::ptrdiff_t count(curvature_coverage const& c, block_kind kind) {
  return std::ranges::count_if(c.blocks, [=](curvature_block const& b) { return b.kind == kind; });
}
bool says(std::string const& text, std::string const& what) { return text.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("every parameter of ResNet-20 is in one block") {
  auto const c = checked<networks::resnet20>();
  // 19 convolutions and two projections, whose positions the pooling averages; their norms; one classifier.
  CHECK(count(c, block_kind::kronecker_reduce) == 21);
  CHECK(count(c, block_kind::dense) == 21);
  CHECK(count(c, block_kind::kronecker) == 1);
  CHECK(c.blocks.front().positions == 32 * 32);
  CHECK(c.blocks.front().input_order == 27);
  CHECK(c.blocks[1].size == 2 * 16);
  CHECK(says(c.text, "B 16 x 16, A 27 x 27, reduce over 1024 positions"));
  CHECK(says(c.text, "dense, 32 x 32"));
  auto const expanded = coverage<networks::resnet20>(expand);
  CHECK(count(expanded, block_kind::kronecker_expand) == 21);
  CHECK(count(expanded, block_kind::dense) == 21);
}

TEST_CASE("every parameter of the transformers is in one block") {
  auto const c = checked<networks::vision_transformer>();
  // Patches, two matrices of each attention, two of each block's network: one position of them comes to the loss.
  CHECK(count(c, block_kind::kronecker_reduce) == 9);
  CHECK(count(c, block_kind::kronecker) == 1);
  CHECK(count(c, block_kind::dense) == 7);  // the class token, positions, five norms
  CHECK(says(c.text, "dense, 544 x 544"));  // 17 positions of 32 features
  auto const d = checked<networks::decoder>();
  CHECK(count(d, block_kind::kronecker_expand) == 9);  // a loss at every position
  CHECK(d.blocks.front().kind == block_kind::kronecker_table);
  CHECK(d.blocks.front().elements() == 27 + 32 * 32);
  CHECK(says(d.text, "layer 0 (embedding, 27 x 32)"));
  CHECK(says(d.text, "B 32 x 32, diagonal of 27 frequencies, expand over 16 positions"));
}

namespace {

struct pooled_net : network<input<3, 2> | dense<3, "W"> | layer_norm<"N"> | act::tanh | dense<3> | dense<3> |
                            layer_norm<"N"> | mean_over_positions | dense<2>> {};
struct pooled : objective<pooled_net, cross_entropy> {};
struct spread_net : network<input<3, 2> | dense<2, "W"> | act::tanh | dense<2, "W"> | bias | dense<2>> {};
struct spread : objective<spread_net, squared_error, kappa::mean_over_positions> {};

/// Compares the table with the factors that are derived.
template <class Objective>
void check_derived(reference::targets kind) {
  using net = typename Objective::network;
  auto const theta = reference::random_theta<net, double>(1);
  auto const b = reference::random_batch<Objective, double>(4, 2, kind);
  auto const data = b.labels.empty() ? batch<double>(b.inputs, b.vectors) : batch<double>(b.inputs, b.labels);
  auto const q = derive<Objective>(theta, data, ggn, kfac<automatic>, kfac<expand>, kfac<reduce_unaggregated>,
                                   kfac<automatic, exact, separate_bias>);
  auto const c = checked<net>();
  auto const chosen = q.factors(kfac<automatic>), expanded = q.factors(kfac<expand>),
             reduced = q.factors(kfac<reduce_unaggregated>);
  auto const full = to_dense(q[ggn]);
  REQUIRE(chosen.size() == c.blocks.size());
  auto const far = [](matrix_view<double> const& x, matrix_view<double> const& y) {
    return reference::relative_error(x.elements(), y.elements());
  };
  for (std::size_t p = 0; p < chosen.size(); ++p) {
    curvature_block const& block = c.blocks[p];
    INFO(block.title);
    CHECK(chosen[p].inputs.rows == block.input_order);
    CHECK(chosen[p].outputs.rows == block.output_order);
    bool const reduces = block.kind == block_kind::kronecker_reduce;
    if (block.kind == block_kind::dense) {  // the block of the matrix itself
      std::vector<double> part;
      for (std::size_t i = 0; i < block.size; ++i)
        for (std::size_t j = 0; j < block.size; ++j) part.push_back(full(block.first + i, block.first + j));
      CHECK(reference::relative_error(chosen[p].outputs.elements(), part) < 1e-12L);
      CHECK(chosen[p].inputs(0, 0) == 1);
    } else {
      auto const& same = reduces ? reduced[p] : expanded[p];
      auto const& other = reduces ? expanded[p] : reduced[p];
      CHECK(far(chosen[p].outputs, same.outputs) < 1e-14L);
      CHECK(far(chosen[p].inputs, same.inputs) < 1e-14L);
      if (block.kind != block_kind::kronecker) CHECK(far(chosen[p].inputs, other.inputs) > 1e-3L);
    }
  }
  auto const apart = coverage<net>(automatic, separate_bias);
  auto const of_apart = q.factors(kfac<automatic, exact, separate_bias>);
  CHECK(missed(apart.blocks, net::parameter_count) == 0);
  REQUIRE(of_apart.size() == apart.blocks.size());
  CHECK(apart.blocks.size() > c.blocks.size());
  for (std::size_t i = 0; i < of_apart.size(); ++i) {
    curvature_block const& block = apart.blocks[i];
    INFO(block.title);
    CHECK(of_apart[i].inputs.rows == block.input_order);
    CHECK(of_apart[i].outputs.rows == block.output_order);
    CHECK(static_cast<std::size_t>(of_apart[i].parameter.offset) == block.first);
    if (block.kind != block_kind::dense) continue;
    std::vector<double> part;
    for (std::size_t k = 0; k < block.size; ++k)
      for (std::size_t j = 0; j < block.size; ++j) part.push_back(full(block.first + k, block.first + j));
    CHECK(reference::relative_error(of_apart[i].outputs.elements(), part) < 1e-12L);
  }
}

}  // namespace

TEST_CASE("the blocks of the table are those derived") {
  check_derived<pooled>(reference::targets::labels);
  check_derived<spread>(reference::targets::vectors);
  auto const c = coverage<pooled_net>();
  CHECK(says(c.text, "dense, 6 x 6, 2 uses together"));
  CHECK(says(coverage<spread_net>().text, "expand over 6 positions, 2 uses together"));
}

TEST_CASE("an explanation shows own parameters, and the blocks where K-FAC is asked for") {
  auto const e = explain<pooled>(gradient, kfac<automatic>, kfac<expand, exact, separate_bias>);
  INFO(e.text);
  CHECK(says(e.text, coverage<pooled_net>().text));
  CHECK(says(e.text, coverage<pooled_net>(expand, separate_bias).text));
  CHECK_FALSE(says(e.text, "K-FAC (reduce)"));
  CHECK(says(e.text, "parameters shared by 2 uses"));
  CHECK_FALSE(says(explain<pooled>(gradient).text, "K-FAC"));
}
