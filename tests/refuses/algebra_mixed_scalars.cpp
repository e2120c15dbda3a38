// refuses: one is float, the other double
#include <kappa/algebra.hpp>

int main() {
  using namespace kappa;
  auto const v = low_rank(zeros<double>(4, 2));
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  auto const total = v + kronecker(zeros<float>(2, 2), zeros<float>(2, 2));
  return static_cast<int>(total.size() + g.size());
#else
  auto const total = v + kronecker(zeros<double>(2, 2), zeros<double>(2, 2));
  return static_cast<int>(total.size() + g.size());
#endif
}
