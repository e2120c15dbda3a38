// Compiled twice, as UNIT = baseline and UNIT = avx2; each computes the same thing with its own code.
#include <everything.hpp>

#define KAPPA_TEXT_OF(name) #name
#define KAPPA_TEXT(name) KAPPA_TEXT_OF(name)

namespace UNIT {

char const* architecture() { return KAPPA_TEXT(KAPPA_ARCH); }

double work() {
  auto m = kappa::zeros<double>(5, 7);
  double i = 0;
  for (auto& x : kappa::elements(m)) x = ++i;
  double sum = 0;
  for (auto const x : kappa::elements(m)) sum += x * x;
  return sum;
}

}  // namespace UNIT
