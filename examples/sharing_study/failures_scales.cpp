// E2: factors of the wrong scale, and the variant of the other setting.

#include <algorithm>
#include <cmath>
#include <utility>

#include "instances.hpp"
#include "study.hpp"

namespace sharing_study {

namespace {

struct net : network<input<4, 4> | dense<3> | dense<3> | dense<2> | mean_over_positions> {};
struct goal : objective<net, squared_error, kappa::sum> {};
struct single_net : network<input<4, 4> | dense<3> | mean_over_positions> {};
struct single : objective<single_net, squared_error, kappa::sum> {};

constexpr char const* one_draw =
    "the reference's figure is of one random instance, and lies beyond the instances drawn here.";

}  // namespace

void failures_of_scales(experiment& e, settings const& s) {
  constexpr double r = 4;
  double sums = 0, means = 0;
  for (std::size_t d = 0; d < s.draws(); ++d) {
    instance<goal> const at(5, 200 + d);
    auto const q = derive<goal>(at.theta, at.data(), ggn, kfac<reduce>);
    auto const g = to_dense(q[ggn]);
    // [scales]
    auto const too_large = to_dense(r * r * q[kfac<reduce>]);        // A of sums and B of sums
    auto const too_small = to_dense(1 / (r * r) * q[kfac<reduce>]);  // A of means and B of means
    // [/scales]
    for (double error : block_errors<net>(too_large, g)) sums = worst_of(sums, std::abs(error - (r * r - 1)));
    for (double error : block_errors<net>(too_small, g)) means = worst_of(means, std::abs(error - (1 - 1 / (r * r))));
  }
  e.exact("reduce on sums and sums, R = 4: error less R² - 1 = 15", sums, 1e-9);
  e.exact("reduce on means and means: error less 1 - 1/R² = 0.9375", means, 1e-9);

  io::table coherence{"mean of the inputs", "tr K / tr G, expand", "reference", "tr K / tr G, reduce"};
  double off = 0;
  for (auto const& [mean, reference] : {std::pair{0.0, 0.632}, std::pair{0.5, 0.498}, std::pair{2.0, 0.292}}) {
    std::vector<double> ratios;
    for (std::size_t d = 0; d < s.draws(); ++d) {
      instance<single> const at(200, 300 + d, mean);
      auto const q = derive<single>(at.theta, at.data(), ggn_diagonal, kfac<expand>, kfac<reduce>);
      double exact_trace = 0;
      for (double v : q[ggn_diagonal]) exact_trace += v;
      ratios.push_back(trace(q[kfac<expand>]) / exact_trace);
      off = worst_of(off, std::abs(trace(q[kfac<reduce>]) / exact_trace - 1));
    }
    auto const range = spread_of(ratios);
    coherence.row(mean, io::table::cell::number(said(range)), reference, 1 + off);
    e.covers("tr K / tr G of expand in the reduce setting, inputs of mean " + number(mean), range, reference, one_draw);
  }
  e.exact("tr K / tr G of reduce there, less 1", off);
  e.table(std::move(coherence),
          "Expand where reduce belongs: the more alike the positions, the nearer to R = 4 times too small");
}

}  // namespace sharing_study
