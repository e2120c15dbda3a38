// Three optimisers on one problem: a network that tells three spirals apart.

#include <cmath>
#include <cstdio>
#include <iostream>
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/io/table.hpp>
#include <kappa/methods.hpp>

using namespace kappa;

// [problem]
struct net : network<input<2> | dense<32> | act::tanh | dense<32> | act::tanh | dense<3>> {};
struct spirals : objective<net, cross_entropy> {};
// [/problem]

struct points {
  matrix<float> x;
  std::vector<int> y;
};

// Three arms of `n` points each, one and a half turns, with noise.
points draw(std::size_t n, std::uint64_t seed) {
  points p{zeros<float>(3 * n, 2), std::vector<int>(3 * n)};
  counter_random random(seed);
  for (std::size_t i = 0; i < 3 * n; ++i) {
    double const radius = 0.05 + 0.95 * random.uniform();
    double const angle = 2.0943951 * static_cast<double>(i % 3) + 4.5 * radius + 0.15 * random.normal();
    p.x(i, 0) = static_cast<float>(radius * std::cos(angle));
    p.x(i, 1) = static_cast<float>(radius * std::sin(angle));
    p.y[i] = static_cast<int>(i % 3);
  }
  return p;
}

int main() {
  auto const training = draw(300, 1), held_out = draw(300, 2);
  batch<float> const data{training.x, training.y}, unseen{held_out.x, held_out.y};
  io::table results{"optimiser", "steps to 0.1", "loss", "accuracy", "on unseen data", "ms a step"};

  auto const compare = [&](char const* name, auto optimiser) {
    auto theta = initialise<net, float>(3, 1.0);
    // [watch]
    std::size_t reached = 0;
    auto const watch = [&](training_record const& r) {
      if (reached == 0 && r.step % 9 == 0 && evaluate<spirals>(theta, data) < 0.1) reached = r.step;
    };
    auto const history = train(optimiser, theta, data, {.epochs = 60, .batch_size = 100, .seed = 4}, watch);
    // [/watch]
    results.row(name, reached == 0 ? "never" : std::to_string(reached), evaluate<spirals>(theta, data),
                accuracy<spirals>(theta, data), accuracy<spirals>(theta, unseen),
                1e3 * history.back().seconds / static_cast<double>(history.size()));
  };

  // [optimisers]
  compare("SGD", sgd<spirals, float>(100, {.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}));
  compare("Adam", adam<spirals, float>(100, {.learning_rate = 0.01}));
  compare("K-FAC", kfac_optimiser<spirals, float>(100, {.learning_rate = 0.1, .damping = 0.01}));
  compare("K-FAC, sampled", kfac_optimiser<spirals, float, kfac<expand, monte_carlo<1>>>(
                                100, {.learning_rate = 0.1, .damping = 0.01, .seed = 7}));
  // [/optimisers]
  std::cout << results;

  // [schedule]
  auto theta = initialise<net, float>(3, 1.0);
  sgd<spirals, float> optimiser(100, {.learning_rate = 0.2, .momentum = 0.9});
  train(optimiser, theta, data, {.epochs = 60, .batch_size = 100}, [&](training_record const& r) {
    auto options = optimiser.options();
    options.learning_rate = 0.2 / std::sqrt(static_cast<double>(r.epoch));
    optimiser.set_options(options);
    return r.epoch < 40 || r.loss > 0.01;  // false ends the training
  });
  // [/schedule]
  std::printf("\nSGD with a falling learning rate: %zu steps, loss %.3f\n", optimiser.steps(),
              evaluate<spirals>(theta, data));

  // [own_loop]
  kfac_optimiser<spirals, float> kfac_steps(300, {.damping = 1e-3});
  auto own = initialise<net, float>(3, 1.0);
  mini_batches<spirals, float> batches(data, 300, 5);
  for (std::size_t epoch = 1; epoch <= 10; ++epoch) {
    batches.begin_epoch(epoch);
    for (std::size_t i = 0; i < batches.count(); ++i) {
      step_statistics const s = kfac_steps.step(elements(own), batches.gather(i));
      if (epoch == 10) std::printf("loss %.3f, clipped to %.2f of the step\n", s.loss, s.clip);
    }
  }
  matrix<float> const outputs = predict<net>(own, held_out.x);  // [samples, 3]
  // [/own_loop]
  return outputs.shape(0) == held_out.y.size() ? 0 : 1;
}
