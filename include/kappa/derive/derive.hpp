#pragma once
/// \file
/// The one call: names the quantities wanted and runs the one sweep that computes exactly those.

#include <memory>
#include <string>

#include <boost/hana/at_key.hpp>
#include <boost/hana/contains.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/keys.hpp>
#include <boost/hana/map.hpp>
#include <boost/hana/pair.hpp>
#include <boost/hana/type.hpp>

#include <kappa/derive/derivation.hpp>
#include <kappa/tensor/batch.hpp>
#include <kappa/tensor/finite.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// Whether a quantity is a K-FAC, or made from one, that is for aggregated positions.
template <class Q>
constexpr bool wants_aggregation() {
  if constexpr (is_kfac<Q>)
    return Q::wants_aggregation;
  else if constexpr (is_ekfac<Q>)
    return Q::factors::wants_aggregation;
  else
    return false;
}

/// A quantity that does not fit the network, if there is one.
template <network_type Network, class... Quantities>
inline constexpr diagnosis quantity_fault = [] {
  constexpr int parameters = static_cast<int>(Network::parameters.size());
  constexpr request r = request_of<Quantities...>();
  if (Network::couples_samples) return diagnosis{};  // the workspace says what is wrong then
  for (int i = 0; i < r.ggns; ++i)
    if (r.ggn[i].partition == partition_kind::by_index && r.ggn[i].length != parameters)
      return diagnosis{fault::partition_does_not_fit, 0, parameters, r.ggn[i].length, {}};
  if constexpr ((wants_aggregation<static_detail::key_of_t<std::remove_cvref_t<Quantities>>>() || ...))
    if (int const positions = unaggregated_positions<Network>; positions > 0)
      return diagnosis{fault::nothing_is_aggregated, 0, positions, 0, {}};
  return diagnosis{};
}();

/// Throws unless `got` is `expected`.
inline void require_size(char const* what, std::size_t expected, std::size_t got) {
  if (expected != got) fail<shape_mismatch>(what, ": ", expected, " elements were expected, ", got, " came");
}

/// The number of samples of a batch, once everything about it has been checked but whether its inputs are finite.
template <objective_type Objective, real T>
std::size_t samples_of(batch<T> const& b) {
  using loss = typename Objective::loss;
  constexpr auto features = static_cast<std::size_t>(Objective::network::input_shape.size());
  constexpr auto terms = static_cast<std::size_t>(Objective::terms);
  constexpr auto size = static_cast<std::size_t>(Objective::target_size);
  if (b.inputs.size() % features != 0)
    fail<shape_mismatch>("inputs: a multiple of ", features, " elements was expected, ", b.inputs.size(), " came");
  std::size_t const samples = b.inputs.size() / features;
  if (samples == 0) fail<capacity_exceeded>("a batch of 0 samples: at least 1 was expected");
  if (b.labels.data() != nullptr) {
    if (!loss::takes_labels) fail<invalid_value>(loss::name, " takes target vectors, class labels came");
    require_size("labels", samples * terms, b.labels.size());
    for (std::size_t i = 0; i < b.labels.size(); ++i)
      if ((b.labels[i] < 0 || b.labels[i] >= Objective::outputs) && !ignores<loss>(b.labels[i]))
        fail<invalid_value>("label ", i, " is ", b.labels[i], ", a class from 0 to ", Objective::outputs - 1,
                            " was expected");
  } else {
    if (!loss::takes_vectors) fail<invalid_value>(loss::name, " takes class labels, vectors came");
    require_size("targets", samples * terms * size, b.targets.size());
    check_finite("targets", b.targets);
    for (std::size_t i = 0; i < samples * terms; ++i)
      if (char const* const fault = loss::template fault_of<T>(b.targets.subspan(i * size, size)))
        fail<invalid_value>("target ", i, ": ", fault);
  }
  return samples;
}

/// The number of samples of a batch, once everything about it has been checked.
template <objective_type Objective, real T>
std::size_t checked_samples(batch<T> const& b) {
  std::size_t const samples = samples_of<Objective>(b);
  check_finite("inputs", b.inputs);
  return samples;
}

/// Σ_n Σ_m w(y_nm) over a batch that is checked.
template <objective_type Objective, real T>
double total_weight(batch<T> const& b) {
  using loss = typename Objective::loss;
  constexpr auto size = static_cast<std::size_t>(Objective::target_size);
  double total = 0;
  for (int const label : b.labels) total += static_cast<double>(weight_of<loss>(target<T>{label, {}}));
  for (std::size_t at = 0; at < b.targets.size(); at += size)
    total += static_cast<double>(weight_of<loss>(target<T>{-1, b.targets.subspan(at, size)}));
  return total;
}

/// ρ of a batch that is checked. \throws invalid_value when it is 1/0.
template <objective_type Objective, real T>
double scale_of([[maybe_unused]] batch<T> const& b, std::size_t samples) {
  if constexpr (Objective::scale_depends_on_targets) {
    double const weight = total_weight<Objective>(b);
    if (!(weight > 0))
      throw invalid_value("weighted_mean: the " + std::to_string(samples * static_cast<std::size_t>(Objective::terms)) +
                          " loss terms of this batch weigh nothing, one that is not ignored was expected");
    return Objective::scale(samples, weight);
  } else {
    return Objective::scale(samples);
  }
}

/// The same loss without its reduction, for what is gathered from batches before ρ is known. `Objective` itself where ρ
/// is a matter of the number of samples.
template <objective_type Objective>
using before_reduction =
    std::conditional_t<Objective::scale_depends_on_targets,
                       objective<typename Objective::network, typename Objective::loss{}, sum>, Objective>;

/// The statistics of a network's batch norms: of the right number, finite, no variance negative.
template <network_type Network, real T>
void check_statistics(std::span<T const> statistics) {
  if constexpr (Network::reads_statistics) {
    require_size("statistics", static_cast<std::size_t>(Network::statistics_count), statistics.size());
    check_finite("statistics", statistics);
    for (unsigned i = 0; i < Network::nodes.size(); ++i) {
      node const& x = Network::nodes[i];
      if (x.layer == nullptr) continue;
      int const features = x.layer->normalised(Network::nodes[static_cast<unsigned>(x.a)].out, x.set);
      for (int c = 0; c < features; ++c)
        if (T const v = statistics[static_cast<std::size_t>(x.shift + features + c)]; v < 0)
          throw invalid_value("statistics: the variance of feature " + std::to_string(c) + " of `" + x.title() +
                              "`, node " + std::to_string(i) + ", is " + std::to_string(v) +
                              ", at least 0 was expected");
    }
  } else if (!statistics.empty()) {
    fail<invalid_value>("statistics came with a batch whose network has no `batch_norm<statistics::frozen>`");
  }
}

/// Whether anything reads what lies beside a batch: a layer with a rule, or K-FAC, which leaves padding out.
template <network_type Network>
constexpr bool reads_side = [] {
  for (node const& x : Network::nodes)
    if (x.layer != nullptr || x.ragged) return true;
  return false;
}();

/// Whether a layer that may refuse inputs reads them; dense layers take any.
template <network_type Network>
constexpr bool layers_take_inputs = [] {
  for (node const& x : Network::nodes)
    if (x.layer != nullptr && Network::is_input(x.a)) return true;
  return false;
}();

/// Whether the first layers take the inputs: tokens are what a vocabulary has. The context knows what lies beside.
/// \throws invalid_value naming the sample, the position and both numbers.
template <network_type Network, real T>
void check_layer_inputs(context<T> const& c, std::span<T const> inputs, std::size_t samples) {
  for (unsigned i = 0; i < Network::nodes.size(); ++i) {
    node const& x = Network::nodes[i];
    if (x.layer == nullptr || !Network::is_input(x.a)) continue;
    auto const fault_of_input = x.layer->template functions<T>().fault_of_input;
    if (fault_of_input == nullptr) continue;
    node const& operand = Network::nodes[static_cast<unsigned>(x.a)];
    auto const features = static_cast<std::size_t>(operand.out.size());
    site<T> here;
    here.in = operand.out;
    here.out = x.out;
    here.set = x.set;
    here.shift = x.shift;
    for (std::size_t n = 0; n < samples; ++n) {
      here.sample = n;
      here.side = c.side_of(n);
      if (!operand.ragged) here.side.mask = nullptr;
      T const* const sample = inputs.data() + n * features;
      if (input_fault const f = fault_of_input(here, sample); f.element >= 0)
        throw invalid_value("inputs: sample " + std::to_string(n) + " has " +
                            number(static_cast<double>(sample[f.element])) + " at position " +
                            std::to_string(f.element) + ", " + f.wants + " " + std::to_string(f.limit) +
                            " was expected by `" + x.title() + "`, node " + std::to_string(i));
    }
  }
}

/// Checks what comes with a batch beside its inputs, puts it into the context, and checks the inputs that need it.
template <objective_type Objective, real T>
void take_side(context<T>& c, std::span<T const> inputs, batch_side<T> const& side, std::size_t samples) {
  using network = typename Objective::network;
  if constexpr (reads_side<network>) c.side = side;
  check_statistics<network>(side.statistics);
  if constexpr (network::couples_samples)
    for (node const& x : network::nodes)
      if (x.layer != nullptr && x.layer->couples_samples && samples * static_cast<std::size_t>(x.out.positions()) < 2)
        throw capacity_exceeded(std::string("a batch of 1 sample: at least 2 were expected where `") + x.title() +
                                "` takes its statistics from the batch");
  if constexpr (network::mask_positions > 0) {
    constexpr auto positions = static_cast<std::size_t>(network::mask_positions);
    if (!side.mask.empty()) require_size("mask", samples * positions, side.mask.size());
    c.side_positions = positions;
  } else if (!side.mask.empty()) {
    fail<invalid_value>("a mask came with a batch whose network has no `ragged` value");
  }
  if constexpr (network::graph_nodes > 0) {
    constexpr auto nodes = static_cast<std::size_t>(network::graph_nodes);
    c.side_nodes = nodes;
    if (!side.adjacency.empty()) {
      require_size("adjacency", samples * nodes * nodes, side.adjacency.size());
      check_finite("adjacency", side.adjacency);
    } else {
      if (side.row_begin.empty())
        throw shape_mismatch("a graph layer reads an adjacency or edges, neither came with the batch");
      require_size("row_begin", samples * nodes + 1, side.row_begin.size());
      if (side.row_begin.front() != 0)
        throw invalid_value("row_begin begins with " + std::to_string(side.row_begin.front()) + ", 0 was expected");
      for (std::size_t i = 0; i < samples * nodes; ++i)
        if (side.row_begin[i + 1] < side.row_begin[i])
          throw invalid_value("row_begin falls from " + std::to_string(side.row_begin[i]) + " to " +
                              std::to_string(side.row_begin[i + 1]) + " at node " + std::to_string(i));
      auto const edges = static_cast<std::size_t>(side.row_begin.back());
      require_size("column", edges, side.column.size());
      if (!side.weight.empty()) {
        require_size("weight", edges, side.weight.size());
        check_finite("weight", side.weight);
      }
      for (std::size_t e = 0; e < edges; ++e)
        if (side.column[e] < 0 || side.column[e] >= network::graph_nodes)
          throw invalid_value("edge " + std::to_string(e) + " leads to node " + std::to_string(side.column[e]) +
                              ", a node from 0 to " + std::to_string(network::graph_nodes - 1) + " was expected");
    }
  }
  if constexpr (layers_take_inputs<network>) check_layer_inputs<network>(c, inputs, samples);
}

template <objective_type Objective, real T>
void check_parameters(std::span<T const> theta, char const* what) {
  require_size(what, static_cast<std::size_t>(Objective::parameter_count), theta.size());
  check_finite(what, theta);
}

/// Checks the inputs, parameters and directions, then runs the program on a batch of which `samples_of` found no fault.
/// `arguments` maps a quantity's type to the value passed.
template <objective_type Objective, real T, request R, class Arguments>
context<T> run_into(basic_workspace<Objective, T, R>& work, std::size_t samples, std::span<T const> theta,
                    batch<T> const& b, Arguments const& arguments) {
  namespace hana = boost::hana;
  static_assert(Objective::parameter_count > 0, "kappa: a network without parameters has nothing to derive");
  using runner = typename basic_workspace<Objective, T, R>::runner;
  // What shows in the forward sweep is looked at there, before any result is written; layers that may refuse inputs
  // want finite ones.
  bool const in_one_function = runner::checks_parameters(samples);
  if (in_one_function || layers_take_inputs<typename Objective::network> || !runner::shows_inputs(samples))
    check_finite("inputs", b.inputs);
  require_size("parameters", static_cast<std::size_t>(Objective::parameter_count), theta.size());
  if (!in_one_function && !runner::shows_parameters) check_finite("parameters", theta);
  context<T> c = work.context_for(samples);
  if (!in_one_function || Objective::scale_depends_on_targets) c.scale = scale_of<Objective>(b, samples);
  c.theta = theta.data();
  c.inputs = b.inputs.data();
  c.labels = b.labels.data();
  c.targets = b.targets.data();
  take_side<Objective>(c, b.inputs, b.side, samples);
  int directions = 0;
  auto const along = [&](auto key) {
    if constexpr (decltype(hana::contains(arguments, key))::value) {
      std::span<T const> const v = arguments[key].direction;
      check_parameters<Objective>(v, "direction");
      c.direction[directions++] = v.data();
    }
  };
  along(hana::type_c<ggn_vector_product_t>);
  along(hana::type_c<hessian_vector_product_t>);
  constexpr stream_set streams = program<Objective, R>::streams;
  hana::for_each(hana::values(arguments), [&](auto const& q) {
    using asked = std::remove_cvref_t<decltype(q)>;
    if constexpr (requires { asked::source; })
      if constexpr (asked::source == curvature_source::monte_carlo || asked::source == curvature_source::random_signs) {
        constexpr int s = streams.source_of(asked::source, asked::samples);
        if (c.seed[s] == 0) c.seed[s] = q.seed;
      }
  });
  auto const checked = [&] { ++work.generation; };
  if (in_one_function) {
    if constexpr (!Objective::scale_depends_on_targets) c.scale = Objective::scale(1);
    runner::run_checked(c, checked);
  } else {
    runner::run(c, checked);
  }
  return c;
}

template <class... Q>
constexpr auto arguments_of(Q const&... q) {
  namespace hana = boost::hana;
  return hana::make_map(hana::make_pair(hana::type_c<static_detail::key_of_t<Q>>, q)...);
}

}  // namespace detail

/// Derives exactly the quantities named, in one forward and one backward sweep, into a workspace of their request.
/// Allocates nothing. `theta` [P] and the batch are only read; the workspace must outlive the result.
/// \throws shape_mismatch, invalid_value (labels, NaN and infinities, targets, no weight for `weighted_mean`, what lies
/// beside the inputs, tokens beyond a vocabulary), capacity_exceeded (also of a single sample with
/// `statistics::of_the_batch`); then nothing has changed.
template <objective_type Objective, real T, request R, class Theta, quantity... Quantities>
derivation<Objective, T, R> derive(basic_workspace<Objective, T, R>& work, Theta const& theta, batch<T> const& b,
                                   Quantities const&... quantities) {
  static_assert(request_of<Quantities...>() == R, "kappa: this workspace was made for other quantities");
  static_assert(static_detail::refuse<detail::quantity_fault<typename Objective::network, Quantities...>>());
  std::size_t const samples = detail::samples_of<Objective>(b);
  // An alias without owner: shares nothing and allocates nothing.
  return {std::shared_ptr<basic_workspace<Objective, T, R>>(std::shared_ptr<void>(), &work), [&](auto& w) {
            return detail::run_into(w, samples, std::span<T const>(theta.data(), theta.size()), b,
                                    detail::arguments_of(quantities...));
          }};
}

/// The same with a workspace of its own, for the batch at hand: `auto q = derive<digits>(theta, batch, gradient)`.
template <objective_type Objective, real T, class Theta, quantity... Quantities>
auto derive(Theta const& theta, batch<T> const& b, Quantities const&... quantities) {
  static_assert(static_detail::refuse<detail::quantity_fault<typename Objective::network, Quantities...>>());
  constexpr request wanted = request_of<Quantities...>();
  // The workspace says so too, but from deep inside std::make_shared.
  static_assert(static_detail::refuse<detail::coupling_fault<typename Objective::network, wanted>>());
  std::size_t const samples = detail::samples_of<Objective>(b);
  auto work = std::make_shared<basic_workspace<Objective, T, wanted>>(samples);
  return derivation<Objective, T, wanted>(std::move(work), [&](auto& w) {
    return detail::run_into(w, samples, std::span<T const>(theta.data(), theta.size()), b,
                            detail::arguments_of(quantities...));
  });
}

}  // namespace kappa::inline KAPPA_ARCH
