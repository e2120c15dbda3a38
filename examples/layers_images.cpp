// Networks of images: what docs/layers.md quotes. A small residual network learns to tell horizontal stripes from
// vertical ones by damped Gauss-Newton steps; the program says how its loss fell and returns 0 when it did, else 1.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

namespace {

using namespace kappa;

// [residual]
inline constexpr auto block = residual(conv<4, 3, same_padding> | group_norm<2> | act::silu);
struct stripes_net : network<input<1, 8, 8> | channels_last | conv<4, 3, same_padding> | group_norm<2> | act::silu |
                             max_pool<2> | block | global_average_pool | dropout<1, 10> | dense<2>> {};
struct stripes : objective<stripes_net, cross_entropy> {};

static_assert(stripes_net::nodes[1].out == shape{3, {8, 8, 1}});
static_assert(stripes_net::parameters.size() == 5);  // two convolutions, a norm behind each, a matrix
static_assert(stripes_net::parameter_count == (36 + 4) + 8 + (144 + 4) + 8 + 10);
// [/residual]

// [norms]
struct normed : network<input<16, 64> | layer_norm<> |                // γ and β, 64 of each
                        layer_norm<no_bias, norm_epsilon<1, 1000>> |  // γ, and ε = 1/1000
                        rms_norm<"N"> | dense<64> | rms_norm<"N"> |   // one γ, used twice
                        group_norm<8, no_parameters> | instance_norm<>> {};
static_assert(normed::parameter_count == 128 + 64 + 64 + (64 * 64 + 64) + 128);
// [/norms]

// [pooling]
template <auto Pool, int... Extent>
constexpr shape after = network<(input<Extent...> | Pool)>::output_shape;

static_assert(after<max_pool<2>, 28, 28, 6> == shape{3, {14, 14, 6}});
static_assert(after<max_pool<3, stride<2>, padding<1>>, 112, 112, 64> == shape{3, {56, 56, 64}});
static_assert(after<average_pool<window<2, 4>>, 8, 8, 3> == shape{3, {4, 2, 3}});
static_assert(after<average_pool<3, padding<1>, excludes_padding>, 7, 5> == shape{2, {3, 5}});  // a sequence
static_assert(after<adaptive_average_pool<7>, 12, 20, 3> == shape{3, {7, 7, 3}});
static_assert(after<global_max_pool, 12, 20, 3> == shape{1, {3}});
// [/pooling]

// [moves]
static_assert(after<zero_pad<1, 2, 0, 3>, 8, 8, 3> == shape{3, {11, 11, 3}});  // above, below, left, right
static_assert(after<circular_pad<2, 1>, 10, 3> == shape{2, {13, 3}});          // before and after
static_assert(after<upsample<2>, 8, 8, 3> == shape{3, {16, 16, 3}});
static_assert(after<slice<-1, 0, 2>, 8, 8, 3> == shape{3, {8, 8, 2}});  // the first two channels
static_assert(after<channels_first, 8, 9, 3> == shape{3, {3, 8, 9}});
// [/moves]

/// Sixteen images: cosines along one of the axes.
bool learn() {
  std::vector<double> images(16 * 64);
  std::vector<int> labels(16);
  counter_random random(3);
  for (std::size_t n = 0; n < 16; ++n) {
    labels[n] = n % 2 == 0 ? 0 : 1;
    double const phase = 6.28 * random.uniform();
    for (std::size_t i = 0; i < 64; ++i) {
      auto const along = static_cast<double>(labels[n] == 0 ? i / 8 : i % 8);
      images[64 * n + i] = std::cos(1.57 * along + phase) + 0.3 * random.normal();
    }
  }
  auto theta = initialise<stripes_net, double>(1);
  double const first = derive<stripes>(theta, batch(images, labels), loss_value)[loss_value];

  // [dropout]
  batch b(images, labels);
  for (int step = 1; step <= 12; ++step) {
    b.side.seed = static_cast<std::uint64_t>(step);  // 0, as it is unless said, switches dropout off
    auto const q = derive<stripes>(theta, b, gradient, ggn);
    theta -= solve(q[ggn] + 0.1 * identity, q[gradient]);
  }
  // [/dropout]

  double const last = derive<stripes>(theta, batch(images, labels), loss_value)[loss_value];
  std::printf("stripes: the loss falls from %.3f to %.3g\n", first, last);
  return last < first / 20;
}

}  // namespace

int main() { return learn() ? 0 : 1; }
