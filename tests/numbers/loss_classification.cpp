// Smoothed, weighted and ignored labels at positions through every quantity, by brute force.

#include <kappa/derive/accumulated_ggn.hpp>
#include <kappa/derive/hessian_diagonal.hpp>

#include "derive_check.hpp"
#include "textbook_losses.hpp"
#include "worst.hpp"

using namespace kappa;
using namespace kappa::test_derive;
using test_networks::entry;
using test_networks::targets;

namespace {

struct tagger : network<input<3, 2> | dense<4> | act::tanh | dense<3>> {};
struct padded : objective<tagger, ignore_index<-1>(class_weights<1, 0.25, 3>(label_smoothing<0.1>(cross_entropy))),
                          weighted_mean> {};
struct mixed : objective<tagger, class_weights<1, 0.25, 3>(label_smoothing<0.2>(cross_entropy))> {};

void pad(ref::batch<double>& b) { b.labels = {2, -1, 0, 1, 1, -1, -1, 0, 2}; }

ref::batch<double> padded_batch() {
  auto b = ref::random_batch<padded, double>(3, 12, ref::targets::labels);
  pad(b);
  return b;
}

void draw_probabilities(ref::batch<double>& b) {
  ref::random_numbers random(4);
  b.labels.clear();
  for (int i = 0; i < 9; ++i) {
    double const u = random.uniform(), v = random.uniform() * (1 - u);
    b.vectors.insert(b.vectors.end(), {u, v, 1 - u - v});
  }
}

}  // namespace

TEST_CASE("a weighted mean of padded positions against brute force") {
  check_objective<double>(entry<padded, targets::labels>{"padded"}, 2e-12L, pad);
}

TEST_CASE("smoothed probabilities with class weights against brute force") {
  check_objective<double>(entry<mixed, targets::labels>{"mixed"}, 2e-12L, draw_probabilities);
}

TEST_CASE("Monte Carlo curvature of a padded batch") {
  auto const b = padded_batch();
  auto const theta = ref::random_theta<tagger, double>(11);
  batch<double> const data(b.inputs, b.labels);
  auto const expected = widened(derive<padded>(theta, data, ggn_diagonal)[ggn_diagonal]);
  std::vector<extended> sums(expected.size()), squares(expected.size());
  constexpr int draws = 400;
  auto work = workspace_for<padded, double>(3, ggn_diagonal_from<monte_carlo<8>>(1));
  for (std::uint64_t seed = 1; seed <= draws; ++seed) {
    auto const drawn = ggn_diagonal_from<monte_carlo<8>>(seed);
    auto const one = widened(derive(work, theta, data, drawn)[drawn]);
    for (std::size_t p = 0; p < sums.size(); ++p) sums[p] += one[p], squares[p] += one[p] * one[p];
  }
  double most = 0, most_off = 0;
  for (std::size_t p = 0; p < sums.size(); ++p) {
    extended const average = sums[p] / draws;
    extended const error = std::sqrt((squares[p] / draws - average * average) / draws);
    most = worst_of(most, static_cast<double>(std::abs(average - expected[p]) / error));
    most_off = worst_of(most_off, static_cast<double>(std::abs(1.2L * average - expected[p]) / error));
  }
  CHECK(most < 4.5);
  CHECK(most_off > 4.5);
}

TEST_CASE("batches whose weights differ come together") {
  auto const b = padded_batch();
  auto const theta = ref::random_theta<tagger, double>(11);
  auto const together = to_dense(derive<padded>(theta, batch<double>(b.inputs, b.labels), ggn)[ggn]);
  appended_ggn<padded, double> appended(theta);
  truncated_ggn<padded, double> truncated(theta, 18);
  std::span<double const> const x(b.inputs);
  std::span<int const> const y(b.labels);
  auto const check = [&](std::size_t first, std::size_t count) {
    batch<double> const part(x.subspan(first * 6, count * 6), y.subspan(first * 3, count * 3));
    appended.append(part);
    truncated.append(part);
  };
  check(0, 1);
  check(1, 2);
  agrees("appended", widened(elements(to_dense(appended.matrix()))), widened(elements(together)), 1e-12L);
  agrees("truncated", widened(elements(to_dense(truncated.matrix()))), widened(elements(together)), 1e-10L);
}

TEST_CASE("the Hessian's diagonal of a weighted mean") {
  auto const b = padded_batch();
  auto const theta = ref::random_theta<tagger, double>(11);
  auto const d = hessian_diagonal_of<padded>(theta, batch<double>(b.inputs, b.labels));
  auto const wide = ref::convert<extended>(b);
  std::vector<extended> expected;
  for (std::size_t p = 0; p < theta.size(); ++p) {
    std::vector<extended> unit(theta.size());
    unit[p] = 1;
    expected.push_back(ref::hessian_times<padded>(widened(theta), wide, unit)[p]);
  }
  agrees("diagonal of the Hessian", widened(d.diagonal), expected, 1e-9L);
}
