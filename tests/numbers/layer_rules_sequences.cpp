// Rules of sequences against their definitions; wrong definitions are seen.

#include <cmath>

#include <kappa/layers/attention.hpp>
#include <kappa/layers/class_token.hpp>
#include <kappa/layers/embedding.hpp>
#include <kappa/layers/positions.hpp>
#include <kappa/layers/ragged.hpp>
#include <kappa/tensor/ragged.hpp>

#include "layer_check.hpp"

using namespace kappa;
using kappa::test_layers::check_layer;
using kappa::test_layers::faults_of_layers;
using kappa::test_layers::layer_case;

namespace {

layer_case with_mask(std::vector<unsigned char> mask) {
  layer_case c;
  c.beside.mask = std::move(mask);
  return c;
}

layer_case with_tokens(test_layers::numbers tokens) {
  layer_case c;
  c.input = std::move(tokens);
  c.input_moves = false;
  return c;
}

enum class change { no_mask, no_order, one_head };

/// The definitions with one thing left out.
template <change C>
struct changed_book {
  template <class N>
  static bool value(reference::textbook::place at, reference::sample<long double> const& sample, N const* own,
                    std::vector<N> const& x, std::vector<N>& y) {
    if (C == change::no_mask) at.ragged = false;
    if (C == change::no_order) at.set.value[1] = 0;
    if (C == change::one_head) at.set.value[0] = 1;
    return reference::textbook::value<N>(at, sample, own, x, y);
  }
};
template <auto Term, change C, int... Extent>
bool sees(layer_case const& c = {}) {
  return !faults_of_layers<network<(input<Extent...> | Term)>, changed_book<C>>(c).empty();
}

template <class Rule, class T>
std::vector<T> applied(site<T> s, std::vector<T> const& x) {
  std::vector<T> y(static_cast<std::size_t>(s.out.size()), T(-1)), scratch(1000);
  s.scratch = scratch.data();
  Rule::template apply<T>(s, x.data(), y.data());
  return y;
}

}  // namespace

TEST_CASE("attention: the core") {
  layer_case c;
  c.every_input = true;
  check_layer<attention_core<>, 4, 6>(c);
  check_layer<attention_core<heads<3>>, 5, 18>(c);
  check_layer<attention_core<heads<2>>, 3, 6>(c);  // heads of one feature
  check_layer<attention_core<causal>, 19, 57>();   // more of both than a register tile
  c.every_input = false;                           // the only score of one position does not matter
  check_layer<attention_core<heads<2>>, 1, 12>(c);
  check_layer<attention_core<heads<2>, causal>, 5, 12>();
  CHECK((sees<attention_core<heads<2>, causal>, change::no_order, 5, 12>()));
  CHECK((sees<attention_core<heads<2>>, change::one_head, 5, 12>()));
}

TEST_CASE("attention: the core under a mask") {
  check_layer<ragged | attention_core<heads<2>>, 5, 12>();  // no mask came
  check_layer<ragged | attention_core<heads<2>>, 5, 12>(with_mask({1, 1, 1, 0, 0}));
  check_layer<ragged | attention_core<heads<2>>, 5, 12>(with_mask({0, 1, 0, 1, 1}));
  check_layer<ragged | attention_core<heads<1>, causal>, 5, 6>(with_mask({0, 1, 0, 1, 1}));
  CHECK((sees<ragged | attention_core<heads<2>>, change::no_mask, 5, 12>(with_mask({1, 1, 1, 0, 0}))));
  CHECK((sees<ragged | attention_core<causal>, change::no_mask, 5, 6>(with_mask({0, 1, 1, 1, 1}))));
}

TEST_CASE("attention: large scores do not overflow, and a sample of padding is zero") {
  site<float> s;
  s.in = {2, {3, 3}};
  s.out = {2, {3, 1}};
  s.set = {{1, 0}};
  std::vector<float> const x{100, 1, 7, 100, 2, 8, 100, 3, 9};  // scores 100, 200, 300
  CHECK(applied<detail::attention_rule>(s, x) == std::vector<float>{9, 9, 9});
  unsigned char const none[3]{};
  s.side.mask = none;
  CHECK(applied<detail::attention_rule>(s, x) == std::vector<float>(3));
  std::vector<float> gx(9, 2.0f), scratch(1000);
  s.scratch = scratch.data();
  detail::attention_rule::pull<float>(s, x.data(), 1, x.data(), gx.data(), true);
  CHECK(gx == std::vector<float>(9, 2.0f));
}

TEST_CASE("embeddings and positions") {
  check_layer<embedding<3, 2>, 5>(with_tokens({1, 0, 2, 0, 0}));
  layer_case c = with_tokens({1, -1, 3, 1, 5});  // what the mask hides need not be a token
  c.every_parameter = false;
  c.beside.mask = {1, 0, 1, 1, 0};
  check_layer<ragged | embedding<4, 3>, 5>(c);
  check_layer<positional_embedding<>, 3, 4>();
  check_layer<positional_embedding<>, 2, 3, 2>();
  check_layer<class_token<>, 3, 4>();
  check_layer<sinusoidal_positions, 40, 6>();
  check_layer<sinusoidal_positions, 3, 5>();
}

TEST_CASE("an embedding tells what is no token") {
  site<double> s;
  s.in = {1, {4}};
  s.out = {2, {4, 1}};
  s.set = {{3, 1}};
  double const table[3]{10, 20, 30};
  s.theta = table;
  auto const fault = [&](std::vector<double> const& x) {
    return detail::embedding_rule::fault_of_input(s, x.data()).element;
  };
  CHECK(fault({0, 1, 2, 0}) == -1);
  CHECK(fault({0, 1, 3, 0}) == 2);
  CHECK(detail::embedding_rule::fault_of_input(s, std::vector<double>{0, 1, 3, 0}.data()).limit == 2);
  CHECK(fault({0, -1, 2, 0}) == 1);
  CHECK(fault({0, 1, 2, 0.5}) == 3);
  CHECK(fault({0, 1, 2, std::nan("")}) == 3);
  CHECK(applied<detail::embedding_rule>(s, {0, 1, 3, -2}) == std::vector<double>{10, 20, 0, 0});
  unsigned char const mask[4]{1, 1, 0, 1};
  s.side.mask = mask;
  CHECK(fault({0, 1, 3, 0}) == -1);
}

TEST_CASE("sinusoidal positions keep their phase far out") {
  site<float> s;
  s.in = s.out = {2, {2000, 2}};
  auto const y = applied<detail::sinusoidal_rule>(s, std::vector<float>(4000));
  CHECK(y[3998] == Approx(std::sin(1999.0)).margin(2e-6));
  CHECK(y[3999] == Approx(std::cos(1999.0)).margin(2e-6));
  CHECK(y[3999] != Approx(std::cos(1999.001)).margin(2e-6));
}

TEST_CASE("read-outs under a mask") {
  auto const c = with_mask({0, 1, 1, 0, 0});
  check_layer<ragged | masked, 5, 3>(c);
  check_layer<ragged | masked, 5, 2, 2>(c);
  check_layer<ragged | masked_sum_over_positions, 5, 3>(c);
  check_layer<ragged | masked_mean_over_positions, 5, 3>(c);
  check_layer<ragged | mean_over_nodes, 5, 3>();
  check_layer<ragged | last_valid_position, 5, 3>(c);
  check_layer<ragged | last_valid_position, 5, 3>();
  check_layer<first_position, 5, 3>();
  CHECK((sees<ragged | masked, change::no_mask, 5, 3>(c)));
  CHECK((sees<ragged | masked_sum_over_positions, change::no_mask, 5, 3>(c)));
  CHECK((sees<ragged | masked_mean_over_positions, change::no_mask, 5, 3>(c)));
  CHECK((sees<ragged | last_valid_position, change::no_mask, 5, 3>(c)));

  site<double> s;
  s.in = {2, {2, 2}};
  s.out = {1, {2}};
  unsigned char const none[2]{};
  s.side.mask = none;
  std::vector<double> const x{1, 2, 3, 4}, zero(2);
  CHECK(applied<detail::read_out_rule<detail::read_out::mean>>(s, x) == zero);
  CHECK(applied<detail::read_out_rule<detail::read_out::sum>>(s, x) == zero);
  CHECK(applied<detail::read_out_rule<detail::read_out::last>>(s, x) == zero);
  CHECK(applied<detail::read_out_rule<detail::read_out::first>>(s, x) == zero);
}

TEST_CASE("a mask from lengths") {
  std::vector<int> const lengths{2, 0, 3};
  CHECK(mask_of(lengths, 3) == std::vector<unsigned char>{1, 1, 0, 0, 0, 0, 1, 1, 1});
  CHECK_THROWS_WITH(mask_of(lengths, 2), "sequence 2 has length 3, a length from 0 to 2 was expected");
  CHECK_THROWS_AS(mask_of(std::vector<int>{-1}, 2), invalid_value);
}

TEST_CASE("attention: its parameters and their names") {
  using fused = network<input<3, 4> | attention<heads<2>, "A">>;
  CHECK(fused::parameter_count == 4 * 12 + 12 + 4 * 4 + 4);
  CHECK(fused::output_shape == shape{2, {3, 4}});
  CHECK(std::string(fused::parameters[0].name.s) == "A.qkv");
  CHECK(std::string(fused::parameters[1].name.s) == "A.output");
  using apart = network<input<3, 4> | attention<heads<2>, separate_weights, no_bias, "A">>;
  CHECK(apart::parameter_count == 4 * 16);
  CHECK(apart::parameters.size() == 4);
  CHECK(std::string(apart::parameters[2].name.s) == "A.values");
  using twice = network<input<3, 4> | attention<"A"> | attention<"A">>;
  CHECK(twice::parameter_count == fused::parameter_count);
  using unnamed = network<input<3, 4> | attention<> | attention<>>;
  CHECK(unnamed::parameter_count == 2 * fused::parameter_count);
  using ragged_net = network<input<3, 4> | ragged | attention<separate_weights> | attention<>>;
  for (node const& n : ragged_net::nodes) CHECK(n.ragged);
}
