// Sequences and graphs of different sizes: what docs/layers_sequences.md quotes. Two networks take a few damped
// Gauss-Newton steps on invented data; the program says how their losses fell and returns 0 when they did, else 1.

#include <cstdio>
#include <vector>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

namespace {

using namespace kappa;

// [attention]
inline constexpr auto thinks = residual(dense<32> | act::gelu | dense<16>);
struct reader : network<input<12> | ragged | embedding<5, 16> | sinusoidal_positions |
                        repeat<2>(residual(attention<heads<4>>) | thinks) | masked_mean_over_positions | dense<2>> {};
struct reading : objective<reader, cross_entropy> {};

static_assert(reader::parameters.size() == 1 + 2 * (2 + 2) + 1);  // the table, and per block: qkv, output, two matrices
static_assert(reader::mask_positions == 12);
// [/attention]

// [options]
struct writer : network<input<12, 16> | attention<heads<4>, causal, no_bias, "A">> {};
static_assert(writer::parameter_count == 3 * 16 * 16 + 16 * 16);
struct three : network<input<12, 16> | attention<heads<4>, separate_weights, "A">> {};
static_assert(three::parameters.size() == 4);  // A.queries, A.keys, A.values, A.output
struct own : network<input<12, 16> | dense<24, "W"> | attention_core<heads<2>>> {};  // around the core, what you like
static_assert(own::output_shape == shape{2, {12, 8}});
// [/options]

// [class_token]
struct gatherer : network<input<9, 16> | class_token<> | positional_embedding<> | attention<heads<2>> | first_position |
                          dense<10>> {};
static_assert(gatherer::parameters[0].size() == 16 && gatherer::parameters[1].size() == 10 * 16);
// [/class_token]

// [graph]
struct molecule : network<input<6, 3> | ragged | graph_convolution<8> | act::silu | graph_convolution<8> | act::silu |
                          mean_over_nodes | dense<1>> {};
struct energies : objective<molecule, squared_error> {};
static_assert(molecule::graph_nodes == 6);
// [/graph]

/// Eight sentences of up to twelve words; the answer is whether word 3 stands in them. Damped Gauss-Newton steps.
bool read() {
  // [mask]
  std::vector<int> const lengths{12, 3, 7, 5, 9, 12, 4, 6};
  std::vector<unsigned char> const mask = mask_of(lengths, 12);  // [N, 12]

  std::vector<float> words(8 * 12);  // token indices; those in the padding are not read
  std::vector<int> answers(8);
  counter_random random(2);
  for (std::size_t i = 0; i < words.size(); ++i) {  // every other sentence has no 3
    words[i] = static_cast<float>(random.below(i / 12 % 2 == 0 ? 5 : 3));
    if (mask[i] != 0 && words[i] == 3) answers[i / 12] = 1;
  }
  batch b(words, answers);
  b.side.mask = mask;
  // [/mask]

  auto theta = initialise<reader, float>(1, 0.7);
  double first = 0, last = 0;
  for (int step = 0; step < 20; ++step) {
    auto const q = derive<reading>(theta, b, loss_value, gradient, ggn);
    last = q[loss_value];
    if (step == 0) first = last;
    theta -= solve(q[ggn] + 0.1f * identity, q[gradient]);
  }
  std::printf("sentences: the loss falls from %.3f to %.3g\n", first, last);
  return last < first / 4;
}

/// Three graphs of up to six nodes.
bool bind() {
  // [edges]
  // A chain of six, a triangle, and a star of four. Both directions of an edge are written.
  std::vector<int> const row_begin{0,  1,  3,  5,  7,  9,  10,  // where each node's edges begin: the chain's,
                                   12, 14, 16, 16, 16, 16,      // the triangle's and its three empty places,
                                   19, 20, 21, 22, 22, 22};     // the star's; counted through the whole batch
  std::vector<int> const column{1, 0, 2, 1, 3, 2, 4, 3, 5, 4,   // the other node, within its graph
                                1, 2, 0, 2, 0, 1,               //
                                1, 2, 3, 0, 0, 0};
  std::vector<unsigned char> const mask = mask_of(std::vector<int>{6, 3, 4}, 6);

  std::vector<double> atoms(3 * 6 * 3), energy{-1, 2, 0.5};
  counter_random random(3);
  for (double& v : atoms) v = random.normal();
  batch b(atoms, energy);
  b.side.row_begin = row_begin;
  b.side.column = column;
  b.side.mask = mask;
  // [/edges]

  auto theta = initialise<molecule, double>(1);
  double first = 0, last = 0;
  for (int step = 0; step < 20; ++step) {
    auto const q = derive<energies>(theta, b, loss_value, gradient, ggn);
    last = q[loss_value];
    if (step == 0) first = last;
    theta -= solve(q[ggn] + 0.1 * identity, q[gradient]);
  }
  std::printf("graphs: the loss falls from %.3f to %.3g\n", first, last);
  return last < first / 100;
}

}  // namespace

int main() { return read() && bind() ? 0 : 1; }
