#pragma once
// ResNet-20 (He et al. 2016) for 32 x 32 images, with group norms in the place of batch norms.

#include <kappa/declare.hpp>
#include <kappa/layers.hpp>

namespace networks {
using namespace kappa;

// [resnet]
template <int C, window_option... Options>
constexpr auto unit = conv<C, 3, padding<1>, no_bias, Options...> | group_norm<8>;
template <int C>
constexpr auto block = residual(unit<C> | act::relu | unit<C>) | act::relu;
template <int C>
constexpr auto halving =
    ((unit<C, stride<2>> | act::relu | unit<C>)+(conv<C, 1, stride<2>, no_bias> | group_norm<8>)) | act::relu;

template <int Blocks>
struct resnet_of : network<input<32, 32, 3> | unit<16> | act::relu | repeat<Blocks>(block<16>) | halving<32> |
                           repeat<Blocks - 1>(block<32>) | halving<64> | repeat<Blocks - 1>(block<64>) |
                           global_average_pool | dense<10>> {};
struct resnet20 : resnet_of<3> {};
struct resnet20_classes : objective<resnet20, cross_entropy> {};
// [/resnet]

}  // namespace networks
