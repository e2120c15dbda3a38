// The test matrix of K-FAC: embeddings, tied weights, ragged and masked positions.

#include <kappa/layers.hpp>

#include "kfac_matrix_check.hpp"

using namespace kappa;
using namespace kappa::test_kfac;

namespace {

struct embedded_net : network<input<4> | embedding<3, 2> | dense<2>> {};
struct embedded_pooled_net : network<input<4> | embedding<3, 2> | dense<2, no_bias> | mean_over_positions | dense<2>> {
};
// One matrix beside itself: the loss has terms of both uses. One matrix added to itself: it does not tell them apart.
struct twice_net : network<input<4> | concatenate(slice<0, 0, 2> | dense<2, "W">, slice<0, 2, 2> | dense<2, "W">)> {};
struct added_net : network<input<4> | ((slice<0, 0, 2> | dense<2, "W">)+(slice<0, 2, 2> | dense<2, "W">)) | dense<2>> {
};
struct masked_net : network<input<4, 2> | ragged | dense<3> | dense<2> | masked> {};
struct ragged_mean_net : network<input<4, 2> | ragged | dense<3> | masked_mean_over_positions | dense<2>> {};
struct ragged_sum_net
    : network<input<4, 2> | ragged | dense<3, no_bias> | dense<2> | masked_sum_over_positions | dense<2>> {};

// Lengths 4, 1, 3, 2: padding at the end; and holes anywhere.
std::vector<unsigned char> const lengths_mask{1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0};
std::vector<unsigned char> const holes{0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1};

std::vector<line> const& lines() {
  static std::vector<line> const all{
      line_of<objective<embedded_net, squared_error, kappa::mean_over_positions>>("embedding, mean over positions",
                                                                                  setting::expand, {}, false, 3),
      line_of<objective<embedded_pooled_net, squared_error>>("embedding averaged, mean", setting::reduce, {}, false, 3),
      line_of<objective<twice_net, squared_error>>("tied side by side, mean", setting::expand),
      line_of<objective<added_net, squared_error, sum>>("tied and added, sum", setting::reduce),
      line_of<objective<masked_net, squared_error, sum>>("masked, sum", setting::expand, lengths_mask),
      line_of<objective<masked_net, squared_error, kappa::mean_over_positions>>("masked, mean over positions",
                                                                                setting::expand, holes),
      line_of<objective<ragged_mean_net, squared_error>>("ragged averages, mean", setting::reduce, lengths_mask),
      line_of<objective<ragged_sum_net, squared_error>>("ragged sums, mean", setting::reduce, lengths_mask, true),
      line_of<objective<ragged_sum_net, squared_error, sum>>("sums with holes, sum", setting::reduce, holes, true)};
  return all;
}

}  // namespace

TEST_CASE("embeddings, tied and ragged: exact in their own setting, with every source, bias and reduction") {
  for (line const& l : lines()) check(l);
}

TEST_CASE("embeddings, tied and ragged: the order of samples, and the parts of a batch") {
  for (line const& l : lines()) check_order_and_parts(l);
}

TEST_CASE("embeddings, tied and ragged: wrong scales are off by what they are wrong") {
  for (line const& l : lines()) check_scale_traps(l);
}

TEST_CASE("what lies at padding does not matter, and counts without a mask") {
  for (line l : lines()) {
    if (l.data.beside.mask.empty()) continue;
    INFO(l.name);
    auto const before = l.measured(l.data, 1);
    auto const& mask = l.data.beside.mask;
    std::size_t const features = l.data.inputs.size() / mask.size();
    for (std::size_t i = 0; i < l.data.inputs.size(); ++i)
      if (mask[i / features] == 0) l.data.inputs[i] = 1000 + static_cast<double>(i);
    auto const after = l.measured(l.data, 1);
    for (mode how : {by_expand, by_reduce})
      for (biases how_biased : {joint, apart})
        for (std::size_t p = 0; p < before.of[how][from_root][how_biased].size(); ++p) {
          CHECK(after.of[how][from_root][how_biased][p].a == before.of[how][from_root][how_biased][p].a);
          CHECK(after.of[how][from_root][how_biased][p].b == before.of[how][from_root][how_biased][p].b);
        }
    l.data.beside.mask.clear();
    auto const unmasked = l.measured(l.data, 1);
    CHECK(distance(unmasked.of[by_expand][from_root][joint][0].a, before.of[by_expand][from_root][joint][0].a) > 1);
  }
}

TEST_CASE("a mask of the wrong length is refused with both numbers, and one that nobody reads") {
  auto const message = []<class Objective>(Objective, std::size_t length) -> std::string {
    auto const theta = ref::random_theta<typename Objective::network, double>(5);
    auto const b = ref::random_batch<Objective, double>(4, 6, ref::targets::vectors);
    batch<double> data(b.inputs, b.vectors);
    std::vector<unsigned char> const mask(length, 1);
    data.side.mask = mask;
    try {
      derive<Objective>(theta, data, kfac<expand>);
    } catch (shape_mismatch const& e) {
      return e.what();
    } catch (invalid_value const& e) {
      return std::string("invalid: ") + e.what();
    }
    return "";
  };
  objective<masked_net, squared_error> const padded;
  CHECK(message(padded, 15) == "mask: 16 elements were expected, 15 came");
  CHECK(message(padded, 17) == "mask: 16 elements were expected, 17 came");
  CHECK(message(padded, 16).empty());
  CHECK(message(padded, 0).empty());  // all positions are valid
  CHECK(message(objective<twice_net, squared_error>(), 4) ==
        "invalid: a mask came with a batch whose network has no `ragged` value");
}
