#include <cstdio>

#include <kappa/tensor/array.hpp>
#include <kappa/version.hpp>

int main() {
  auto m = kappa::zeros<float>(2, 3);
  m(1, 2) = 4;
  float sum = 0;
  for (float const x : kappa::elements(m)) sum += x;
  std::printf("kappa %d.%d.%d: %g\n", kappa::version::major, kappa::version::minor, kappa::version::patch,
              static_cast<double>(sum));
  return sum == 4 ? 0 : 1;
}
