// refuses: this workspace was made for other quantities
#include <vector>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

using namespace kappa;

struct net : network<input<3> | dense<2>> {};
struct goal : objective<net, cross_entropy> {};

int main() {
  auto const theta = initialise<net, float>(1);
  std::vector<float> const x(3);
  std::vector<int> const y(1);
#ifndef CORRECTED
  auto work = workspace_for<goal, float>(1, loss_value);
#else
  auto work = workspace_for<goal, float>(1, loss_value, gradient);
#endif
  auto const q = derive(work, theta, batch(x, y), loss_value, gradient);
  return static_cast<int>(q.samples());
}
