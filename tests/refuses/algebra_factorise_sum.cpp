// refuses: no direct solve for this structure
#include <kappa/algebra.hpp>

int main() {
  using namespace kappa;
  auto const v = low_rank(zeros<double>(4, 2));
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  auto const f = factorise(v + v + identity);
  return static_cast<int>(sizeof f + g.size());
#else
  auto const f = factorise(v + identity);
  return static_cast<int>(sizeof f + g.size());
#endif
}
