// refuses: .groups. names 3 
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

using namespace kappa;

struct net : network<input<3> | dense<4> | act::tanh | dense<2>> {};
struct goal : objective<net, cross_entropy> {};

int main() {
  auto const theta = initialise<net, float>(1);
  std::vector<float> const x(3);
  std::vector<int> const y(1);
#ifndef CORRECTED
  auto const q = derive<goal>(theta, batch(x, y), ggn_from<exact, groups<0, 0, 1>>);
#else
  auto const q = derive<goal>(theta, batch(x, y), ggn_from<exact, groups<0, 1>>);
#endif
  return static_cast<int>(q.samples());
}
