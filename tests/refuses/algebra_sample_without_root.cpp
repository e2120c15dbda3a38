// refuses: sample: no root of this covariance is known
#include <kappa/algebra.hpp>

int main() {
  using namespace kappa;
  kronecker<double> const k(zeros<double>(2, 2), zeros<double>(3, 3));
#ifndef CORRECTED
  return static_cast<int>(sample(k, 1).size());
#else
  return static_cast<int>(sample(inverse(k + 0.1 * identity), 1).size());
#endif
}
