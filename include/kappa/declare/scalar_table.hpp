#pragma once

#include <concepts>

namespace kappa {

/// A set of functions in each of the scalar types a graph is evaluated in, so that a graph can hold them as a value.
template <template <class> class Functions>
struct scalar_table {
  Functions<float> f32;
  Functions<double> f64;
  Functions<long double> extended;

  template <class T>
  constexpr Functions<T> functions() const {
    if constexpr (std::same_as<T, float>) {
      return f32;
    } else if constexpr (std::same_as<T, double>) {
      return f64;
    } else {
      return extended;
    }
  }
};

}  // namespace kappa
