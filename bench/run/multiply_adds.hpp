#pragma once
/// \file
/// Multiply-adds that never leave the registers: what the cores themselves can do, whatever the memory.

#include <kappa/kernels/simd.hpp>

namespace bench {

/// Independent chains: enough for two units with a latency of four cycles and more, few enough that they and the two
/// operands have a register each.
inline constexpr int chains = kappa::kernels::simd_registers == 32 ? 16 : 12;

/// Elements that one repeat multiplies and adds.
template <class T>
inline constexpr int multiply_adds_per_repeat = kappa::kernels::width<T>* chains;

/// `repeats` steps of each chain, in the vector width kappa is compiled for. `factor` and `term` must not be known when
/// compiling, or there is nothing left to do.
template <class T>
T multiply_adds(int repeats, T factor, T term) {
  using vec = kappa::kernels::simd<T>;
  vec acc[chains];
  for (int i = 0; i < chains; ++i) acc[i] = vec(static_cast<T>(i));
  vec const x(factor), y(term);
  for (int r = 0; r < repeats; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) acc[i] = kappa::kernels::multiply_add<T>(acc[i], x, y);
  }
  vec total = acc[0];
  for (int i = 1; i < chains; ++i) total = total + acc[i];
  return kappa::kernels::sum<T>(total);
}

/// The same in `float`, with operands that are read when it runs and a result that is stored: nothing can be left out.
inline void run_multiply_adds(int repeats) {
  static float const volatile factor = 0.999F, term = 0.001F;
  [[maybe_unused]] float const volatile result = multiply_adds<float>(repeats, factor, term);
}

}  // namespace bench
