#pragma once
// A graph convolutional network (Kipf and Welling 2017) that reads one number off graphs of up to 12 nodes.

#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

namespace networks {
using namespace kappa;

// [graph_network]
struct graph_network : network<input<12, 8> | ragged | graph_convolution<32> | act::tanh | graph_convolution<32> |
                               act::tanh | mean_over_nodes | dense<1>> {};
struct graph_property : objective<graph_network, squared_error> {};
// [/graph_network]

}  // namespace networks
