#pragma once

#include <benchmark/benchmark.h>

#include "problem.hpp"

namespace bench {

/// On one thread what counts is processor time, which other programs on the machine disturb less; on several, the
/// clock on the wall.
inline void timed(benchmark::internal::Benchmark* b) {
  if (threads() > 1) b->UseRealTime();
}

/// The programs' common main, once everything is registered.
inline int run(int count, char** arguments) {
  benchmark::AddCustomContext("threads", std::to_string(threads()));
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace bench
