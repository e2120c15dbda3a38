// The plan in words says what the plan is: its totals are the network's own, its remarks what was fused and shared.

#include <algorithm>
#include <string>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

namespace {

using namespace kappa;

struct net : network<input<3, 8> | dense<16> | act::relu | residual(dense<16> | act::gelu) | mean_over_positions |
                     dense<4, "head">> {};
struct goal : objective<net, cross_entropy> {};

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
