// refuses: frobenius_norm: no formula for this structure
#include <kappa/algebra.hpp>

int main() {
  using namespace kappa;
  auto const v = low_rank(zeros<double>(4, 2));
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  return static_cast<int>(frobenius_norm(v * v) + g(0));
#else
  return static_cast<int>(frobenius_norm(v) + g(0));
#endif
}
