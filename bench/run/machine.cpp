// What this machine can do on one thread: the roof that kernels are measured against.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <vector>

#include <kappa/tensor/threads.hpp>

// The BLAS's own Fortran entry points.
extern "C" {
void sgemm_(char const*, char const*, int const*, int const*, int const*, float const*, float const*, int const*,
            float const*, int const*, float const*, float*, int const*);
void dgemm_(char const*, char const*, int const*, int const*, int const*, double const*, double const*, int const*,
            double const*, int const*, double const*, double*, int const*);
}

namespace {

void product(int n, float const* a, float const* b, float* c) {
  float const one = 1, zero = 0;
  sgemm_("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, c, &n);
}
void product(int n, double const* a, double const* b, double* c) {
  double const one = 1, zero = 0;
  dgemm_("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, c, &n);
}

/// The BLAS's square product: the measured peak, in Gflop/s.
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

/// a = b + s c over arrays far larger than the caches: the measured memory bandwidth, reads and writes counted.
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

BENCHMARK(gemm<float>)->Name("machine/sgemm")->Arg(512)->Arg(1024)->Unit(benchmark::kMillisecond);
BENCHMARK(gemm<double>)->Name("machine/dgemm")->Arg(512)->Arg(1024)->Unit(benchmark::kMillisecond);
BENCHMARK(triad)->Name("machine/triad")->Arg(1 << 25)->Unit(benchmark::kMillisecond);

int main(int count, char** arguments) {
  kappa::set_threads(1);
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
