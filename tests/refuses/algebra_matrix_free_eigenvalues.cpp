// refuses: ask lanczos for some of them
#include <kappa/spectrum.hpp>

int main() {
  using namespace kappa;
  auto const f =
      matrix_free<double>(4, [](std::span<double const> x, std::span<double> y) { std::ranges::copy(x, y.begin()); });
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  auto const values = eigenvalues(f);
  return static_cast<int>(values(0) + g(0));
#else
  auto const values = top_eigenpairs(f, 1, lanczos{}).values;
  return static_cast<int>(values(0) + g(0));
#endif
}
