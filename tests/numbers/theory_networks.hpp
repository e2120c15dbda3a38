#pragma once
/// \file
/// The linear networks the theory is tested on: every regime of widths, depth 1 to 5, residual layers and scales.

#include <tuple>
#include <type_traits>

#include <kappa/declare.hpp>

namespace linear {

using namespace kappa;

struct wide : network<input<6> | dense<10, no_bias> | dense<4, no_bias>> {};
struct between : network<input<7> | dense<5, no_bias> | dense<3, no_bias>> {};          // k <= m < d
struct between_outputs : network<input<3> | dense<5, no_bias> | dense<7, no_bias>> {};  // d <= m < k
struct bottleneck : network<input<6> | dense<3, no_bias> | dense<5, no_bias>> {};       // m < min(d, k)
struct single : network<input<5> | dense<4, no_bias>> {};
struct deep : network<input<5> | dense<8, no_bias> | dense<9, no_bias> | dense<3, no_bias>> {};
struct rectangular : network<input<6> | dense<4, no_bias> | dense<7, no_bias> | dense<3, no_bias>> {};
struct early_bottleneck : network<input<5> | dense<2, no_bias> | dense<6, no_bias> | dense<4, no_bias>> {};
struct late_bottleneck : network<input<6> | dense<8, no_bias> | dense<2, no_bias> | dense<5, no_bias>> {};
struct deeper : network<input<4> | dense<6, no_bias> | dense<5, no_bias> | dense<6, no_bias> | dense<6, no_bias> |
                        dense<3, no_bias>> {};
struct one_output : network<input<5> | dense<9, no_bias> | dense<1, no_bias>> {};
struct one_input : network<input<1> | dense<4, no_bias> | dense<3, no_bias>> {};
struct residuals : network<input<5> | repeat<2>(residual(dense<5, no_bias>)) | dense<3, no_bias>> {};
struct scaled : network<input<2, 3> | flatten | scale<1, 2> | dense<7, no_bias> | act::identity | scale<3> |
                        (scale<1, 3> + (dense<7, no_bias> | scale<-2>)) | dense<4, no_bias> | scale<2, 3>> {};

using one_hidden_layer = std::tuple<wide, between, between_outputs, bottleneck, one_output, one_input>;
using all = std::tuple<wide, between, between_outputs, bottleneck, single, deep, rectangular, early_bottleneck,
                       late_bottleneck, deeper, one_output, one_input, residuals, scaled>;

/// Calls f(std::type_identity<Net>()) for every network of the list.
template <class List, class F>
void for_each(F&& f) {
  [&]<class... Net>(std::type_identity<std::tuple<Net...>>) {
    (f(std::type_identity<Net>()), ...);
  }(std::type_identity<List>());
}

}  // namespace linear
