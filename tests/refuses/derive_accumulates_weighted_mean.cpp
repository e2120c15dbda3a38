// refuses: weighted_mean divides by the weights of a batch's targets
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

using namespace kappa;

struct net : network<input<3> | dense<2>> {};
#ifndef CORRECTED
struct goal : objective<net, ignore_index<-1>(cross_entropy), weighted_mean> {};
#else
struct goal : objective<net, ignore_index<-1>(cross_entropy), sum> {};
#endif

double use(std::vector<double> const& theta, batch<double> const& part) {
  kfac_accumulator<goal, double> all(theta, 8);
  all.append(part);
  return static_cast<double>(all.samples());
}
