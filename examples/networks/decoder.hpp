#pragma once
// A GPT-like decoder (Radford et al. 2019) over 16 characters of an alphabet of 27.

#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

namespace networks {
using namespace kappa;

// [decoder]
inline constexpr auto causal_block =
    residual(layer_norm<> | attention<heads<4>, causal>) | residual(layer_norm<> | dense<128> | act::gelu | dense<32>);

struct decoder : network<input<16> | embedding<27, 32> | positional_embedding<> | repeat<2>(causal_block) |
                         layer_norm<> | dense<27>> {};
struct next_character : objective<decoder, cross_entropy, kappa::mean_over_positions> {};
// [/decoder]

}  // namespace networks
