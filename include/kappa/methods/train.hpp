#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <vector>

#include <kappa/methods/mini_batches.hpp>
#include <kappa/methods/optimiser.hpp>

namespace kappa::inline KAPPA_ARCH {

struct training_options {
  std::size_t epochs = 1;
  std::size_t batch_size = 32;
  std::uint64_t seed = 0;  ///< of the order of the samples: one seed, the same batches for every optimiser
};

/// One step of a training.
struct training_record {
  std::size_t step = 0;   ///< counted from 1
  std::size_t epoch = 0;  ///< counted from 1
  double loss = 0;        ///< on the step's batch, before the step
  double seconds = 0;     ///< spent in steps so far; an observer's time does not count
};

/// Takes one step per mini-batch and epoch, changing theta [P], and returns the record of every step. After each one
/// `observer(record)` is called: to report progress, to change the learning rate, to evaluate. One that returns bool
/// ends the training by returning false. The same seeds, build and thread count give the same bits.
/// \throws what the data's checks and the optimiser's steps throw; theta is then as the last good step left it.
template <optimiser Optimiser, class Theta, class Observer>
requires std::invocable<Observer&, training_record const&> std::vector<training_record> train(
    Optimiser& optimiser, Theta& theta, batch<typename Optimiser::value_type> const& data, training_options const& o,
    Observer&& observer) {
  using T = typename Optimiser::value_type;
  using clock = std::chrono::steady_clock;
  mini_batches<typename Optimiser::objective, T> batches(data, o.batch_size, o.seed);
  std::vector<training_record> history;
  history.reserve(o.epochs * batches.count());
  training_record now;
  for (now.epoch = 1; now.epoch <= o.epochs; ++now.epoch) {
    batches.begin_epoch(now.epoch);
    for (std::size_t i = 0; i < batches.count(); ++i) {
      auto const start = clock::now();
      now.loss = optimiser.step(std::span<T>(theta.data(), theta.size()), batches.gather(i)).loss;
      now.seconds += std::chrono::duration<double>(clock::now() - start).count();
      ++now.step;
      history.push_back(now);
      if constexpr (std::same_as<std::invoke_result_t<Observer&, training_record const&>, bool>) {
        if (!observer(now)) return history;
      } else {
        observer(now);
      }
    }
  }
  return history;
}

/// The same without an observer.
template <optimiser Optimiser, class Theta>
std::vector<training_record> train(Optimiser& optimiser, Theta& theta,
                                   batch<typename Optimiser::value_type> const& data, training_options const& o) {
  return train(optimiser, theta, data, o, [](training_record const&) {});
}

}  // namespace kappa::inline KAPPA_ARCH
