// refuses: estimate it with hutchinson_trace
#include <kappa/spectrum.hpp>

int main() {
  using namespace kappa;
  auto const f =
      matrix_free<double>(4, [](std::span<double const> x, std::span<double> y) { std::ranges::copy(x, y.begin()); });
  auto const g = zeros<double>(4);
#ifndef CORRECTED
  return static_cast<int>(trace(f) + g(0));
#else
  return static_cast<int>(hutchinson_trace(f).value + g(0));
#endif
}
