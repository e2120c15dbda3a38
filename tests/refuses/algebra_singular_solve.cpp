// refuses: low_rank is singular: add damping \* identity
#include <kappa/algebra.hpp>

int main() {
  using namespace kappa;
  auto const v = low_rank(zeros<double>(4, 2));
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  return static_cast<int>(solve(v, g)(0));
#else
  return static_cast<int>(solve(v + 0.1 * identity, g)(0));
#endif
}
