#pragma once
/// \file
/// A graph under construction: what a term's `emit` talks to. Shapes are inferred as nodes are added; the first
/// fault is kept and construction goes on, so that a malformed network still gives one sentence and no more.

#include <kappa/shapes/fault.hpp>
#include <kappa/shapes/graph.hpp>
#include <kappa/shapes/list.hpp>

namespace kappa {

struct graph_builder {
  static_detail::list<node> nodes;
  static_detail::list<parameter> parameters;
  int parameter_count = 0;
  int statistics_count = 0;  ///< of the batch norms so far
  diagnosis bad{};

  constexpr void fail(fault why, int expected, int got, label at) {
    if (bad.why == fault::none) bad = {why, nodes.count, expected, got, at};
  }
  constexpr shape const& shape_of(int x) const { return nodes[x].out; }
  constexpr bool is_ragged(int x) const { return nodes[x].ragged; }

  // ---- terms ------------------------------------------------------------------------------------------------
  constexpr int input(int x, shape s) {
    if (x >= 0) fail(fault::second_input, 1, 2, {"input"});
    for (int i = 0; i < s.rank; ++i)
      if (s.extent[i] < 1) fail(fault::no_outputs, 1, s.extent[i], {"input"});
    return nodes.push({.op = operation::input, .out = s});
  }

  constexpr int dense(int x, int outputs, bool has_bias, char const* name, int copy = -1) {
    x = after_input(x, {name[0] != '\0' ? name : "dense"});
    shape s = shape_of(x);
    label at = scoped(name);
    if (copy >= 0 && !at.empty()) at.copy = copy;
    if (outputs < 1) fail(fault::no_outputs, 1, outputs, {name[0] != '\0' ? name : "dense"});
    int const p = weight(outputs, s.features(), has_bias, at);
    s.extent[s.rank - 1] = outputs;
    return nodes.push(
        {.op = operation::dense, .a = x, .parameter = p, .out = s, .name = at, .ragged = is_ragged(x) && s.rank > 1});
  }

  constexpr int activation(int x, activation_rule const* rule) {
    x = after_input(x, {rule->name});
    return nodes.push({.op = operation::activation, .a = x, .out = shape_of(x), .act = rule, .ragged = is_ragged(x)});
  }

  /// A layer that does not take its operand stands for the identity, so that no second fault follows.
  constexpr int refuse(int x, layer_fault const& f, char const* title) {
    x = after_input(x, {title});
    if (bad.why == fault::none) {
      fail(fault::layer_refuses, f.expected, f.got, {title});
      bad.says = f.says;
      bad.than = f.than;
      bad.after = f.after;
    }
    return scale(x, 1, 1);
  }

  constexpr int layer(int x, layer_rule const* rule, layer_settings const& set, char const* name = "", int shift = 0) {
    x = after_input(x, {rule->name});
    shape const in = shape_of(x);
    if (layer_fault const f = rule->fault_of(in, set); f.says != nullptr)
      return refuse(x, f, name[0] != '\0' ? name : rule->name);
    int const own = rule->parameters(in, set);
    if (int const normalised = rule->normalised(in, set); normalised > 0) {
      shift = statistics_count;
      statistics_count += 2 * normalised;
    }
    int const p = own > 0 ? weight(own, 1, false, scoped(name), rule, rule->row(in, set)) : -1;
    return nodes.push({.op = operation::layer,
                       .a = x,
                       .parameter = p,
                       .out = rule->output(in, set),
                       .layer = rule,
                       .set = set,
                       .shift = shift,
                       .name = scoped(name),
                       .ragged = is_ragged(x) && rule->keeps_positions});
  }

  /// The two values side by side along an axis; negative axes count from the last.
  constexpr int concatenate(int a, int b, int axis) {
    a = after_input(a, {"concatenate"});
    b = after_input(b, {"concatenate"});
    shape s = shape_of(a);
    shape const& t = shape_of(b);
    if (s.rank != t.rank) fail(fault::ranks_differ, s.rank, t.rank, {"concatenate"});
    if (axis < 0) axis += s.rank;
    if (axis < 0 || axis >= s.rank) {
      fail(fault::wrong_rank, axis + 1, s.rank, {"concatenate"});
      axis = 0;
    }
    for (int i = s.rank; i-- > 0;)
      if (i != axis && s.extent[i] != t.extent[i])
        fail(fault::widths_differ, s.extent[i], t.extent[i], {"concatenate"});
    s.extent[axis] += t.extent[axis];
    return nodes.push({.op = operation::concatenate,
                       .a = a,
                       .b = b,
                       .out = s,
                       .set = {{axis}},
                       .ragged = axis > 0 && (is_ragged(a) || is_ragged(b))});
  }

  /// The same elements under another shape.
  constexpr int reshape(int x, shape s) {
    x = after_input(x, {"reshape"});
    for (int i = 0; i < s.rank; ++i)
      if (s.extent[i] < 1) fail(fault::no_outputs, 1, s.extent[i], {"reshape"});
    if (s.size() != shape_of(x).size()) {
      fail(fault::widths_differ, shape_of(x).size(), s.size(), {"reshape"});
      s = shape_of(x);
    }
    return nodes.push({.op = operation::reshape, .a = x, .out = s});
  }

  constexpr int scale(int x, int numerator, int denominator) {
    x = after_input(x, {"scale"});
    return nodes.push({.op = operation::scale,
                       .a = x,
                       .out = shape_of(x),
                       .numerator = numerator,
                       .denominator = denominator,
                       .ragged = is_ragged(x)});
  }

  constexpr int add(int a, int b) { return meet(operation::add, a, b); }
  constexpr int multiply(int a, int b) { return meet(operation::multiply, a, b); }

  constexpr int flatten(int x) {
    x = after_input(x, {"flatten"});
    return reshape(x, {1, {shape_of(x).size()}});
  }

  constexpr int aggregate(int x, bool averages) {
    operation const op = averages ? operation::mean_positions : operation::sum_positions;
    x = after_input(x, {name_of(op)});
    shape const s = shape_of(x);
    if (s.rank < 2) fail(fault::wrong_rank, 2, s.rank, {name_of(op)});
    if (is_ragged(x))
      return refuse(x,
                    {"would count padding; a ragged axis wants masked_mean_ or masked_sum_over_positions: expected", 0,
                     "ragged axes, got", 1},
                    name_of(op));
    return nodes.push({.op = op, .a = x, .out = {1, {s.features()}}});
  }

  /// The leading axis of an input may hold padding, which the batch's mask tells.
  constexpr int ragged(int x) {
    x = after_input(x, {"ragged"});
    nodes[x].ragged = true;
    return x;
  }

  // ---- the end ----------------------------------------------------------------------------------------------
  /// Ends the graph, whose result is the last node: a recall or a mark at the end may have named an earlier one.
  constexpr void finish(int last) {
    if (bad.why != fault::none) return;
    if (last != nodes.count - 1) scale(last, 1, 1);
    rectify_after_pooling();
  }

  // ---- names ------------------------------------------------------------------------------------------------
  constexpr int mark(int x, char const* name) {
    x = after_input(x, {name});
    marks.push({name, scope, x});
    return x;
  }

  constexpr int recall(char const* name) {
    for (int s = scope; s >= 0; s = s == 0 ? -1 : scopes[s].parent)
      for (int i = marks.count; i-- > 0;)
        if (marks[i].scope == s && static_detail::same_text(marks[i].name, name)) return marks[i].node;
    fail(fault::unknown_label, marks.count, 0, {name});
    return after_input(nodes.count - 1, {name});
  }

  // ---- repetition -------------------------------------------------------------------------------------------
  struct outer_scope {
    int scope;
  };
  constexpr outer_scope enter_copy(int copy) {
    if (scopes.count == 0) scopes.push({});  // the outermost scope is number 0
    outer_scope const outer{scope};
    scope = scopes.push({scope, copy});
    return outer;
  }
  constexpr void leave_copy(outer_scope outer) { scope = outer.scope; }

  struct tied_state {
    int start;   // where the first copy's weights begin in the log
    int cursor;  // the enclosing replay, or -1
  };
  constexpr tied_state begin_tied() { return {used.count, replay}; }
  constexpr void replay_tied(tied_state t) { replay = t.start; }
  constexpr void end_tied(tied_state t) {
    // An enclosing replay has meanwhile been served by this one's log: move it past all these copies.
    replay = t.cursor < 0 ? -1 : t.cursor + (used.count - t.start);
  }

 private:
  struct mark_entry {
    char const* name;
    int scope;
    int node;
  };
  struct scope_entry {
    int parent = -1;
    int copy = -1;
  };
  static_detail::list<mark_entry> marks;
  static_detail::list<scope_entry> scopes;
  static_detail::list<int> named;  // parameters that have a name
  static_detail::list<int> named_scope;
  static_detail::list<int> used;  // the parameter of every dense term so far, in order
  int scope = 0;
  int replay = -1;

  // The largest of rectified elements is the largest one, rectified: the same value, and the same derivatives, which
  // are zero where no element is positive. So what nobody else reads is rectified behind the pool, where fewer elements
  // are.
  constexpr void rectify_after_pooling() {
    node* const at = nodes.items;  // a subscript of a list is a call, and every call costs evaluation
    bool any = false;
    for (int i = 0; i < nodes.count && !any; ++i) any = at[i].layer != nullptr && at[i].layer->takes_largest;
    if (!any) return;
    static_detail::list<int> readers;
    for (int i = 0; i < nodes.count; ++i) readers.push(0);
    for (int i = 0; i < nodes.count; ++i) {
      if (at[i].a >= 0) ++readers[at[i].a];
      if (at[i].b >= 0) ++readers[at[i].b];
    }
    for (int i = 0; i < nodes.count; ++i) {
      if (at[i].op != operation::layer || !at[i].layer->takes_largest) continue;
      int const x = at[i].a;
      if (at[x].op != operation::activation || at[x].act->kind != activation_kind::relu || readers[x] != 1) continue;
      node pool = at[i], relu = at[x];
      pool.a = relu.a;
      relu.a = x;
      relu.out = pool.out;
      relu.ragged = pool.ragged;
      at[x] = pool;
      at[i] = relu;
    }
  }

  constexpr label scoped(char const* name) const {
    if (name[0] == '\0') return {};
    return {name, scope == 0 ? -1 : scopes[scope].copy};
  }

  constexpr int after_input(int x, label at) {
    if (x >= 0) return x;
    fail(fault::no_input, 0, 0, at);
    return nodes.count > 0 ? nodes.count - 1 : nodes.push({.op = operation::input, .out = {1, {1}}});
  }

  constexpr int weight(int outputs, int inputs, bool has_bias, label name, layer_rule const* of = nullptr,
                       int row = 0) {
    int found = -1;
    if (replay >= 0) {
      found = used[replay++];
    } else if (!name.empty()) {
      for (int i = 0; i < named.count && found < 0; ++i)
        if (named_scope[i] == scope && parameters[named[i]].name == name) found = named[i];
    }
    if (found < 0) {
      found = parameters.push({outputs, inputs, has_bias, parameter_count, 0, name, of, row});
      parameter_count += parameters[found].size();
      if (!name.empty()) {
        named.push(found);
        named_scope.push(scope);
      }
    }
    parameter& p = parameters[found];
    label const at = name.empty() ? label{of != nullptr ? of->name : "dense"} : name;
    if (p.outputs != outputs) fail(fault::tied_shapes_differ, p.outputs, outputs, at);
    if (p.inputs != inputs) fail(fault::tied_shapes_differ, p.inputs, inputs, at);
    if (p.bias != has_bias) fail(fault::tied_bias_differs, p.bias ? 1 : 0, has_bias ? 1 : 0, at);
    if (p.row != row) p.row = 0;  // what reads it otherwise as well is no table
    ++p.uses;
    used.push(found);
    return found;
  }

  constexpr int meet(operation op, int a, int b) {
    a = after_input(a, {name_of(op)});
    b = after_input(b, {name_of(op)});
    shape const& s = shape_of(a);
    shape const& t = shape_of(b);
    if (s.rank != t.rank) fail(fault::ranks_differ, s.rank, t.rank, {name_of(op)});
    for (int i = s.rank; i-- > 0;)
      if (s.extent[i] != t.extent[i]) fail(fault::widths_differ, s.extent[i], t.extent[i], {name_of(op)});
    return nodes.push({.op = op, .a = a, .b = b, .out = s, .ragged = is_ragged(a) || is_ragged(b)});
  }
};

}  // namespace kappa
