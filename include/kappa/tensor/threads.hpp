#pragma once
/// \file
/// One setting for how many threads kappa uses. Products are split into slabs of rows, one slab a thread, and
/// the BLAS inside runs single-threaded: two levels of parallelism would fight over the same cores.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>

#include <kappa/arch.hpp>

#ifdef _OPENMP
#include <omp.h>
#endif

// OpenBLAS's own thread pool is switched off where it is the BLAS; other implementations lack the symbol.
extern "C" [[gnu::weak]] void openblas_set_num_threads(int);

namespace kappa::inline KAPPA_ARCH {

namespace detail {
[[gnu::cold, gnu::noinline]] inline int first_thread_count() {
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}
inline std::atomic<int>& thread_count() {
  static std::atomic<int> count{first_thread_count()};
  return count;
}
}  // namespace detail

/// How many threads kappa's kernels use; every core unless `set_threads` said otherwise.
inline int threads() { return detail::thread_count().load(std::memory_order_relaxed); }

/// Sets the number of threads for all later work; values below one count as one.
inline void set_threads(int count) { detail::thread_count().store(std::max(1, count), std::memory_order_relaxed); }

/// The number of the thread that runs, within the innermost parallel call: below `threads()`.
inline std::size_t thread_index() {
#ifdef _OPENMP
  return static_cast<std::size_t>(omp_get_thread_num());
#else
  return 0;
#endif
}

/// Calls `f(begin, end)` on disjoint ranges that cover [0, n), in parallel when each thread gets at least
/// `grain` items. Ranges start at multiples of `multiple`, so the split depends on n and the thread count
/// only. `f` must not throw. Allocates nothing after the first parallel call.
template <class F>
void parallel_ranges(std::size_t n, std::size_t grain, std::size_t multiple, F&& f) {
  auto const wanted = std::min<std::size_t>(static_cast<std::size_t>(threads()), n / std::max<std::size_t>(grain, 1));
  if (wanted <= 1) {
    if (n > 0) f(std::size_t{0}, n);
    return;
  }
  auto const units = (n + multiple - 1) / multiple;
  auto const part = [&](std::size_t t) { return std::min(n, (units * t / wanted) * multiple); };
#ifdef _OPENMP
#pragma omp parallel for num_threads(static_cast <int>(wanted)) schedule(static, 1)
#endif
  for (std::size_t t = 0; t < wanted; ++t)
    if (part(t) < part(t + 1)) f(part(t), part(t + 1));
}

}  // namespace kappa::inline KAPPA_ARCH
