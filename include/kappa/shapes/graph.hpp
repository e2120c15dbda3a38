#pragma once
/// \file
/// What a declaration means: a flat array of nodes in the order data flows, and an array of parameters.

#include <kappa/declare/act.hpp>
#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/shape.hpp>
#include <kappa/declare/text.hpp>

namespace kappa {

enum class operation {
  input,
  dense,
  activation,
  layer,
  scale,
  add,
  multiply,
  concatenate,
  reshape,
  mean_positions,
  sum_positions
};

/// The name of an operation as the user wrote it.
constexpr char const* name_of(operation op) {
  switch (op) {
    case operation::input:
      return "input";
    case operation::dense:
      return "dense";
    case operation::activation:
      return "activation";
    case operation::layer:
      return "layer";
    case operation::scale:
      return "scale";
    case operation::add:
      return "+";
    case operation::multiply:
      return "*";
    case operation::concatenate:
      return "concatenate";
    case operation::reshape:
      return "reshape";
    case operation::mean_positions:
      return "mean_over_positions";
    case operation::sum_positions:
      return "sum_over_positions";
  }
  return "?";
}

/// One node. `a` and `b` are the nodes it reads (-1: none), always before it in the array.
struct node {
  operation op = operation::input;
  int a = -1;
  int b = -1;
  int parameter = -1;  ///< index of its parameter, if it has one
  shape out{};         ///< of one sample
  activation_rule const* act = nullptr;
  layer_rule const* layer = nullptr;
  layer_settings set{};  ///< of a layer; of a concatenation the axis
  int numerator = 1;     ///< of `scale`
  int denominator = 1;
  int shift = 0;        ///< of a layer: one more setting, in which equal layers may differ and share their code
  label name{};         ///< of a named term
  bool ragged = false;  ///< the leading axis holds padding where the batch's mask says so

  constexpr bool operator==(node const&) const = default;
  /// What the user would call this node in a sentence.
  constexpr char const* title() const {
    if (!name.empty()) return name.s;
    if (act != nullptr) return act->name;
    if (layer != nullptr) return layer->name;
    return name_of(op);
  }
};

/// A parameter at `offset` of the flat parameter vector: of a dense term the weight [outputs, inputs], then the bias
/// [outputs]; of any other layer a vector, which is a weight [outputs, 1] whose input is one.
struct parameter {
  int outputs = 0;
  int inputs = 0;
  bool bias = false;
  int offset = 0;
  int uses = 0;  ///< nodes that share it
  label name{};
  layer_rule const* layer = nullptr;  ///< whose vector it is; null for a dense term's
  /// Where all its uses are tables of rows of one length, of which a position of the operand reads one: that length.
  int row = 0;

  constexpr bool operator==(parameter const&) const = default;
  constexpr bool is_table() const { return row > 0; }
  constexpr int weight_size() const { return outputs * inputs; }
  constexpr int size() const { return outputs * (inputs + (bias ? 1 : 0)); }
};

/// Floating-point operations of node n for one sample; a multiply-add counts as two. `nodes` and `parameters` are
/// the first elements of its graph's arrays.
constexpr long flops_of(node const& n, node const* nodes, parameter const* parameters) {
  long const elements = n.out.size();
  switch (n.op) {
    case operation::input:
    case operation::reshape:
      return 0;
    case operation::dense:
      return elements * (2L * parameters[n.parameter].inputs + (parameters[n.parameter].bias ? 1 : 0));
    case operation::mean_positions:
    case operation::sum_positions:
      return nodes[n.a].out.size();
    case operation::concatenate:
      return 0;
    default:
      return elements;
  }
}

}  // namespace kappa
