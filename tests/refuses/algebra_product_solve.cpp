// refuses: conjugate_gradients takes symmetric operators: a product is not
#include <kappa/algebra.hpp>

int main() {
  using namespace kappa;
  auto const v = low_rank(zeros<double>(4, 2));
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  return static_cast<int>(solve(v * v, g, conjugate_gradients{})(0));
#else
  return static_cast<int>(solve(v + identity, g, conjugate_gradients{})(0));
#endif
}
