#pragma once
// A U-Net (Ronneberger et al. 2015) that tells two classes of pixels apart in 16 x 16 images.

#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

namespace networks {
using namespace kappa;

// [u_net]
template <int C>
constexpr auto level = conv<C, 3, same_padding> | act::relu;

struct u_net
    : network<input<16, 16, 1> | level<8> | mark<"fine"> | max_pool<2> | level<16> | mark<"coarse"> | max_pool<2> |
              level<32> | transposed_conv<16, 2, stride<2>> | concatenate(id, recall<"coarse">) | level<16> |
              transposed_conv<8, 2, stride<2>> | concatenate(id, recall<"fine">) | level<8> | conv<2, 1>> {};
struct pixel_classes : objective<u_net, cross_entropy, kappa::mean_over_positions> {};
// [/u_net]

}  // namespace networks
