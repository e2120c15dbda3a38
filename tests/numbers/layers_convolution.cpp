// Convolutions of images and sequences: stride, padding of both kinds, dilation, groups, and their adjoint.

#include <kappa/layers.hpp>

#include "derive_check.hpp"

using namespace kappa;
using namespace kappa::test_networks;
using test_derive::check_objective;

namespace {
struct image_net : network<input<5, 4, 2> | conv<3, window<3, 2>, stride<2, 1>, padding<1, 0>> | act::tanh |
                           conv<2, 2, circular, padding<1>> | act::tanh | flatten | dense<2>> {};
struct image_classes : objective<image_net, cross_entropy> {};
struct sequence_net
    : network<input<6, 4> | conv<4, 3, groups_of<2>, dilation<2>, same_padding> | act::tanh | depthwise_conv<2> |
              scale_features | bias | act::tanh | transposed_conv<2, 2, stride<2>>> {};
struct sequence_regression : objective<sequence_net, squared_error, kappa::mean_over_positions> {};
}  // namespace

TEST_CASE("derive against brute force: convolutions") {
  check_objective<double>(entry<image_classes, targets::labels>{"image"});
  check_objective<double>(entry<sequence_regression, targets::vectors>{"groups"});
}
