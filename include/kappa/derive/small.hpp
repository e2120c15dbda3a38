#pragma once
/// \file
/// Small networks. On one sample, where a call costs as much as a layer: the loss and the gradient in one function,
/// rows in registers, and the parameters checked while they are read. On many: blocks of samples that go through all
/// layers while they are in the caches.

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include <kappa/derive/loss_step.hpp>
#include <kappa/kernels/row.hpp>
#include <kappa/tensor/finite.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// One sample through a small network; what is not a dense layer takes the steps of `Runner`.
template <class Runner, class T, objective_type Objective, request R>
struct small {
  using network = typename Objective::network;
  using all = steps<Objective, R>;
  static constexpr auto const& plan = program<Objective, R>::value;

  static constexpr bool built_in(activation_rule const* rule) {
    return rule == nullptr || rule->kind != activation_kind::custom;
  }
  /// Whether a node's steps are those below; the others are `Runner`'s.
  static constexpr bool is_row(signature const& s) {
    return s.op == operation::dense && s.positions == 1 && built_in(s.epilogue) && built_in(s.mask) &&
           choose_route(s.features_in, s.features_out, sizeof(T), kernels::simd_bytes) == route::tiles;
  }

  /// Whether a request and a network are of that kind: nothing but the loss and the gradient, few nodes, all weights
  /// near the first-level cache and met by the steps below.
  static constexpr bool fits = [] {
    request linear;
    linear.loss_value = R.loss_value;
    linear.gradient = R.gradient;
    bool small = linear == R && !network::couples_samples && all::count <= 16 &&
                 Objective::parameter_count * sizeof(T) <= 64 * 1024;
    for (signature const& s : all::signatures) small = small && s.own == 0 && (s.op != operation::dense || is_row(s));
    return small;
  }();

  /// Samples of a block: what the widest layer reads and writes lies in the first-level cache, and they are so many
  /// that packing weights is little.
  static constexpr std::size_t block = [] {
    int widest = 1;
    for (signature const& s : all::signatures) widest = std::max(widest, s.features_in + s.features_out);
    return std::max<std::size_t>(48, 28 * 1024 / sizeof(T) / static_cast<std::size_t>(widest) / 16 * 16);
  }();

  /// Samples of a block of `samples`, for blocks of about one size; all of them on several threads, which share out
  /// what there is.
  static std::size_t block_of(std::size_t samples) {
    if (samples <= block || threads() > 1) return samples;
    std::size_t const count = (samples + block - 1) / block;
    return padded((samples + count - 1) / count);
  }

  /// Runs on one sample, and calls `checked` before the first result is written.
  /// \throws invalid_value when a parameter is NaN or infinite, before that call.
  template <class Checked>
  [[gnu::always_inline]] static void run(context<T> const& c, Checked&& checked) {
    sweep(c, checked, std::make_integer_sequence<unsigned, all::count>());
  }

 private:
  using vec = kernels::simd<T>;
  template <int N>
  using elements = kernels::constant<N>;

  /// Whether a gradient gathers several uses of a weight, or none at all.
  static constexpr bool sums_up = [] {
    for (unsigned i = 0; i < all::count; ++i)
      if (all::signatures[i].op == operation::dense &&
          (all::signatures[i].tied || !plan.nodes[i].active || plan.nodes[i].adjoint == place_of::none))
        return true;
    return false;
  }();

  template <unsigned I>
  [[gnu::always_inline]] static void forward(context<T> const& c, kernels::finite_watch<T>& watch) {
    static constexpr signature s = all::signatures[I];
    static constexpr operands o = all::places[I];
    if constexpr (is_row(s)) {
      T const* const w = c.theta + o.offset;
      T* const y = c.at(o.value);
      kernels::forward_row<T, s.features_in, s.features_out>(
          c.value(o.a_value), w, s.bias ? w + s.features_in * s.features_out : nullptr,
          watch, [&]<int N>(vec v, int i, elements<N>) __attribute__((always_inline)) {
            if constexpr (!s.has_epilogue || o.epilogue_value != o.value) kernels::store_first<N, T>(y + i, v);
            if constexpr (s.has_epilogue)
              kernels::store_first<N, T>(
                  c.at(o.epilogue_value) + i,
                  kernels::activation_value<T, s.epilogue->kind, s.epilogue->numerator, s.epilogue->denominator>(v));
          });
    } else if constexpr (s.op != operation::input) {
      Runner::template forward_step<s>(c, o);
    }
  }

  template <unsigned I>
  [[gnu::always_inline]] static void backward(context<T> const& c) {
    static constexpr signature s = all::signatures[I];
    static constexpr operands o = all::places[I];
    if constexpr (!plan.nodes[I].active || plan.nodes[I].adjoint == place_of::none) {
      return;
    } else if constexpr (is_row(s) && !s.unreached) {
      constexpr int in = s.features_in, out = s.features_out;
      T const* const g = c.at(o.adjoint);
      T* const dw = c.fixed + layout<Objective, R>::gradient + o.offset;
      if constexpr (s.to_a != contribution::none) {
        T* const below = c.at(o.a_adjoint);
        kernels::pull_row<T, in, out>(
            g, c.theta + o.offset, [&]<int N>(vec v, int i, elements<N>) __attribute__((always_inline)) {
              if constexpr (s.has_mask)
                v *= kernels::activation_derivative<T, s.mask->kind, s.mask->numerator, s.mask->denominator>(
                    kernels::load_first<N>(c.value(o.mask_value) + i));
              if constexpr (s.to_a == contribution::add) v += kernels::load_first<N>(below + i);
              kernels::store_first<N, T>(below + i, v);
            });
      }
      kernels::outer_row<T, in, out>(g, c.value(o.a_value), dw, s.tied);
      if constexpr (s.bias) kernels::add_row<T, out>(g, dw + in * out, s.tied);
    } else {
      Runner::template backward_step<s>(c, o);
    }
  }

  [[gnu::always_inline]] static void loss(context<T> const& c) {
    using function = typename Objective::loss;
    constexpr auto outputs = static_cast<std::size_t>(Objective::outputs);
    constexpr auto terms = static_cast<std::size_t>(Objective::terms);
    constexpr node_plan last = plan.nodes.back();
    T const rho = static_cast<T>(c.scale);
    T total = 0;
    for (std::size_t m = 0; m < terms; ++m) {
      std::span<T const> const f(c.value(last.value) + m * outputs, outputs);
      target<T> const y = target_of<Objective>(c, 0, m);
      if constexpr (R.loss_value) total += function::template value<T>(f, y);
      if constexpr (R.gradient) {
        std::span<T> const g(c.at(last.adjoint) + m * outputs, outputs);
        function::template gradient<T>(f, y, g);
        for (T& v : g) v *= rho;
      }
    }
    if constexpr (R.loss_value) *c.result(layout<Objective, R>::losses_per_sample) = total;
  }

  template <class Checked, unsigned... I>
  [[gnu::always_inline]] static void sweep(context<T> const& given, Checked& checked,
                                           std::integer_sequence<unsigned, I...>) {
    context<T> const c = given;  // in registers: what is stored might lie in `given`
    kernels::finite_watch<T> watch;
    (forward<I>(c, watch), ...);
    // Every parameter has gone into a product: one that is not finite has left its mark, but so has an overflow.
    if (!watch.finite())
      check_finite("parameters", std::span<T const>(c.theta, static_cast<std::size_t>(Objective::parameter_count)));
    checked();
    if constexpr (R.gradient && sums_up)
      std::fill_n(c.fixed + layout<Objective, R>::gradient, layout<Objective, R>::parameter_count, T(0));
    loss(c);
    if constexpr (R.gradient) (backward<all::count - 1 - I>(c), ...);
  }
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
