// refuses: pi_damping: this structure has no two factors to damp
#include <kappa/algebra.hpp>

int main() {
  using namespace kappa;
  auto const k = kronecker_eigenbasis(zeros<double>(2, 2), zeros<double>(3, 3), zeros<double>(2, 3));
  std::vector<std::size_t> const order{0, 1, 2, 3, 4, 5};
#ifndef CORRECTED
  return static_cast<int>(damp(permuted(k, order), pi_damping{0.1}).size());
#else
  return static_cast<int>(damp(permuted(k, order), exact_damping{0.1}).size());
#endif
}
