#pragma once
/// \file
/// The derived plan, for people: as text and as a graph for Graphviz.

#include <span>
#include <string>

#include <kappa/derive/coverage.hpp>
#include <kappa/derive/workspace.hpp>

namespace kappa::inline KAPPA_ARCH {

/// A plan in words. `text` is a table of the program's steps with what is fused, shared and chosen, followed by the
/// `coverage` of every mode of K-FAC that is asked for; `dot` the steps as a graph (`dot -Tsvg`).
struct explanation {
  std::string text;
  std::string dot;
};

namespace detail {

/// A plan without its types: what an explanation is made from.
struct plan_facts {
  std::span<node const> nodes;
  std::span<parameter const> parameters;
  std::span<node_plan const> plans;
  std::span<parameter_plan const> parameter_plans;
  stream_set streams;
  request wanted;
  int elements_per_sample = 0;
  std::size_t scalar_bytes = 0;
  std::size_t fixed_elements = 0;
  std::size_t per_sample_elements = 0;  ///< of results
  std::size_t block = 0;                ///< samples that the buffers have room for, 0 for all
  std::size_t quadratic_elements = 0;   ///< at 128 samples
  int terms = 1;
};

inline std::string name_of(shape const& s) {
  std::string text;
  for (int i = 0; i < s.rank; ++i) {
    if (i > 0) text += 'x';
    text += std::to_string(s.extent[i]);
  }
  return text;
}
inline char const* name_of(stream_kind k) {
  switch (k) {
    case stream_kind::first_order:
      return "gradient";
    case stream_kind::ggn_product:
      return "ggn product";
    case stream_kind::hessian:
      return "hessian product";
    case stream_kind::monte_carlo:
      return "monte carlo";
    case stream_kind::root:
      return "root of the loss Hessian";
    case stream_kind::wide_root:
      return "full root of the loss Hessian";
    case stream_kind::random_signs:
      return "root of the loss Hessian with random signs";
  }
  return "?";
}

/// What happens at node i, as a list of remarks.
inline std::string remarks(plan_facts const& f, std::size_t i) {
  node const& x = f.nodes[i];
  node_plan const& p = f.plans[i];
  std::string r;
  // Appending only: g++ 12 warns about insertions at the front of strings.
  auto const say = [&](char const* what, char const* before = "", int n = -1, char const* after = "") {
    if (!r.empty()) r += "; ";
    r += what;
    r += before;
    if (n >= 0) r += std::to_string(n);
    r += after;
  };
  if (x.op == operation::dense) {
    parameter const& w = f.parameters[static_cast<std::size_t>(x.parameter)];
    int const bytes = static_cast<int>(f.scalar_bytes);
    bool const tiles = choose_route(w.inputs, w.outputs, bytes, kernels::simd_bytes) == route::tiles;
    double const of_tiles = tiles_cycles(w.inputs, w.outputs, bytes, kernels::simd_bytes) / 1000;
    double const of_blas = blas_cycles(w.inputs, w.outputs, bytes, kernels::simd_bytes) / 1000;
    say(tiles ? "register tiles" : "BLAS in place",
        formatted(" (%.3g against %.3g kcycles by the model)", tiles ? of_tiles : of_blas, tiles ? of_blas : of_tiles)
            .c_str());
    if (p.epilogue >= 0) say("epilogue ", "#", p.epilogue);
    if (p.chosen_by >= 0)
      say(p.spreads ? "vectors zero but where " : "vectors only where ", "#", p.chosen_by, " chose");
    if (p.mask >= 0) say("its pull ends with the mask of ", "#", p.mask);
    if (p.active && p.adjoint != place_of::none && p.to_a == contribution::none) say("nothing to pull");
  }
  if (x.parameter >= 0)
    if (parameter const& w = f.parameters[static_cast<std::size_t>(x.parameter)]; w.uses > 1)
      say(x.op == operation::dense ? "weight shared by " : "parameters shared by ", "", w.uses, " uses");
  if (p.fused) say("fused into ", "#", x.a);
  if (p.moves_nothing) say("moves nothing");
  if (x.a >= 0 && !p.moves_nothing && p.value >= 0 && p.value == f.plans[static_cast<std::size_t>(x.a)].value)
    say("in place");
  if (p.masked) say("masked in a pull");
  if (p.to_a == contribution::alias || p.to_b == contribution::alias) say("adjoint shared");
  if (p.to_a == contribution::add || p.to_b == contribution::add) say("adjoint adds");
  return r;
}

inline explanation explain(plan_facts const& f) {
  explanation e;
  std::string& t = e.text;
  long forward = 0, backward = 0;
  t += formatted("%4s  %-20s %-10s %9s %11s %11s %8s %8s  %s\n", "#", "node", "shape", "parameters", "forward",
                 "backward", "value", "adjoint", "how");
  for (std::size_t i = 0; i < f.nodes.size(); ++i) {
    node const& x = f.nodes[i];
    node_plan const& p = f.plans[i];
    long const up = flops_of(x, f.nodes.data(), f.parameters.data());
    long down = 0;
    std::string parameters = "-";
    if (x.parameter >= 0) parameters = std::to_string(f.parameters[static_cast<std::size_t>(x.parameter)].size());
    if (x.op == operation::dense) {
      parameter const& w = f.parameters[static_cast<std::size_t>(x.parameter)];
      long const product = 2L * w.inputs * w.outputs * x.out.positions();
      long const linear = (f.wanted.gradient || f.wanted.gradient_variance ? 1 : 0) +
                          (f.wanted.ggn_vector_product ? 1 : 0) + (f.wanted.hessian_vector_product ? 2 : 0);
      // Under a pool only what it chose is multiplied.
      long const among = p.chosen_by < 0 ? 1 : x.out.size();
      long const chosen = p.chosen_by < 0 ? 1 : f.nodes[static_cast<std::size_t>(p.chosen_by)].out.size();
      long const pulled = p.to_a == contribution::none ? 0 : f.streams.columns;
      long const of_chosen = product * chosen / among;
      if (f.streams.count > 0) down = (p.spreads ? product : of_chosen) * linear + of_chosen * pulled;
    } else if (p.active && p.to_a != contribution::none && !p.moves_nothing && (!p.chooses || p.spreads)) {
      down = long{x.out.size()} * f.streams.columns;
    }
    forward += up;
    backward += down;
    auto const place = [](int at) {
      return at >= 0 ? std::to_string(at) : at == place_of::batch_inputs ? "batch" : "-";
    };
    std::string title = x.title();
    if (!x.name.empty() && x.name.copy >= 0) title += formatted("[%d]", x.name.copy);
    if (x.a >= 0 && x.a + 1 != static_cast<int>(i)) title += formatted(" of #%d", x.a);
    if (x.b >= 0) title += formatted(", #%d", x.b);
    t += formatted("%4zu  %-20s %-10s %9s %11ld %11ld %8s %8s  %s\n", i, title.c_str(), name_of(x.out).c_str(),
                   parameters.c_str(), up, down, place(p.value).c_str(), place(p.adjoint).c_str(),
                   remarks(f, i).c_str());
  }
  t += formatted("\nper sample: %ld flops forward, %ld backward without the quadratic quantities\n", forward, backward);
  t += "streams going backward, as one product of their columns at every layer:";
  if (f.streams.count == 0) t += " none";
  for (int s = 0; s < f.streams.count; ++s)
    t += formatted("%s %s (%d)", s > 0 ? "," : "", name_of(f.streams.at[s].kind), f.streams.at[s].columns);
  auto const buffers = static_cast<std::size_t>(f.elements_per_sample) * f.scalar_bytes;
  std::size_t const results = f.per_sample_elements * f.scalar_bytes;
  t += "\nworkspace: ";
  if (f.block > 0)
    t += formatted("%zu bytes for each of %zu samples a thread, which go through all layers as a block, and ", buffers,
                   f.block);
  t += formatted("%zu bytes per sample, %zu fixed", results + (f.block > 0 ? 0 : buffers),
                 f.fixed_elements * f.scalar_bytes);
  if (f.quadratic_elements > 0)
    t += formatted(", Gram matrices of %zu bytes at 128 samples", f.quadratic_elements * f.scalar_bytes);
  t += "\nkcycles: the model's cost of a layer's three products at 32 rows, on the kernel chosen and on the other one";
  t += "\nplaces of values and adjoints count elements per sample in one arena; buffers that are never alive at once "
       "share theirs\n";

  std::string& d = e.dot;
  d = "digraph plan {\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n";
  for (std::size_t i = 0; i < f.nodes.size(); ++i) {
    node const& x = f.nodes[i];
    node_plan const& p = f.plans[i];
    std::string const how = remarks(f, i);
    d += formatted("  n%zu [label=\"#%zu %s\\n%s%s", i, i, x.title(), name_of(x.out).c_str(), how.empty() ? "" : "\\n");
    d += how + "\"" + (p.fused || p.moves_nothing ? ", style=dashed" : "") + "];\n";
    if (x.a >= 0) d += formatted("  n%d -> n%zu;\n", x.a, i);
    if (x.b >= 0) d += formatted("  n%d -> n%zu;\n", x.b, i);
  }
  d += formatted("  loss [shape=oval];\n  n%zu -> loss;\n}\n", f.nodes.size() - 1);
  return e;
}

}  // namespace detail

/// Explains the plan of a set of quantities: `std::cout << explain<digits>(gradient, ggn).text`.
template <objective_type Objective, real T = float, quantity... Quantities>
explanation explain(Quantities const&...) {
  constexpr request wanted = request_of<Quantities...>();
  using network = typename Objective::network;
  static_assert(static_detail::refuse<detail::coupling_fault<network, wanted>>());
  using places = layout<Objective, wanted>;
  auto const& plan = program<Objective, wanted>::value;
  constexpr std::size_t many = std::size_t{1} << 40;  // more than any block has
  constexpr std::size_t room = detail::runner<T, Objective, wanted>::room_for(many, 1);
  auto e =
      detail::explain({network::nodes, network::parameters, plan.nodes, plan.parameters,
                       program<Objective, wanted>::streams, wanted, plan.elements_per_sample, sizeof(T), places::fixed,
                       places::results_per_sample, room < many ? room : 0, places::quadratic(128), Objective::terms});
  for (kfac_mode mode : {kfac_mode::expand, kfac_mode::reduce, kfac_mode::automatic})
    for (bool apart : {false, true})
      if (wanted.any_kfac(mode, apart)) e.text += "\n" + detail::coverage_in<network>(mode, apart).text;
  return e;
}

}  // namespace kappa::inline KAPPA_ARCH
