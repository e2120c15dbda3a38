#pragma once
/// \file
/// Which block of K-FAC every parameter of a network gets: a table of values, and the same in words.

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include <kappa/derive/kfac_matrix.hpp>
#include <kappa/derive/workspace.hpp>
#include <kappa/plan/aggregation.hpp>

namespace kappa::inline KAPPA_ARCH {

/// What a block of K-FAC is.
enum class block_kind {
  dense,             ///< B alone, the curvature matrix's own block: of a layer's own parameters, or a bias apart
  kronecker,         ///< B ⊗ A of a weight that every sample uses once
  kronecker_table,   ///< B ⊗ A of a table of which positions read rows: A is diagonal, each position counts like a
                     ///< sample
  kronecker_expand,  ///< B ⊗ A of a weight that is used at several positions, each counted like a sample
  kronecker_reduce   ///< the same with positions averaged (A) and summed (B) first
};

/// The block of one parameter, which is a weight with its bias, or all of a layer's own parameters; what is tied has
/// one block for all its uses.
struct curvature_block {
  std::string title;  ///< the parameter in a sentence
  block_kind kind = block_kind::dense;
  int uses = 0;           ///< nodes that share the parameter
  int positions = 0;      ///< R: positions of all its uses together
  std::size_t first = 0;  ///< the block is of elements [first, first + size) of the flat parameters
  std::size_t size = 0;
  std::size_t input_order = 0;   ///< of A, with the bias's coordinate; 1 where the block is dense
  std::size_t output_order = 0;  ///< of B

  /// Numbers that its factors hold: two matrices, of a table's A its diagonal.
  std::size_t elements() const {
    return input_order * (kind == block_kind::kronecker_table ? 1 : input_order) + output_order * output_order;
  }
};

/// The blocks in the order of the parameters. They do not overlap, and together they are all parameters.
struct curvature_coverage {
  std::vector<curvature_block> blocks;
  std::string text;  ///< as a table
};

namespace detail {

template <class... A>
std::string formatted(char const* format, A... a) {
  char line[256];
  std::snprintf(line, sizeof line, format, a...);
  return line;
}

/// A block of parameter p, or of its part, in a mode of K-FAC.
template <network_type Network>
curvature_block block_of(std::size_t p, kfac_block const& of, kfac_mode mode) {
  parameter const& w = of.parameter;
  curvature_block b;
  b.uses = w.uses;
  for (node const& x : Network::nodes)
    if (x.parameter == static_cast<int>(p))
      b.positions += x.op == operation::dense || w.is_table() ? x.out.positions() : 1;
  b.first = static_cast<std::size_t>(w.offset);
  b.size = static_cast<std::size_t>(w.size());
  b.input_order = static_cast<std::size_t>(w.inputs + (w.bias ? 1 : 0));
  b.output_order = static_cast<std::size_t>(w.outputs);
  bool const reduces = mode == kfac_mode::reduce || (mode == kfac_mode::automatic && sharing<Network>[p].aggregated);
  if (w.is_table()) {
    b.kind = block_kind::kronecker_table;
  } else if (b.input_order == 1 && w.inputs == 1 && (w.layer != nullptr || of.part == kfac_part::bias_alone) &&
             (b.positions == 1 || reduces)) {
    b.kind = block_kind::dense;
  } else if (b.positions == 1) {
    b.kind = block_kind::kronecker;
  } else {
    b.kind = reduces ? block_kind::kronecker_reduce : block_kind::kronecker_expand;
  }
  return b;
}

inline char const* name_of(kfac_mode mode) {
  return mode == kfac_mode::expand ? "expand" : mode == kfac_mode::reduce ? "reduce" : "automatic";
}

inline std::string said(curvature_block const& b) {
  std::string s;
  if (b.kind == block_kind::dense) {
    s = formatted("dense, %zu x %zu", b.size, b.size);
  } else if (b.kind == block_kind::kronecker_table) {
    s = formatted("B %zu x %zu, diagonal of %zu frequencies, expand over %d positions", b.output_order, b.output_order,
                  b.input_order, b.positions);
  } else {
    s = formatted("B %zu x %zu, A %zu x %zu", b.output_order, b.output_order, b.input_order, b.input_order);
    if (b.kind != block_kind::kronecker)
      s += formatted(", %s over %d positions", b.kind == block_kind::kronecker_reduce ? "reduce" : "expand",
                     b.positions);
  }
  if (b.uses > 1) s += formatted(", %d uses together", b.uses);
  return s;
}

template <network_type Network>
curvature_coverage coverage_in(kfac_mode mode, bool biases_apart) {
  curvature_coverage c;
  auto const blocks = kfac_blocks(Network::parameters, biases_apart);
  auto const titles = titles_of(blocks);
  std::size_t parameters = 0, elements = 0, p = 0;
  c.text = formatted("K-FAC (%s%s)\n%-56s %10s %10s %12s  %s\n", name_of(mode), biases_apart ? ", biases apart" : "",
                     "parameter", "first", "size", "factors", "block");
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    c.blocks.push_back(block_of<Network>(p, blocks[i], mode));
    if (blocks[i].part != kfac_part::weight_alone) ++p;
    curvature_block& b = c.blocks.back();
    b.title = titles[i];
    parameters += b.size;
    elements += b.elements();
    c.text +=
        formatted("%-56s %10zu %10zu %12zu  %s\n", b.title.c_str(), b.first, b.size, b.elements(), said(b).c_str());
  }
  c.text += formatted("%zu blocks of %zu of %d parameters, %zu numbers in their factors\n", c.blocks.size(), parameters,
                      Network::parameter_count, elements);
  return c;
}

}  // namespace detail

/// The blocks of `kfac<Mode>` on a network, with `separate_bias` those of `kfac<Mode, exact, separate_bias>`:
/// `std::cout << coverage<net>().text`. Every parameter is in one: nothing is left to another optimiser.
template <network_type Network, class Mode = automatic_t, class Bias = joint_bias_t>
curvature_coverage coverage(Mode const& = {}, Bias const& = {}) {
  constexpr request wanted = request_of<kfac_t<Mode, exact_t>>();
  static_assert(static_detail::refuse<detail::coupling_fault<Network, wanted>>());
  return detail::coverage_in<Network>(Mode::mode, Bias::separate);
}

}  // namespace kappa::inline KAPPA_ARCH
