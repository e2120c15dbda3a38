#pragma once
/// \file
/// Convolutions: a dense layer over patches, so that every quantity of dense layers with shared weights is theirs.

#include <kappa/declare/term.hpp>
#include <kappa/layers/features.hpp>
#include <kappa/layers/patches.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// A convolution of `outputs` channels; with groups, one of each group side by side.
constexpr int emit_convolution(auto& g, int x, int outputs, window_options const& o, char const* name) {
  window_geometry w = window_geometry::of(o, x >= 0 ? g.shape_of(x).rank : 3, 1);
  w.extra = o.groups;
  auto const of_group = [&](int group) {
    int const patches = g.layer(x, &layer_rule_of<patches_rule>, w.settings(), "", group);
    return g.dense(patches, outputs / o.groups, o.bias, name, o.groups > 1 ? group : -1);
  };
  if (o.groups <= 1) return of_group(0);
  if (outputs % o.groups != 0)
    return g.refuse(x, {"wants groups that divide its outputs: groups", o.groups, "and outputs", outputs}, "conv");
  // Joined in pairs: a chain would copy the first group G times.
  auto const joined = [&](auto const& self, int first, int count) -> int {
    if (count == 1) return of_group(first);
    int const half = count / 2;
    int const a = self(self, first, half), b = self(self, first + half, count - half);
    return g.concatenate(a, b, -1);
  };
  return joined(joined, 0, o.groups);
}

}  // namespace detail

template <int Out, window_option... Options>
struct conv_t : term_base<conv_t<Out, Options...>> {
  static constexpr int emit(auto& g, int x) {
    constexpr window_options const& o = window_options_of<Options...>;
    return detail::emit_convolution(g, x, Out, o, o.name.s);
  }
};

/// `conv<Out, 3, stride<2>, padding<1>, ...>`: the convolution (in truth correlation) of an image [H, W, C] with Out
/// kernels, [H', W', Out], H' = ⌊(H + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1; of a sequence [L, C] the
/// same in one dimension, [L', Out]. Options: a kernel size or `window<3, 5>`, `stride`, `padding`, `same_padding`,
/// `circular`, `dilation`, `groups_of<G>`, a name, `no_bias`.
/// Parameters: the weight [Out, kernel height, kernel width, C], then the bias [Out]; G groups are G parameters of
/// Out / G outputs and C / G channels. Costs 2 H' W' Out kernel elements C / G flops.
template <int Out, window_option... Options>
inline constexpr conv_t<Out, Options...> conv{};

template <window_option... Options>
struct depthwise_conv_t : term_base<depthwise_conv_t<Options...>> {
  static constexpr int emit(auto& g, int x) {
    window_options o = window_options_of<Options...>;
    o.groups = x >= 0 ? g.shape_of(x).features() : 1;
    return detail::emit_convolution(g, x, o.groups, o, window_options_of<Options...>.name.s);
  }
};
/// `depthwise_conv<3>`: every channel is convolved by itself, with a parameter [1, kernel height, kernel width] of its
/// own. Options as of `conv`.
template <window_option... Options>
inline constexpr depthwise_conv_t<Options...> depthwise_conv{};

template <int Out, window_option... Options>
struct transposed_conv_t : term_base<transposed_conv_t<Out, Options...>> {
  static constexpr int emit(auto& g, int x) {
    constexpr window_options const& o = window_options_of<Options...>;
    window_geometry w = window_geometry::of(o, x >= 0 ? g.shape_of(x).rank : 3, 1);
    x = g.dense(x, w.height * w.width * Out, false, o.name.s);
    x = g.layer(x, &layer_rule_of<detail::fold_rule>, w.settings());
    return o.bias ? g.layer(x, &layer_rule_of<detail::feature_shift_rule>, {}) : x;
  }
};
/// `transposed_conv<Out, 2, stride<2>>`: the adjoint of a convolution from Out channels to those of its operand [H, W,
/// C]: [H', W', Out] with H' = (H - 1) stride - 2 padding + dilation (kernel - 1) + 1. Parameters: the weight [kernel
/// height, kernel width, Out, C], of a dense layer at the operand's positions; then the bias [Out].
template <int Out, window_option... Options>
inline constexpr transposed_conv_t<Out, Options...> transposed_conv{};

}  // namespace kappa::inline KAPPA_ARCH
