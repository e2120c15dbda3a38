#pragma once
/// \file
/// Where a network aggregates the positions that share a weight, and which positions are padding: what decides between
/// K-FAC-expand and K-FAC-reduce (Eschenhagen et al. 2023, section 3).

#include <array>

#include <kappa/shapes/network.hpp>

namespace kappa {

/// Of one parameter.
struct sharing_of {
  bool aggregated = true;  ///< on every way to the loss its positions become one: the reduce setting
  bool sums = false;       ///< by a sum over the valid ones; else by a mean, or one of them, or anything else
  bool ragged = false;     ///< some positions are padding
  constexpr bool operator==(sharing_of const&) const = default;
};

namespace static_detail {

template <network_type Network>
constexpr auto sharing_in() {
  constexpr int n = Network::node_count;
  node const* const at = Network::nodes.data();
  // Whether positions of a node come to the loss one by one, and whether their first aggregation is a sum.
  std::array<bool, static_cast<unsigned>(n)> separate{}, sums{};
  separate[static_cast<unsigned>(n - 1)] = at[n - 1].out.positions() > 1;
  for (int i = n - 1; i > 0; --i)
    for (int operand : {at[i].a, at[i].b}) {
      if (operand < 0) continue;
      auto const from = static_cast<unsigned>(operand), to = static_cast<unsigned>(i);
      bool const collapses = at[operand].out.positions() > 1 && at[i].out.positions() == 1;
      separate[from] = separate[from] || (!collapses && separate[to]);
      sums[from] = sums[from] || (collapses ? at[i].layer != nullptr && at[i].layer->sums_positions : sums[to]);
    }
  std::array<sharing_of, Network::parameters.size()> all{};
  for (int i = 0; i < n; ++i) {
    if (at[i].op != operation::dense) continue;
    sharing_of& s = all[static_cast<unsigned>(at[i].parameter)];
    if (at[i].out.positions() > 1) {
      s.aggregated = s.aggregated && !separate[static_cast<unsigned>(i)];
      s.sums = s.sums || sums[static_cast<unsigned>(i)];
    }
    s.ragged = s.ragged || (at[at[i].a].ragged && at[i].out.positions() == at[i].out.extent[0]);
  }
  return all;
}

}  // namespace static_detail

/// Of every parameter of a network. A use at one position decides nothing.
template <network_type Network>
inline constexpr auto sharing = static_detail::sharing_in<Network>();

/// 0 where a dense layer's positions are aggregated on every way to the loss, or none has several; else the positions
/// of the first layer that has several: all of them come to the loss one by one.
template <network_type Network>
inline constexpr int unaggregated_positions = [] {
  int first = 0;
  for (node const& x : Network::nodes) {
    if (x.op != operation::dense || x.out.positions() == 1) continue;
    if (sharing<Network>[static_cast<unsigned>(x.parameter)].aggregated) return 0;
    if (first == 0) first = x.out.positions();
  }
  return first;
}();

}  // namespace kappa
