// Two instruction sets in one program: both units run, each as itself, and agree.
#include <cmath>
#include <cstdio>
#include <cstring>

namespace baseline {
char const* architecture();
double work();
}  // namespace baseline
namespace avx2 {
char const* architecture();
double work();
}  // namespace avx2

int main() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::puts("this processor lacks AVX2: nothing to run");
    return 77;
  }
  std::printf("%s %.17g, %s %.17g\n", baseline::architecture(), baseline::work(), avx2::architecture(), avx2::work());
  bool const themselves = std::strcmp(baseline::architecture(), avx2::architecture()) != 0;
  bool const agree = std::abs(baseline::work() - avx2::work()) < 1e-12 * std::abs(baseline::work());
  return themselves && agree ? 0 : 1;
}
