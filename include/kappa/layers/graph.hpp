#pragma once
/// \file
/// Layers on graphs: what a node gathers from its neighbours, along the adjacency or the edges that come with a batch
/// (`batch_side`).

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <kappa/arch.hpp>
#include <kappa/declare/algebra.hpp>
#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/layers.hpp>
#include <kappa/declare/term.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

enum class gathering { sum, mean, normalised };

/// [nodes, d] to [nodes, d], y_i = l_i Σ_j A_ij r_j x_j, with a loop of weight 1 at every node where it is normalised.
template <gathering How>
struct gather_rule {
  static constexpr char const* name = How == gathering::sum    ? "graph_sum"
                                      : How == gathering::mean ? "graph_mean"
                                                               : "graph_normalised";
  static constexpr bool linear = true;
  static constexpr bool keeps_positions = true;
  static constexpr bool reads_graph = true;

  static constexpr layer_fault fault_of(shape const& in, layer_settings const&) {
    if (in.rank != 2) return {"wants nodes and features, rank", 2, "and not rank", in.rank};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }
  static constexpr std::size_t scratch(shape const& in, layer_settings const&) {
    return 2 * static_cast<std::size_t>(in.extent[0]);
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    int const d = s.in.features();
    factors(s);
    std::fill_n(y, s.in.size(), T(0));
    over_pairs(s, [=](int i, int j, T a) { add(d, a, x + j * d, y + i * d); });
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const d = s.in.features(), size = s.in.size();
    factors(s);
    if (!adds) std::fill_n(gx, count * size, T(0));
    over_pairs(s, [=](int i, int j, T a) {
      for (int k = 0; k < count; ++k) add(d, a, g + k * size + i * d, gx + k * size + j * d);
    });
  }

 private:
  template <class T>
  static void add(int d, T a, T const* __restrict x, T* __restrict y) {
    for (int c = 0; c < d; ++c) y[c] += a * x[c];
  }
  /// Calls f(j, weight) for the edges of node i.
  template <class T, class F>
  static void over_edges(site<T> const& s, int i, F&& f) {
    int const nodes = s.in.extent[0];
    if (s.side.adjacency != nullptr) {
      for (int j = 0; j < nodes; ++j)
        if (T const a = s.side.adjacency[i * nodes + j]; a != 0) f(j, a);
    } else if (s.side.row_begin != nullptr) {
      for (int e = s.side.row_begin[i]; e < s.side.row_begin[i + 1]; ++e)
        f(s.side.column[e], s.side.weight != nullptr ? s.side.weight[e] : T(1));
    }
  }
  /// Writes l and r into scratch; padding has zeros.
  template <class T>
  static void factors(site<T> const& s) {
    int const nodes = s.in.extent[0];
    T* const left = s.scratch;
    T* const right = left + nodes;
    auto const valid = [&](int i) { return s.side.mask == nullptr || s.side.mask[i] != 0 ? T(1) : T(0); };
    for (int i = 0; i < nodes; ++i) {
      T degree = How == gathering::normalised ? T(1) : T(0);
      if constexpr (How != gathering::sum) over_edges(s, i, [&](int j, T a) { degree += a * valid(j); });
      left[i] = right[i] = valid(i);
      if constexpr (How == gathering::mean) left[i] *= degree != 0 ? 1 / degree : T(0);
      if constexpr (How == gathering::normalised) left[i] = right[i] *= degree > 0 ? 1 / std::sqrt(degree) : T(0);
    }
  }
  /// Calls f(i, j, l_i A_ij r_j).
  template <class T, class F>
  static void over_pairs(site<T> const& s, F&& f) {
    T const* const left = s.scratch;
    T const* const right = left + s.in.extent[0];
    for (int i = 0; i < s.in.extent[0]; ++i) {
      if constexpr (How == gathering::normalised) f(i, i, left[i] * right[i]);
      over_edges(s, i, [&](int j, T a) { f(i, j, left[i] * a * right[j]); });
    }
  }
};

template <gathering How>
struct gather_t : term_base<gather_t<How>> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<gather_rule<How>>, {}); }
};

}  // namespace detail

/// `graph_sum`: [nodes, d] -> [nodes, d], y_i = Σ_j A_ij x_j. The graph of a sample is its adjacency A, or edges with
/// their weights (1 unless said). Where the operand is ragged, edges at masked nodes do not count and the rows of
/// masked nodes are zero. Linear, without parameters; costs 2 d flops an edge. The same holds for the two below.
inline constexpr detail::gather_t<detail::gathering::sum> graph_sum{};
/// `graph_mean`: y_i = Σ_j A_ij x_j / Σ_j A_ij; zero where the denominator is.
inline constexpr detail::gather_t<detail::gathering::mean> graph_mean{};
/// `graph_normalised`: y = D^{-1/2} (A + I) D^{-1/2} x, D the row sums of A + I (Kipf & Welling 2017, "Semi-supervised
/// classification with graph convolutional networks", equation 2). A is symmetric and has no negative entries; what
/// has a row sum of zero or less is left out.
inline constexpr detail::gather_t<detail::gathering::normalised> graph_normalised{};

/// `graph_convolution<Out, ...>`: `graph_normalised | dense<Out, ...>`, the layer of Kipf & Welling; options are those
/// of `dense`. Other aggregations are written out: `graph_mean | dense<16>`.
template <int Out, dense_option... Options>
inline constexpr auto graph_convolution = graph_normalised | dense<Out, Options...>;

}  // namespace kappa::inline KAPPA_ARCH
