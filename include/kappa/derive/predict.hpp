#pragma once
/// \file
/// A network's outputs: the forward sweep alone, without an objective.

#include <algorithm>
#include <span>
#include <utility>

#include <kappa/declare/regression_losses.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/shapes/objective.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// The program of no quantity: its values lie in a workspace as those of every request do. The loss is never
/// evaluated, so any that fits every output will do.
template <real T, network_type Network>
struct forward_only {
  using objective = kappa::objective<Network, squared_error>;
  static constexpr request nothing{};
  using workspace = basic_workspace<objective, T, nothing>;
  using all = detail::steps<objective, nothing>;

  /// The outputs [N, output elements], in the workspace or, where the network only renames, in the inputs.
  static T const* run(context<T> const& c) {
    return run(c, [](node const&, T const*) {});
  }
  /// The same; before(node, operand) is called before each node that reads one.
  template <class Before>
  static T const* run(context<T> const& c, Before&& before) {
    [&]<unsigned... I>(std::integer_sequence<unsigned, I...>) {
      using function = void (*)(context<T> const&, detail::operands const&);
      static constexpr function forward[] = {&value_step<T, all::signatures[I]>...};
      for (unsigned i = 0; i < all::count; ++i) {
        if (Network::nodes[i].a >= 0) before(Network::nodes[i], c.value(all::places[i].a_value));
        forward[i](c, all::places[i]);
      }
    }
    (std::make_integer_sequence<unsigned, all::count>());
    return c.value(all::places.back().value);
  }
};

}  // namespace detail

/// The outputs of a network for inputs [N · input elements], as rows [N, output elements]. `chunk` samples go
/// through the network at a time, which bounds the memory beside the result; `side` is what some layers read beside
/// their inputs. Where samples act on one another, by `statistics::of_the_batch`, all go through at once. Allocates
/// both.
/// \throws shape_mismatch, invalid_value (NaN and infinities, tokens beyond a vocabulary), capacity_exceeded (no
/// samples, a chunk of 0).
template <network_type Network, real T, class Theta>
matrix<T> predict(Theta const& theta, std::span<T const> inputs, std::size_t chunk = 256,
                  batch_side<T> const& side = {}) {
  using forward = detail::forward_only<T, Network>;
  constexpr auto features = static_cast<std::size_t>(Network::input_shape.size());
  constexpr auto outputs = static_cast<std::size_t>(Network::output_shape.size());
  std::span<T const> const parameters(theta.data(), theta.size());
  if (inputs.size() % features != 0)
    throw shape_mismatch("inputs: a multiple of " + std::to_string(features) + " elements was expected, " +
                         std::to_string(inputs.size()) + " came");
  check_finite("inputs", inputs);
  detail::check_parameters<typename forward::objective>(parameters, "parameters");

  std::size_t const samples = inputs.size() / features;
  detail::context<T> beside;
  detail::take_side<typename forward::objective>(beside, inputs, side, samples);
  typename forward::workspace work(Network::couples_samples ? samples : std::min(chunk, samples));
  auto rows = zeros<T>(samples, outputs);
  for (std::size_t first = 0; first < samples; first += work.capacity()) {
    std::size_t const count = std::min(work.capacity(), samples - first);
    auto c = work.context_for(count);
    c.theta = parameters.data();
    c.inputs = inputs.data() + first * features;
    c.side = beside.side;
    c.side_positions = beside.side_positions;
    c.side_nodes = beside.side_nodes;
    c.first_sample = first;
    std::copy_n(forward::run(c), count * outputs, rows.data() + first * outputs);
  }
  return rows;
}

/// The same for any contiguous array of inputs.
template <network_type Network, class Theta, class Inputs>
auto predict(Theta const& theta, Inputs const& inputs, std::size_t chunk = 256,
             batch_side<std::remove_cvref_t<decltype(*inputs.data())>> const& side = {}) {
  using scalar = std::remove_cvref_t<decltype(*inputs.data())>;
  return predict<Network, scalar>(theta, std::span<scalar const>(inputs.data(), inputs.size()), chunk, side);
}

}  // namespace kappa::inline KAPPA_ARCH
