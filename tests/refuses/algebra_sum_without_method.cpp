// refuses: ask by name, solve\(op, g, conjugate_gradients
#include <kappa/algebra.hpp>

int main() {
  using namespace kappa;
  auto const v = low_rank(zeros<double>(4, 2));
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  auto const x = solve(v + v + 0.1 * identity, g);
  return static_cast<int>(x(0));
#else
  auto const x = solve(v + v + 0.1 * identity, g, conjugate_gradients{});
  return static_cast<int>(x(0));
#endif
}
