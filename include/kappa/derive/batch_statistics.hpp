#pragma once
/// \file
/// The means and variances that batch norms of a network have on a batch.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <kappa/derive/predict.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/batch.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// The means, then the variances of `features` features over the rows of x that the mask does not hide; `shared` rows
/// have one entry of it. \throws invalid_value when it hides all.
template <real T>
void statistics_of_rows(T const* x, std::size_t rows, std::size_t features, unsigned char const* mask,
                        std::size_t shared, T* to) {
  std::size_t valid = 0;
  auto const each = [&](auto&& f) {
    for (std::size_t i = 0; i < rows; ++i)
      if (mask == nullptr || mask[i / shared] != 0) f(x + i * features);
  };
  each([&](T const*) { ++valid; });
  if (valid == 0) throw invalid_value("the mask hides every position of the batch, statistics want one that is seen");
  double const part = 1 / static_cast<double>(valid);
  std::vector<double> mean(features), variance(features);
  each([&](T const* row) {
    for (std::size_t c = 0; c < features; ++c) mean[c] += static_cast<double>(row[c]);
  });
  for (double& m : mean) m *= part;
  each([&](T const* row) {
    for (std::size_t c = 0; c < features; ++c) {
      double const off = static_cast<double>(row[c]) - mean[c];
      variance[c] += off * off;
    }
  });
  for (std::size_t c = 0; c < features; ++c) {
    to[c] = static_cast<T>(mean[c]);
    to[features + c] = static_cast<T>(variance[c] * part);
  }
}

}  // namespace detail

/// The statistics of every batch norm of a network on a batch, in declaration order: the means [C], then the variances
/// [C] (over n, not n - 1) of its features over samples and positions, padding left out. They are found layer by layer:
/// behind a batch norm values are those under the statistics just found. With `b.side.statistics` set to the result, a
/// network of `statistics::frozen` has the values of one of `statistics::of_the_batch`, and derivatives do not go
/// through the statistics. The batch's own `side.statistics` and targets are not read.
///
/// Costs the forward sweep and two passes over each norm's operand; the whole batch is in memory at once. Allocates.
/// \throws as predict; invalid_value when the mask hides everything.
template <network_type Network, real T, class Theta>
vector<T> batch_statistics(Theta const& theta, batch<T> const& b) {
  static_assert(Network::statistics_count > 0, "kappa: batch_statistics wants a network with a `batch_norm`");
  using forward = detail::forward_only<T, Network>;
  constexpr auto features = static_cast<std::size_t>(Network::input_shape.size());
  std::span<T const> const parameters(theta.data(), theta.size());
  if (b.inputs.size() % features != 0)
    throw shape_mismatch("inputs: a multiple of " + std::to_string(features) + " elements was expected, " +
                         std::to_string(b.inputs.size()) + " came");
  check_finite("inputs", b.inputs);
  detail::check_parameters<typename forward::objective>(parameters, "parameters");

  std::size_t const samples = b.inputs.size() / features;
  typename forward::workspace work(samples);
  auto result = zeros<T>(static_cast<std::size_t>(Network::statistics_count));
  auto c = work.context_for(samples);
  auto side = b.side;
  side.statistics = {};
  if constexpr (Network::reads_statistics) side.statistics = {result.data(), result.size()};
  detail::take_side<typename forward::objective>(c, b.inputs, side, samples);
  c.theta = parameters.data();
  c.inputs = b.inputs.data();
  forward::run(c, [&](node const& x, T const* operand) {
    shape const& in = Network::nodes[static_cast<unsigned>(x.a)].out;
    int const normalised = x.layer != nullptr ? x.layer->normalised(in, x.set) : 0;
    if (normalised == 0) return;
    bool const hides = Network::nodes[static_cast<unsigned>(x.a)].ragged && in.rank > 1 && !side.mask.empty();
    detail::statistics_of_rows<T>(operand, samples * static_cast<std::size_t>(in.positions()),
                                  static_cast<std::size_t>(normalised), hides ? side.mask.data() : nullptr,
                                  static_cast<std::size_t>(in.positions() / in.extent[0]), result.data() + x.shift);
  });
  return result;
}

}  // namespace kappa::inline KAPPA_ARCH
