#pragma once
/// \file
/// The objectives of the brute-force tests: small, and together they hold every term, activation, loss and reduction,
/// also a user's own, with positions inside (R > 1) and several loss terms outside (M > 1).

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include <kappa/declare.hpp>

#include "reference.hpp"

namespace kappa::test_networks {

// ---- a user's own
// -----------------------------------------------------------------------------------------------------

/// s / √(1 + s²).
struct squash {
  static constexpr char const* name = "squash";
  static auto value(auto s) { return s / std::sqrt(1 + s * s); }
  static auto first_derivative(auto s) { return 1 / ((1 + s * s) * std::sqrt(1 + s * s)); }
  static auto second_derivative(auto s) { return -3 * s / ((1 + s * s) * (1 + s * s) * std::sqrt(1 + s * s)); }
};

/// Neighbours along the last axis multiplied, y_i = x_i x_{i+1} around the ring: couples the features of a position.
struct ring_products {
  static constexpr char const* name = "ring_products";
  static constexpr shape output(shape s) { return s; }

  // One position holds all: the rings of several positions would need the shape, which spans do not carry.
  static void apply(auto x, auto y) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * x[next(i, x)];
  }
  static void push(auto x, auto dx, auto dy) {
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] = dx[i] * x[next(i, x)] + x[i] * dx[next(i, x)];
  }
  static void pull(auto x, auto gy, auto gx) {
    for (std::size_t i = 0; i < x.size(); ++i) gx[i] = gy[i] * x[next(i, x)];
    for (std::size_t i = 0; i < x.size(); ++i) gx[next(i, x)] += gy[i] * x[i];
  }
  static void push_pull(auto, auto dx, auto gy, auto gx) { pull(dx, gy, gx); }  // J is linear in x

 private:
  static std::size_t next(std::size_t i, auto const& x) { return (i + 1) % x.size(); }
};

/// Sums of neighbouring pairs: the value's shape changes, [..., 2 k] -> [k].
struct pair_sums {
  static constexpr char const* name = "pair_sums";
  static constexpr shape output(shape s) { return s.size() % 2 == 0 ? shape{1, {s.size() / 2}} : shape{}; }
  static void apply(auto x, auto y) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[2 * i] + x[2 * i + 1];
  }
  static void push(auto, auto dx, auto dy) { apply(dx, dy); }
  static void pull(auto, auto gy, auto gx) {
    for (std::size_t i = 0; i < gx.size(); ++i) gx[i] = gy[i / 2];
  }
  static void push_pull(auto, auto, auto, auto gx) { std::fill(gx.begin(), gx.end(), 0); }
};

/// Σ_c √(1 + (f_c - y_c)²) - 1: quadratic near the target, linear far away.
struct pseudo_huber_t : loss_tag {
  static constexpr char const* name = "pseudo_huber";
  static constexpr int smallest_output = 1;
  static constexpr bool takes_labels = false;
  static constexpr bool takes_vectors = true;

  template <class T>
  static T length(T d) {
    return std::sqrt(1 + d * d);
  }
  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    T total = 0;
    for (std::size_t c = 0; c < f.size(); ++c) {
      T const d = f[c] - y.values[c];
      total += d * d / (1 + length(d));  // √(1 + d²) - 1 without cancellation
    }
    return total;
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = (f[c] - y.values[c]) / length(f[c] - y.values[c]);
  }
  static constexpr int root_columns(int outputs) { return outputs; }
  template <class T>
  static void root(std::span<T const> f, target<T> y, std::span<T> s) {
    for (std::size_t k = 0; k < f.size(); ++k)
      for (std::size_t c = 0; c < f.size(); ++c)
        s[k * f.size() + c] = k == c ? std::pow(length(f[c] - y.values[c]), T(-1.5)) : T(0);
  }
  template <class T>
  static void hessian_times(std::span<T const> f, target<T> y, std::span<T const> v, std::span<T> u) {
    for (std::size_t c = 0; c < f.size(); ++c) u[c] = v[c] / std::pow(length(f[c] - y.values[c]), T(3));
  }
  // A stand-in of the right form: no test draws from this loss.
  template <class T, class Random>
  static void sample(std::span<T const> f, Random& random, std::span<T> g) {
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = static_cast<T>(random.normal());
  }
  template <class T>
  static char const* fault_of(std::span<T const>) {
    return nullptr;
  }
};
inline constexpr pseudo_huber_t pseudo_huber{};

constexpr variable squared_plus_skip(variable x) {
  variable const h = dense<4, "S">(x);
  variable y = act::tanh(h) * h + x;
  for (int i = 0; i < 2; ++i) y = y + scale<1, 2>(dense<4>(act::softplus(y)));
  return y;
}

// ---- plain
// ------------------------------------------------------------------------------------------------------------

struct perceptron : network<input<5> | dense<6> | act::relu | dense<4> | act::tanh | dense<3>> {};
struct labelled : objective<perceptron, cross_entropy> {};
struct soft_labelled : objective<perceptron, cross_entropy, sum> {};
struct regression : objective<perceptron, squared_error> {};
struct unbiased_network
    : network<input<4> | dense<5, no_bias> | act::sigmoid | dense<4, no_bias> | act::softplus | dense<2>> {};
struct unbiased : objective<unbiased_network, squared_error, sum> {};
struct smooth_network : network<input<3> | dense<5> | act::gelu | dense<5> | act::silu | dense<2>> {};
struct smooth : objective<smooth_network, binary_cross_entropy> {};
struct leaky_network
    : network<input<4> | act::identity | dense<5> | act::leaky_relu | dense<4> | act::leaky<1, 5> | dense<2>> {};
struct leaky : objective<leaky_network, cross_entropy, sum> {};
struct one_output_network : network<input<3> | dense<4> | act::tanh | dense<1>> {};
struct one_output : objective<one_output_network, binary_cross_entropy, sum> {};

// ---- a user's own activation, maps and loss
// ---------------------------------------------------------------------------

struct own_network
    : network<input<4> | dense<6> | act::custom<squash> | map<ring_products> | map<pair_sums> | dense<2>> {};
struct own : objective<own_network, pseudo_huber> {};

// ---- sums, products, skips, repetition, names
// -------------------------------------------------------------------------

inline constexpr auto block = residual(dense<4> | act::tanh | dense<4> | scale<1, 3>);
struct residual_network : network<input<3> | dense<4> | repeat<2>(block) | (id + scale<-1, 2>) | dense<3>> {};
struct residual_blocks : objective<residual_network, cross_entropy> {};
struct gated_network : network<input<4> | dense<4>*(dense<4> | act::sigmoid) * id | dense<2>> {};
struct gates : objective<gated_network, squared_error> {};
struct recurrent_network : network<input<3> | dense<4> | tied_repeat<3>(dense<4> | act::tanh) | dense<2>> {};
struct recurrent : objective<recurrent_network, cross_entropy> {};
struct nested_network : network<input<4> | tied_repeat<2>(dense<4, no_bias> | act::tanh |
                                                          tied_repeat<2>(residual(dense<4> | act::silu)))> {};
struct nested : objective<nested_network, squared_error> {};
struct named_network : network<input<4> | dense<4, "E"> | act::tanh | dense<4, "E"> | act::softplus | dense<4, "E">> {};
struct named : objective<named_network, squared_error, sum> {};
struct skip_network : network<input<4> | dense<5> | act::tanh | mark<"early"> | dense<3> | act::silu |
                              (dense<5> + recall<"early">) | dense<2>> {};
struct skip : objective<skip_network, binary_cross_entropy, sum> {};
struct copies_network  // every copy has its own mark and its own W, used twice
    : network<input<3> | repeat<2>(mark<"in"> | dense<3, "W"> | act::tanh | (dense<3, "W"> + recall<"in">)) |
              dense<2>> {};
struct copies : objective<copies_network, cross_entropy> {};
struct traced_network : network<input<4> | traced<squared_plus_skip> | dense<2>> {};
struct traced_equations : objective<traced_network, squared_error> {};
struct recalled_network : network<input<3> | dense<2> | mark<"out"> | act::tanh | dense<2> | recall<"out">> {};
/// Its output is an early node; the second layer has no influence, so its gradient is zero.
struct recalled : objective<recalled_network, squared_error> {};

// ---- positions
// --------------------------------------------------------------------------------------------------------

struct flat_network : network<input<3, 2> | dense<3> | act::tanh | flatten | dense<2>> {};
struct flat : objective<flat_network, cross_entropy> {};
struct image_network  // rank 3: 2 x 2 positions
    : network<input<2, 2, 3> | dense<4> | act::gelu | dense<3> | mean_over_positions | act::tanh | dense<2>> {};
struct image : objective<image_network, squared_error> {};
struct summed_network : network<input<3, 2> | dense<4> | act::tanh | sum_over_positions | dense<3>> {};
struct summed : objective<summed_network, cross_entropy, sum> {};
struct tokens_network : network<input<3, 2> | dense<4> | act::tanh | residual(dense<4> | act::relu) | dense<3>> {};
struct tokens : objective<tokens_network, cross_entropy, mean_over_positions> {};
struct token_mean : objective<tokens_network, cross_entropy> {};
struct token_sum : objective<tokens_network, squared_error, sum> {};
struct pixels_network : network<input<2, 2, 3> | dense<4> | act::silu | dense<2>> {};
struct pixels : objective<pixels_network, binary_cross_entropy, mean_over_positions> {};
struct mixing_network  // one matrix at positions and at their mean: 3 + 1 uses of different size
    : network<input<3, 4> | dense<4, "W"> | act::tanh | mean_over_positions | dense<4, "W"> | act::tanh | dense<2>> {};
struct mixing : objective<mixing_network, cross_entropy> {};

// ---- deep linear: where K-FAC is exact
// --------------------------------------------------------------------------------

struct linear_network : network<input<4> | dense<5> | dense<3, no_bias> | dense<2>> {};
struct linear_mean : objective<linear_network, squared_error> {};
struct linear_sum : objective<linear_network, squared_error, sum> {};

struct linear_tokens_network : network<input<3, 4> | dense<4> | dense<3, no_bias> | dense<2>> {};
struct linear_expand : objective<linear_tokens_network, squared_error> {};  // one loss term per position
struct linear_expand_mean : objective<linear_tokens_network, squared_error, mean_over_positions> {};
struct linear_expand_sum : objective<linear_tokens_network, squared_error, sum> {};

struct linear_pooled_network : network<input<3, 4> | dense<4> | dense<3, no_bias> | mean_over_positions | dense<2>> {};
struct linear_reduce_mean : objective<linear_pooled_network, squared_error> {};
struct linear_summed_network : network<input<2, 2, 4> | dense<4> | sum_over_positions | dense<2>> {};
struct linear_reduce_sum : objective<linear_summed_network, squared_error, sum> {};

// ---- the list
// ---------------------------------------------------------------------------------------------------------

/// One objective of the list: what f of `for_each_objective` gets, as an empty value.
template <class Objective, reference::targets Kind>
struct entry {
  using objective = Objective;
  static constexpr reference::targets kind = Kind;
  char const* name;
};

using reference::targets;

/// Calls f(entry<Objective, targets>{name}) for each; use `typename decltype(e)::objective`.
template <class F>
void for_each_nonlinear_objective(F const& f) {
  f(entry<labelled, targets::labels>{"labelled"});
  f(entry<soft_labelled, targets::vectors>{"soft_labelled"});
  f(entry<regression, targets::vectors>{"regression"});
  f(entry<unbiased, targets::vectors>{"unbiased"});
  f(entry<smooth, targets::vectors>{"smooth"});
  f(entry<leaky, targets::labels>{"leaky"});
  f(entry<one_output, targets::vectors>{"one_output"});
  f(entry<own, targets::vectors>{"own"});
  f(entry<residual_blocks, targets::labels>{"residual_blocks"});
  f(entry<gates, targets::vectors>{"gates"});
  f(entry<recurrent, targets::labels>{"recurrent"});
  f(entry<nested, targets::vectors>{"nested"});
  f(entry<named, targets::vectors>{"named"});
  f(entry<skip, targets::vectors>{"skip"});
  f(entry<copies, targets::labels>{"copies"});
  f(entry<traced_equations, targets::vectors>{"traced_equations"});
  f(entry<recalled, targets::vectors>{"recalled"});
  f(entry<flat, targets::labels>{"flat"});
  f(entry<image, targets::vectors>{"image"});
  f(entry<summed, targets::labels>{"summed"});
  f(entry<tokens, targets::labels>{"tokens"});
  f(entry<token_mean, targets::vectors>{"token_mean"});
  f(entry<token_sum, targets::vectors>{"token_sum"});
  f(entry<pixels, targets::vectors>{"pixels"});
  f(entry<mixing, targets::vectors>{"mixing"});
}

/// Deep linear with squared error and one loss term per position: K-FAC-expand equals the GGN's blocks, reduce does
/// not. Then those with aggregated positions, where it is the other way round. Without positions both are exact.
template <class F>
void for_each_linear_objective(F const& f) {
  f(entry<linear_mean, targets::vectors>{"linear_mean"});
  f(entry<linear_sum, targets::vectors>{"linear_sum"});
}
template <class F>
void for_each_expand_objective(F const& f) {
  f(entry<linear_expand, targets::vectors>{"linear_expand"});
  f(entry<linear_expand_mean, targets::vectors>{"linear_expand_mean"});
  f(entry<linear_expand_sum, targets::vectors>{"linear_expand_sum"});
}
template <class F>
void for_each_reduce_objective(F const& f) {
  f(entry<linear_reduce_mean, targets::vectors>{"linear_reduce_mean"});
  f(entry<linear_reduce_sum, targets::vectors>{"linear_reduce_sum"});
}

template <class F>
void for_each_objective(F const& f) {
  for_each_nonlinear_objective(f);
  for_each_linear_objective(f);
  for_each_expand_objective(f);
  for_each_reduce_objective(f);
}

}  // namespace kappa::test_networks
