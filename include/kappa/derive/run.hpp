#pragma once
/// \file
/// Runs a program: tables of functions, one per node, walked in plain loops. Nodes of equal signature share code.

#include <atomic>
#include <cmath>
#include <span>

#include <kappa/derive/backward.hpp>
#include <kappa/derive/blocks.hpp>
#include <kappa/derive/loss_step.hpp>
#include <kappa/derive/small.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

template <class T, objective_type Objective, request R>
struct runner {
  using places = layout<Objective, R>;
  using all = steps<Objective, R>;
  using network = typename Objective::network;
  static constexpr auto const& plan = program<Objective, R>::value;
  static constexpr bool any_tied = [] {
    for (parameter const& w : network::parameters)
      if (w.uses > 1) return true;
    return false;
  }();
  static constexpr bool all_written = places::all_written;
  static constexpr bool goes_backward = program<Objective, R>::streams.count > 0;
  using function = void (*)(context<T> const&, operands const&);
  using small_network = small<runner, T, Objective, R>;

  template <signature S>
  static void forward_step(context<T> const& c, operands const& o) {
    value_step<T, S>(c, o);
    if constexpr (R.directions() > 0) tangent_step<T, R.directions(), S>(c, o);
  }

  template <signature S>
  static void backward_step(context<T> const& c, operands const& o) {
    backward<T, Objective, R>::template step<S>(c, o);
  }

  template <signature S, parameter_signature W>
  static void quadratic_step(context<T> const& c, operands const& o) {
    using q = quadratic<T, Objective, R>;
    auto const p = static_cast<std::size_t>(o.parameter);
    auto const offset = static_cast<std::size_t>(o.offset);
    if constexpr (W.row > 0 && R.kfacs > 0) q::template add_reads<S>(c, o, plan.parameters[p]);
    if constexpr (!S.whole) {
      return;
    } else if constexpr (S.chosen.rank > 0 && !S.spreads) {
      q::template accumulate_chosen<S, W>(c, o);
    } else if constexpr (W.packed) {
      q::template pack<S, W>(c, o, plan.parameters[p]);
      if (o.completes)
        q::template accumulate<W>(c, p, offset, c.at(plan.parameters[p].inputs), c.at(plan.parameters[p].adjoints));
    } else {
      kernels::chosen_vectors<T> of_pool;
      if constexpr (S.chosen.rank > 0)
        of_pool = {static_cast<std::size_t>(S.chosen.positions()), c.at(o.places), c.at(o.chosen_adjoint)};
      q::template accumulate<W>(c, p, offset, c.value(o.inputs), c.at(o.vectors), of_pool);
    }
  }

  template <unsigned I>
  static constexpr function quadratic_of() {
    if constexpr (goes_backward && R.quadratic() && all::places[I].parameter >= 0) {
      return &quadratic_step<all::signatures[I], all::parameter_of(static_cast<unsigned>(network::nodes[I].parameter))>;
    } else {
      return nullptr;
    }
  }
  template <unsigned I>
  static constexpr function backward_of() {
    if constexpr (goes_backward) {
      return &backward_step<all::signatures[I]>;
    } else {
      return nullptr;
    }
  }

  template <unsigned... I>
  static void go_forward(context<T> const& c, std::integer_sequence<unsigned, I...>) {
    static constexpr function forward[] = {&forward_step<all::signatures[I]>...};
    for (unsigned i = 0; i < all::count; ++i) forward[i](c, all::places[i]);
  }
  template <unsigned... I>
  static void go_backward(context<T> const& c, std::integer_sequence<unsigned, I...>) {
    static constexpr function quadratics[] = {quadratic_of<I>()...};
    static constexpr function backwards[] = {backward_of<I>()...};
    loss_step<T, Objective, R>(c);
    if constexpr (goes_backward)
      for (unsigned i = all::count; i-- > 0;) {
        if (!plan.nodes[i].active || plan.nodes[i].adjoint == place_of::none) continue;
        // The linear quantities and the pull first: the variance needs this layer's gradient complete.
        backwards[i](c, all::places[i]);
        if (quadratics[i] != nullptr) quadratics[i](c, all::places[i]);
      }
  }

  /// Whether a parameter that is not finite shows in products that the forward sweep looks at: all of them are those
  /// of dense layers, and no earlier results are looked up in the buffers that a sweep overwrites.
  static constexpr bool shows_parameters = [] {
    for (node const& x : network::nodes)
      if (x.parameter >= 0 && x.op != operation::dense) return false;
    return !R.keeps_vectors();
  }();
  /// Whether an input that is not finite does, before any result is written: a dense layer reads all of them at once.
  static bool shows_inputs(std::size_t samples) {
    constexpr bool read = [] {
      for (unsigned i = 0; i < all::count; ++i)
        if (all::signatures[i].op == operation::dense && all::places[i].a_value == place_of::batch_inputs) return true;
      return false;
    }();
    return shows_parameters && read && block_of(samples) == samples;
  }

  /// Whether `run_checked` takes so many samples.
  static constexpr bool checks_parameters(std::size_t samples) { return small_network::fits && samples == 1; }
  /// One derivation of a small network on one sample, whose parameters are checked on the way: `checked` is called
  /// when they are found finite, before any result is written. Inlined, or it would wait for pointers to go through
  /// memory.
  template <class Checked>
  [[gnu::always_inline]] static void run_checked(context<T> const& c, Checked&& checked) {
    if constexpr (small_network::fits) small_network::run(c, checked);
  }

  /// One derivation. The results lie where `layout` says. `checked` is called before the first is written, once what
  /// shows in the forward sweep is found finite. \throws invalid_value otherwise, before that call.
  template <class Checked>
  static void run(context<T> const& c, Checked&& checked) {
    std::atomic<bool> suspicion = false;
    auto const begin = [&] {
      checked();
      clear(c);
    };
    if constexpr (!shows_parameters) begin();
    over_blocks<Objective>(c, block_of(c.samples), [&](context<T>& part) {
      constexpr auto nodes = std::make_integer_sequence<unsigned, all::count>();
      bool const shows = shows_parameters && !part.continues;  // every sample reads all parameters
      if constexpr (plan.ones >= 0) std::fill_n(part.at(plan.ones), part.samples, T(1));
      part.suspicion = shows ? &suspicion : nullptr;
      go_forward(part, nodes);
      if (shows) {
        if (suspicion) check_numbers(c);
        begin();
      }
      go_backward(part, nodes);
    });
    finish(c);
  }

  /// Samples that an arena for `capacity` of them has buffers for.
  static constexpr std::size_t room_for(std::size_t capacity, int threads) {
    return small_network::fits ? capacity : sample_blocks<T, Objective, R>::size(capacity, threads);
  }

  /// Elements of scratch that `samples` samples need on `threads` threads.
  static constexpr std::size_t scratch_elements(std::size_t samples, int threads) {
    std::size_t most = 16;
    auto const need = [&](std::size_t elements) { most = std::max(most, elements); };
    [&]<unsigned... I>(std::integer_sequence<unsigned, I...>) { (need(node_scratch<I>(samples, threads)), ...); }
    (std::make_integer_sequence<unsigned, all::count>());
    if constexpr (program<Objective, R>::streams.find(stream_kind::random_signs) >= 0)
      need(static_cast<std::size_t>(threads) * loss_scratch<Objective>());
    return most;
  }

 private:
  static void check_numbers(context<T> const& c) {
    constexpr auto features = static_cast<std::size_t>(network::input_shape.size());
    if (shows_inputs(c.samples)) check_finite("inputs", std::span<T const>(c.inputs, c.samples * features));
    check_finite("parameters", std::span<T const>(c.theta, places::parameter_count));
  }

  /// Sets to zero what a sweep adds to.
  static void clear(context<T> const& c) {
    // Gradients and products are written by their layers unless weights are tied, and factors always are.
    constexpr std::size_t first = goes_backward && all_written && !any_tied ? places::variance : 0;
    constexpr std::size_t last = goes_backward && all_written ? places::input_factors : places::fixed;
    std::fill_n(c.fixed + first, last - first, T(0));
    if constexpr (R.per_sample_gradient_norms) std::fill_n(c.result(places::norms_per_sample), c.samples, T(0));
    if constexpr (R.per_sample_gradient && any_tied)
      std::fill_n(c.result(places::rows_per_sample), c.samples * places::parameter_count, T(0));
    if constexpr (R.per_sample_ggn_diagonal)
      std::fill_n(c.result(places::diagonals_per_sample), c.samples * places::parameter_count, T(0));
    if constexpr (!all_written)
      for (int k = 0; k < R.ggns; ++k) {
        std::size_t const order = c.samples * places::root_columns(k);
        std::fill_n(c.gram + places::gram_of(k, c.capacity), places::groups(k) * order * order, T(0));
      }
  }

  /// Scales and mirrors what a sweep has added up.
  static void finish(context<T> const& c) {
    for (int k = 0; k < R.ggns; ++k) {
      std::size_t const order = c.samples * places::root_columns(k);
      T* const grams = c.gram + places::gram_of(k, c.capacity);
      if constexpr (!all_written)  // else each group's last parameter does
        for (std::size_t g = 0; g < places::groups(k); ++g) kernels::mirror(grams + g * order * order, order);
      if (places::asked.ggn[k].source == curvature_source::empirical)  // the gradient's stream carries ρ, not √ρ
        for (std::size_t i = 0; i < places::groups(k) * order * order; ++i) grams[i] *= static_cast<T>(1 / c.scale);
    }
    for (int k = 0; k < R.diagonals; ++k)
      if (places::asked.diagonal[k].source == curvature_source::empirical)
        for (std::size_t p = 0; p < places::parameter_count; ++p)
          c.fixed[places::diagonal_of(k) + p] *= static_cast<T>(1 / c.scale);
    if constexpr (R.per_sample_gradient_norms)
      for (std::size_t n = 0; n < c.samples; ++n) {
        T& v = c.result(places::norms_per_sample)[n];
        v = std::sqrt(v);
      }
    if constexpr (R.gradient_variance)
      for (std::size_t p = 0; p < places::parameter_count; ++p)
        c.fixed[places::variance + p] /= static_cast<T>(c.samples);
  }

  /// Samples of a block of `samples`.
  static std::size_t block_of(std::size_t samples) {
    if (small_network::fits) return small_network::block_of(samples);
    return sample_blocks<T, Objective, R>::size(samples, threads());
  }

  static constexpr std::size_t layer_scratch(signature const& s, int threads) {
    return s.op == operation::layer ? static_cast<std::size_t>(threads) * padded(s.layer->scratch(s.in, s.set)) : 0;
  }
  template <unsigned I>
  static constexpr std::size_t node_scratch(std::size_t samples, int threads) {
    constexpr signature s = all::signatures[I];
    if constexpr (network::nodes[I].parameter < 0) {
      return layer_scratch(s, threads);
    } else {
      constexpr parameter_signature w = all::parameter_of(static_cast<unsigned>(network::nodes[I].parameter));
      if constexpr (!s.whole) return layer_scratch(s, threads);
      std::size_t most =
          std::max({product_of<T, w.inputs, w.outputs>::scratch_elements(threads), layer_scratch(s, threads),
                    static_cast<std::size_t>(threads) * backward<T, Objective, R>::template patches_scratch<s>(),
                    static_cast<std::size_t>(threads) * quadratic<T, Objective, R>::template chosen_scratch<s>()});
      if constexpr (goes_backward && R.quadratic()) {
        constexpr auto streams = program<Objective, R>::streams;
        std::size_t columns = 1;
        for (int k = 0; k < streams.count; ++k)
          columns = std::max(columns, static_cast<std::size_t>(streams.at[k].columns));
        if (R.ggns > 0)
          most = std::max(
              most, padded(kernels::factors<T, w.inputs, w.outputs>::gram_scratch(
                        samples, columns, static_cast<std::size_t>(w.positions), threads)) +
                        static_cast<std::size_t>(threads) * quadratic<T, Objective, R>::template chosen_scratch<s>());
        if (w.ragged)
          most =
              std::max(most, samples * static_cast<std::size_t>(w.positions) * static_cast<std::size_t>(w.inputs + 1));
        if (R.any_kfac(kfac_mode::reduce) || R.any_kfac(kfac_mode::automatic))
          most = std::max({most, samples * static_cast<std::size_t>(w.inputs),
                           samples * columns * static_cast<std::size_t>(w.outputs)});
      }
      return most;
    }
  }
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
