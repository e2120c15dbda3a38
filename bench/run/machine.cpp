// What this machine can do: the roofs that everything else is measured against.

#include <cstddef>
#include <utility>
#include <vector>

#include "multiply_adds.hpp"
#include "timing.hpp"

// The BLAS's own Fortran entry points, and OpenBLAS's thread count and choice of kernels.
extern "C" {
void sgemm_(char const*, char const*, int const*, int const*, int const*, float const*, float const*, int const*,
            float const*, int const*, float const*, float*, int const*);
void dgemm_(char const*, char const*, int const*, int const*, int const*, double const*, double const*, int const*,
            double const*, int const*, double const*, double*, int const*);
[[gnu::weak]] void openblas_set_num_threads(int);
[[gnu::weak]] char* openblas_get_corename();
}

namespace {

/// The peak that no kernel exceeds. Operands change for the compiler in every iteration, or it makes the sums once.
template <class T>
void multiply_add(benchmark::State& state) {
  constexpr int repeats = 1000;
  T factor = T(0.999), term = T(0.001);
  for ([[maybe_unused]] auto const& step : state) {
    benchmark::DoNotOptimize(factor);
    benchmark::DoNotOptimize(term);
    T sum = bench::multiply_adds<T>(repeats, factor, term);
    benchmark::DoNotOptimize(sum);
  }
  state.counters["gflops"] = benchmark::Counter(2e-9 * bench::multiply_adds_per_repeat<T> * repeats,
                                                benchmark::Counter::kIsIterationInvariantRate);
}

void product(int n, float const* a, float const* b, float* c) {
  float const one = 1, zero = 0;
  sgemm_("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, c, &n);
}
void product(int n, double const* a, double const* b, double* c) {
  double const one = 1, zero = 0;
  dgemm_("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, c, &n);
}

/// The BLAS's square product: the measured peak of products.
template <class T>
void gemm(benchmark::State& state) {
  auto const n = static_cast<int>(state.range(0));
  auto const size = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  std::vector<T> a(size, T(0.5)), b(size, T(0.25)), c(size);
  for ([[maybe_unused]] auto const& step : state) {
    product(n, a.data(), b.data(), c.data());
    benchmark::ClobberMemory();
  }
  state.counters["gflops"] =
      benchmark::Counter(2e-9 * static_cast<double>(size) * n, benchmark::Counter::kIsIterationInvariantRate);
}

/// a = b + s c over arrays far larger than the caches: the measured memory bandwidth, reads and writes counted (the
/// line of `a` that a plain store reads first is not).
void triad(benchmark::State& state) {
  auto const n = static_cast<std::size_t>(state.range(0));
  std::vector<float> a(n), b(n, 1.0F), c(n, 2.0F);
  for ([[maybe_unused]] auto const& step : state) {
    for (std::size_t i = 0; i < n; ++i) a[i] = b[i] + 3.0F * c[i];
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(3 * n * sizeof(float)));
}

}  // namespace

int main(int count, char** arguments) {
  int const threads = bench::threads();
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(threads);
  if (openblas_get_corename != nullptr) benchmark::AddCustomContext("openblas_kernels", openblas_get_corename());
  benchmark::AddCustomContext("vector_bits", std::to_string(8 * kappa::kernels::simd_bytes));
  auto const own = [&](benchmark::internal::Benchmark* b) {
    bench::timed(b);
    if (threads > 1) b->Threads(threads);
  };
  own(benchmark::RegisterBenchmark("machine/multiply_add/float", multiply_add<float>)->Unit(benchmark::kMicrosecond));
  own(benchmark::RegisterBenchmark("machine/multiply_add/double", multiply_add<double>)->Unit(benchmark::kMicrosecond));
  for (int const n : {512, 1024, 2048})
    bench::timed(benchmark::RegisterBenchmark("machine/sgemm", gemm<float>)->Arg(n)->Unit(benchmark::kMillisecond));
  bench::timed(benchmark::RegisterBenchmark("machine/dgemm", gemm<double>)->Arg(1024)->Unit(benchmark::kMillisecond));
  own(benchmark::RegisterBenchmark("machine/triad", triad)->Arg(1 << 25)->Unit(benchmark::kMillisecond));
  return bench::run(count, arguments);
}
