#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <kappa/methods/running_average.hpp>
#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/tensor/finite.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The exponential running average of batch statistics, for evaluations: after each batch
/// F ← β F + (1 - β) F̂, divided by 1 - βᵗ as if by a bias correction, so that it is a mean of what came from the first
/// batch on and needs no initial value. PyTorch's `momentum` is 1 - β; it has no such correction and keeps n/(n - 1)
/// times the variance, so that its averages agree only after many large batches. Values are averaged entry by entry:
/// means with means, variances with variances.
template <real T>
class running_statistics {
 public:
  /// \throws invalid_value unless `decay`, β, is from 0 up to but without 1.
  explicit running_statistics(double decay = 0.9) : decay_(decay) {
    if (!(decay >= 0 && decay < 1))
      throw invalid_value("running_statistics: a decay of " + std::to_string(decay) +
                          ", from 0 to below 1 was expected");
  }

  /// Takes the statistics of one batch. Allocates at the first one.
  /// \throws shape_mismatch when there are not as many as before, invalid_value when one is not finite; then nothing
  /// has changed.
  void update(std::span<T const> of_batch) {
    if (weight_.value() > 0 && of_batch.size() != values_.size())
      throw shape_mismatch("running_statistics: " + std::to_string(values_.size()) + " elements were expected, " +
                           std::to_string(of_batch.size()) + " came");
    check_finite("running_statistics", of_batch);
    if (weight_.value() == 0) values_ = zeros<T>(of_batch.size());
    move_towards(std::span<T>(values_.data(), values_.size()), of_batch, weight_.next(decay_));
  }
  void update(vector<T> const& of_batch) { update(std::span<T const>(of_batch.data(), of_batch.size())); }

  /// The average, what `batch_side::statistics` takes; empty before the first batch. A view: it follows the
  /// updates after the first.
  std::span<T const> values() const { return {values_.data(), values_.size()}; }

 private:
  double decay_;
  running_weight weight_;
  vector<T> values_ = zeros<T>(std::size_t{0});
};

}  // namespace kappa::inline KAPPA_ARCH
