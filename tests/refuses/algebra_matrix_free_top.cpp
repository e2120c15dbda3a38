// refuses: ask by name, top_eigenpairs\(op, k, lanczos
#include <kappa/spectrum.hpp>

int main() {
  using namespace kappa;
  auto const f =
      matrix_free<double>(4, [](std::span<double const> x, std::span<double> y) { std::ranges::copy(x, y.begin()); });
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  return static_cast<int>(top_eigenpairs(f, 1).values(0) + g(0));
#else
  return static_cast<int>(top_eigenpairs(f, 1, lanczos{}).values(0) + g(0));
#endif
}
