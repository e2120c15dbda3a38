// Batch norms: what docs/layers.md quotes. A small network trains with the statistics of its batches, keeps their
// running average and is evaluated with it on other images; returns 0 when it tells the stripes of nearly all of them.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>
#include <kappa/methods.hpp>

namespace {

using namespace kappa;

// [network]
template <statistics From>
struct stripes_net
    : network<input<8, 8, 1> | conv<4, 3, padding<1>, no_bias> | batch_norm<From> | act::silu |
              conv<4, 3, stride<2>, no_bias> | batch_norm<From> | act::silu | global_average_pool | dense<2>> {};
template <statistics From>
struct stripes : objective<stripes_net<From>, cross_entropy> {};

using training = stripes<statistics::of_the_batch>;
using evaluating = stripes<statistics::frozen>;
static_assert(training::parameter_count == evaluating::parameter_count);
static_assert(evaluating::network::statistics_count == 2 * (4 + 4));
// [/network]

/// Images of cosines along one of the axes.
void draw(std::uint64_t seed, std::vector<double>& images, std::vector<int>& labels) {
  counter_random random(seed);
  for (std::size_t n = 0; n < labels.size(); ++n) {
    labels[n] = n % 2 == 0 ? 0 : 1;
    double const phase = 6.28 * random.uniform();
    for (std::size_t i = 0; i < 64; ++i) {
      auto const along = static_cast<double>(labels[n] == 0 ? i / 8 : i % 8);
      images[64 * n + i] = 3 + std::cos(1.57 * along + phase) + 0.3 * random.normal();
    }
  }
}

bool learn() {
  std::vector<double> images(32 * 64), other_images(64 * 64);
  std::vector<int> labels(32), other_labels(64);
  draw(3, images, labels);
  draw(4, other_images, other_labels);
  auto theta = initialise<evaluating::network, double>(1);
  batch data(images, labels);
  double const first = derive<training>(theta, data, loss_value)[loss_value];

  // [training]
  sgd<training, double> optimiser(16, {.learning_rate = 0.1, .momentum = 0.9});
  mini_batches<training, double> batches(data, 16, 1);
  running_statistics<double> average(0.9);  // the weight of what came before; PyTorch's momentum is 0.1
  for (std::size_t epoch = 0; epoch < 30; ++epoch) {
    batches.begin_epoch(epoch);
    for (std::size_t i = 0; i < batches.count(); ++i) {
      auto const part = batches.gather(i);
      optimiser.step(elements(theta), part);
      average.update(batch_statistics<evaluating::network>(theta, part));
    }
  }
  batch held_out(other_images, other_labels);
  held_out.side.statistics = average.values();
  double const right = accuracy<evaluating>(theta, held_out);
  // [/training]

  double const last = derive<training>(theta, data, loss_value)[loss_value];
  // [curvature]
  auto const held = batch_statistics<evaluating::network>(theta, data);
  data.side.statistics = {held.data(), held.size()};
  auto const q = derive<evaluating>(theta, data, ggn, kfac<automatic>, per_sample_gradient_norms);
  // [/curvature]
  auto const spectrum = eigenvalues(q[ggn]);
  std::printf("stripes: the loss falls from %.3f to %.3g, %.0f %% of other images are told\n", first, last,
              100 * right);
  return last < first / 5 && right > 0.9 && spectrum.size() > 0;
}

}  // namespace

int main() { return learn() ? 0 : 1; }
