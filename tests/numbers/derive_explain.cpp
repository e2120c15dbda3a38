// The plan in words says what the plan is: its totals are the network's own, its remarks what was fused and shared.

#include <algorithm>
#include <string>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

namespace {

using namespace kappa;

struct net : network<input<3, 8> | dense<16> | act::relu | residual(dense<16> | act::gelu) | mean_over_positions |
                     dense<4, "head">> {};
struct goal : objective<net, cross_entropy> {};

struct image_net : network<input<6, 6, 1> | conv<2, 3> | act::relu | max_pool<2> | flatten | dense<3>> {};
struct image_goal : objective<image_net, cross_entropy> {};

bool says(std::string const& text, std::string const& what) { return text.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("the explanation's totals and remarks") {
  auto const e = explain<goal>(loss_value, gradient, ggn);
  INFO(e.text);
  CHECK(says(e.text, "per sample: " + std::to_string(net::flops) + " flops forward"));
  CHECK(says(e.text, "head"));
  CHECK(says(e.text, "fused into #1"));
  CHECK(says(e.text, "gradient (1), root of the loss Hessian (3)"));
  CHECK(says(e.text, "kcycles by the model"));
  CHECK(std::count(e.text.begin(), e.text.end(), '\n') > net::node_count);
  auto const none = explain<goal>(loss_value);
  CHECK(says(none.text, "at every layer: none"));
  CHECK_FALSE(says(none.text, "root of the loss Hessian"));
}

TEST_CASE("backward flops of a convolution under a pool are those of what the pool chose") {
  // [2, 9] at 8 elements of 32, and at all of them where the variance wants its vectors; relu 8; the last layer [3, 8]
  // twice; the pool only where it spreads.
  auto const chosen = explain<image_goal>(loss_value, gradient), spread = explain<image_goal>(gradient_variance);
  INFO(chosen.text << spread.text);
  int const all = 2 * 2 * 9 * 16, last = 2 * (2 * 3 * 8);
  CHECK(says(chosen.text, "forward, " + std::to_string(all / 4 + 8 + last) + " backward"));
  CHECK(says(spread.text, "forward, " + std::to_string(all + 8 + 8 + last) + " backward"));
  CHECK(says(chosen.text, "vectors only where #3 chose"));
}

TEST_CASE("the graph has a node for every node and an arrow for every operand") {
  auto const e = explain<goal>(gradient);
  INFO(e.dot);
  CHECK(says(e.dot, "digraph plan {"));
  CHECK(e.dot.back() == '\n');
  int arrows = 1;  // to the loss
  for (node const& n : net::nodes) arrows += (n.a >= 0 ? 1 : 0) + (n.b >= 0 ? 1 : 0);
  int found = 0;
  for (std::size_t at = e.dot.find("->"); at != std::string::npos; at = e.dot.find("->", at + 1)) ++found;
  CHECK(found == arrows);
  CHECK(says(e.dot, "n" + std::to_string(net::node_count - 1) + " [label="));
}
