#pragma once
/// \file
/// Layers by their textbook definitions, for any scalar: also for dual numbers, which makes tangents of them. Knows
/// names, shapes and settings of kappa's layers and none of their code.

#include "textbook_convolution.hpp"
#include "textbook_graph.hpp"
#include "textbook_images.hpp"
#include "textbook_scalar.hpp"
#include "textbook_sequences.hpp"

namespace kappa::reference::textbook {

/// y = m(x, own) for the layers known here; false for others. `sample` has `beside` and `number`; y comes zeroed.
template <class N, class Sample>
bool value(place const& at, Sample const& sample, N const* own, std::vector<N> const& x, std::vector<N>& y) {
  return convolution(at, own, x, y) || images(at, sample, own, x, y) || sequences(at, sample, own, x, y) ||
         graph_layers(at, sample, x, y);
}

}  // namespace kappa::reference::textbook
