// E8: how the influence of training samples on a query is ranked, against leaving each one out and training again.

#include <cmath>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>

#include "study.hpp"

namespace sharing_study {

namespace {

constexpr std::size_t samples = 60, features = 4, queries = 10;
constexpr double l2 = 1e-2;  // beside the mean loss

struct regression_net : network<input<4> | dense<3>> {};
struct regression : objective<regression_net, cross_entropy, mean> {};
struct regression_sum : objective<regression_net, cross_entropy, kappa::sum> {};  // for one sample, or one less

struct training_set {
  std::vector<double> x;
  std::vector<int> y;
  batch<double> all() const { return {std::span<double const>(x), std::span<int const>(y)}; }
  training_set without(std::size_t n) const {
    auto less = *this;
    less.x.erase(less.x.begin() + static_cast<std::ptrdiff_t>(features * n),
                 less.x.begin() + static_cast<std::ptrdiff_t>(features * (n + 1)));
    less.y.erase(less.y.begin() + static_cast<std::ptrdiff_t>(n));
    return less;
  }
};

std::vector<double> draw_inputs(std::size_t count, counter_random& random) {
  constexpr double scales[] = {2, 1, 0.5, 0.25};
  std::vector<double> x;
  for (std::size_t i = 0; i < count * features; ++i) x.push_back(scales[i % features] * random.normal());
  return x;
}

training_set draw_set(counter_random& random) {
  auto teacher = zeros<double>(static_cast<std::size_t>(regression_net::parameter_count));
  for (double& v : teacher) v = random.normal();
  training_set set{draw_inputs(samples, random), {}};
  for (std::size_t n = 0; n < samples; ++n) {
    double logits[3], total = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      logits[c] = teacher(3 * features + c);
      for (std::size_t i = 0; i < features; ++i) logits[c] += teacher(c * features + i) * set.x[features * n + i];
      total += std::exp(logits[c]);
    }
    double left = random.uniform() * total;
    int label = 0;
    while (label < 2 && (left -= std::exp(logits[label])) > 0) ++label;
    set.y.push_back(label);
  }
  return set;
}

/// The minimum of (Σ of the set's losses) / samples + l2 / 2 ‖θ‖², by Newton's method: for this network the
/// Gauss-Newton matrix is the Hessian.
vector<double> fitted(training_set const& set, vector<double> theta) {
  double const n = samples;
  for (int i = 0; i < 50; ++i) {
    auto const q = derive<regression_sum>(theta, set.all(), gradient, ggn);
    vector<double> g = theta;
    for (std::size_t p = 0; p < g.size(); ++p) g(p) = q[gradient][p] + n * l2 * theta(p);
    vector<double> const step = solve(q[ggn] + n * l2 * identity, g);
    double largest = 0;
    for (std::size_t p = 0; p < g.size(); ++p) {
      theta(p) -= step(p);
      largest = worst_of(largest, std::abs(step(p)));
    }
    if (largest < 1e-12) break;
  }
  return theta;
}

double correlation(std::vector<double> const& a, std::vector<double> const& b) {
  double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
  double const n = static_cast<double>(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ma += a[i] / n;
    mb += b[i] / n;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

constexpr char const* kinds[] = {"exact GGN", "EKFAC", "diagonal", "K-FAC", "dot product"};
constexpr double reference[] = {.991, .941, .926, .897, .796};

}  // namespace

experiment influence(settings const& s) {
  std::size_t const sets = s.is_short ? 2 : 20;
  experiment e(
      "E8", "Influence of training samples",
      "Softmax regression with 4 features of scales 2 to 1/4 and a bias, 3 classes, N = 60, l2 = 0.01 beside "
      "the mean loss. A sample's influence on a query is the change of the query's loss when the sample is left "
      "out and the model fitted again; it is estimated by gᵀ (C + l2 I)⁻¹ g' / N. Figures are correlations over "
      "the 60 samples, for " +
          std::to_string(sets) + " data sets with 10 queries each (the reference: 5 data sets).");
  std::vector<double> correlations[5];
  double hessian_error = 0, trace_error = 0;
  for (std::size_t d = 0; d < sets; ++d) {
    counter_random random(800 + d);
    auto const set = draw_set(random);
    auto const theta = fitted(set, zeros<double>(static_cast<std::size_t>(regression_net::parameter_count)));
    // [influence]
    auto const q =
        derive<regression>(theta, set.all(), per_sample_gradient, ggn, ggn_diagonal, kfac<expand>, ekfac<expand>);
    // [/influence]
    std::vector<vector<double>> left_out;
    for (std::size_t n = 0; n < samples; ++n) left_out.push_back(fitted(set.without(n), theta));
    trace_error = worst_of(trace_error, std::abs(trace(q[ekfac<expand>]) / trace(q[ggn]) - 1));
    for (std::size_t k = 0; k < queries; ++k) {
      auto const x = draw_inputs(1, random);
      std::vector<int> const y{static_cast<int>(random.below(3))};
      auto const at = derive<regression_sum>(theta, batch<double>(x, y), loss_value, gradient);
      vector<double> g = zeros<double>(theta.size());
      std::ranges::copy(at[gradient], g.data());
      std::vector<double> actual;
      for (auto const& t : left_out)
        actual.push_back(derive<regression_sum>(t, batch<double>(x, y), loss_value)[loss_value] - at[loss_value]);
      // [solve]
      vector<double> by_diagonal = g;
      for (std::size_t p = 0; p < g.size(); ++p) by_diagonal(p) /= q[ggn_diagonal][p] + l2;
      vector<double> const preconditioned[] = {solve(q[ggn] + l2 * identity, g),
                                               solve(q[ekfac<expand>] + l2 * identity, g), by_diagonal,
                                               solve(q[kfac<expand>] + l2 * identity, g), g};
      // [/solve]
      auto const rows = q[per_sample_gradient];
      for (std::size_t kind = 0; kind < 5; ++kind) {
        std::vector<double> estimate(samples);
        for (std::size_t n = 0; n < samples; ++n)
          for (std::size_t p = 0; p < g.size(); ++p) estimate[n] += rows(n, p) * preconditioned[kind](p);
        correlations[kind].push_back(correlation(estimate, actual));
      }
      auto const product = derive<regression>(theta, set.all(), hessian_vector_product(g));
      vector<double> const same = apply(q[ggn], g);
      double off = 0, size = 0;
      for (std::size_t p = 0; p < g.size(); ++p) {
        off += std::pow(product[hessian_vector_product][p] - same(p), 2);
        size += same(p) * same(p);
      }
      hessian_error = worst_of(hessian_error, std::sqrt(off / size));
    }
  }
  io::table table{"curvature C", "correlation, mean", "worst query", "reference"};
  double previous = 2;
  bool ordered = true;
  std::string order;
  for (std::size_t kind = 0; kind < 5; ++kind) {
    auto const range = spread_of(correlations[kind]);
    table.row(kinds[kind], range.mean, range.low, reference[kind]);
    ordered = ordered && range.mean < previous;
    previous = range.mean;
    order += (order.empty() ? "" : ", ") + number(range.mean);
  }
  e.table(std::move(table), "Correlation of estimated with actual changes of the query's loss");
  e.exact("the Gauss-Newton matrix is the Hessian here: products with gradients", hessian_error);
  e.exact("tr EKFAC / tr GGN less 1", trace_error);
  e.judged("exact > EKFAC > diagonal > K-FAC > dot product", order, ".991, .941, .926, .897, .796", ordered,
           "means over other data sets; neighbours in this order are close, and single queries invert them.");
  for (std::size_t kind = 0; kind < 5; ++kind) {
    std::vector<double> by_set;  // the reference's figures are means over sets
    for (std::size_t d = 0; d < sets; ++d) {
      double total = 0;
      for (std::size_t k = 0; k < queries; ++k) total += correlations[kind][d * queries + k] / queries;
      by_set.push_back(total);
    }
    e.covers(std::string("correlation, ") + kinds[kind] + ", by data set", spread_of(by_set), reference[kind],
             "the reference's mean of 5 data sets lies beyond all data sets drawn here.");
  }
  return e;
}

}  // namespace sharing_study
