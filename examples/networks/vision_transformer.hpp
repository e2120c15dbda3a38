#pragma once
// A small vision transformer (Dosovitskiy et al. 2021) for 28 x 28 images.

#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

namespace networks {
using namespace kappa;

// [vision_transformer]
inline constexpr auto encoder =
    residual(layer_norm<> | attention<heads<4>>) | residual(layer_norm<> | dense<64> | act::gelu | dense<32>);

struct vision_transformer
    : network<input<28, 28, 1> | conv<32, 7, stride<7>> | flatten_positions | class_token<> | positional_embedding<> |
              repeat<2>(encoder) | layer_norm<> | first_position | dense<10>> {};
struct vision_transformer_classes : objective<vision_transformer, cross_entropy> {};
// [/vision_transformer]

}  // namespace networks
