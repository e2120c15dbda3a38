// refuses: take it from to_dense
#include <kappa/algebra.hpp>

int main() {
  using namespace kappa;
  auto const f =
      matrix_free<double>(4, [](std::span<double const> x, std::span<double> y) { std::ranges::copy(x, y.begin()); });
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  return static_cast<int>(diagonal(f)(0) + g(0));
#else
  return static_cast<int>(to_dense(f)(0, 0) + g(0));
#endif
}
