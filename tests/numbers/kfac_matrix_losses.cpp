// The test matrix of K-FAC: one sample is exact for any network and loss, more are not; reductions only rescale;
// positions may come in any order; EKFAC keeps the trace and is nearer.

#include <algorithm>
#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>

#include "reference.hpp"

using namespace kappa;

namespace {

namespace ref = kappa::reference;

template <class Objective>
batch<double> view(ref::batch<double> const& b) {
  return b.labels.empty() ? batch<double>(b.inputs, b.vectors) : batch<double>(b.inputs, b.labels);
}

// The relative Frobenius errors, and the ratios of traces, of diagonal blocks of these sizes.
struct comparison {
  std::vector<double> errors, traces;
};
comparison compare(matrix<double> const& k, std::vector<double> const& g, std::vector<std::size_t> const& sizes) {
  comparison all;
  std::size_t const order = k.shape(0);
  std::size_t begin = 0;
  for (std::size_t size : sizes) {
    double difference = 0, norm = 0, trace_k = 0, trace_g = 0;
    for (std::size_t i = begin; i < begin + size; ++i) {
      trace_k += k(i, i), trace_g += g[i * order + i];
      for (std::size_t j = begin; j < begin + size; ++j) {
        difference += std::pow(k(i, j) - g[i * order + j], 2);
        norm += std::pow(g[i * order + j], 2);
      }
    }
    REQUIRE(norm > 1e-12);
    all.errors.push_back(std::sqrt(difference / norm));
    all.traces.push_back(trace_k / trace_g);
    begin += size;
  }
  REQUIRE(begin == order);
  return all;
}

double largest(std::vector<double> const& v) { return *std::max_element(v.begin(), v.end()); }

struct plain : network<input<3> | dense<4> | act::tanh | dense<3, no_bias> | act::sigmoid | dense<3>> {};
struct classes : objective<plain, cross_entropy> {};
struct labels_of_three : objective<plain, binary_cross_entropy, sum> {};
std::vector<std::size_t> const joint_sizes{16, 12, 12}, apart_sizes{12, 4, 12, 9, 3};

template <class Objective>
void check_single_sample(ref::targets kind) {
  constexpr auto apart = kfac<reduce, exact, separate_bias>;
  constexpr auto apart_empirical = kfac<reduce, empirical, separate_bias>;
  auto const theta = ref::random_theta<plain, double>(5);
  for (int samples : {1, 4}) {
    auto const b = ref::random_batch<Objective, double>(samples, 6, kind);
    auto const q = derive<Objective>(theta, view<Objective>(b), kfac<expand>, kfac<expand, empirical>, apart,
                                     apart_empirical, kfac<expand, forward_only>);
    auto const g = ref::ggn<Objective, double>(theta, b);
    auto const f = ref::ggn<Objective, double>(theta, b, ref::source::empirical);
    auto const of_root = compare(to_dense(q[kfac<expand>]), g, joint_sizes);
    auto const of_targets = compare(to_dense(q[kfac<expand, empirical>]), f, joint_sizes);
    if (samples == 1) {
      CHECK(largest(of_root.errors) < 1e-12);
      CHECK(largest(of_targets.errors) < 1e-12);
      CHECK(largest(compare(to_dense(q[apart]), g, apart_sizes).errors) < 1e-12);
      CHECK(largest(compare(to_dense(q[apart_empirical]), f, apart_sizes).errors) < 1e-12);
    } else {  // a classifier's last layer as well
      for (double e : of_root.errors) CHECK(e > 1e-4);
      for (double e : of_targets.errors) CHECK(e > 1e-2);
    }
    // The other vectors, and none, make other matrices.
    for (double e : compare(to_dense(q[kfac<expand, empirical>]), g, joint_sizes).errors) CHECK(e > 1e-2);
    for (double e : compare(to_dense(q[kfac<expand, forward_only>]), g, joint_sizes).errors) CHECK(e > 1e-2);
  }
}

}  // namespace

TEST_CASE("one sample, one position: exact for any network and loss, from both kinds of vectors; four are not") {
  check_single_sample<classes>(ref::targets::labels);
  check_single_sample<labels_of_three>(ref::targets::vectors);
}

namespace {

struct pooled_net : network<input<4, 2> | dense<3> | act::tanh | dense<3, no_bias> | mean_over_positions | dense<3>> {};
struct pooled_sum : objective<pooled_net, cross_entropy, sum> {};
struct pooled_mean : objective<pooled_net, cross_entropy> {};
struct words_net : network<input<4, 2> | dense<3> | act::tanh | dense<3>> {};
struct words_mean : objective<words_net, cross_entropy> {};
struct words_each : objective<words_net, cross_entropy, kappa::mean_over_positions> {};

template <class Objective>
ref::batch<double> five() {
  return ref::random_batch<Objective, double>(5, 6, ref::targets::labels);
}

double distance(matrix<double> const& x, matrix<double> const& y, double scale = 1) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += std::pow(scale * x.data()[i] - y.data()[i], 2);
    norm += std::pow(y.data()[i], 2);
  }
  return std::sqrt(difference / norm);
}

}  // namespace

TEST_CASE("a reduction is a scale: of every K-FAC but the one without vectors") {
  auto const check = [](auto const& p, auto const& q, double ratio, auto const&... quantity) {
    auto const one = [&](auto const& k) {
      auto const x = p.factors(k), y = q.factors(k);
      double const b = std::remove_cvref_t<decltype(k)>::source == curvature_source::forward_only ? 1 : ratio;
      for (std::size_t i = 0; i < x.size(); ++i) {
        CHECK(distance(x[i].inputs.copy(), y[i].inputs.copy()) == 0);
        CHECK(distance(x[i].outputs.copy(), y[i].outputs.copy(), b) < 1e-13);
        CHECK(distance(x[i].outputs.copy(), y[i].outputs.copy(), 1.001 * b) > 1e-4);
      }
    };
    (one(quantity), ...);
  };
  auto const all = [](auto const& f) {
    f(kfac<expand>, kfac<automatic>, kfac<expand, empirical>, kfac<expand, monte_carlo<2>>(3),
      kfac<expand, random_signs<2>>(3), kfac<expand, forward_only>);
  };
  auto const pooled_theta = ref::random_theta<pooled_net, double>(5);
  auto const words_theta = ref::random_theta<words_net, double>(5);
  auto const a = five<pooled_sum>();
  auto const b = five<words_mean>();
  all([&](auto const&... k) {
    check(derive<pooled_mean>(pooled_theta, view<pooled_mean>(a), k...),
          derive<pooled_sum>(pooled_theta, view<pooled_sum>(a), k...), 5, k...);
    check(derive<words_each>(words_theta, view<words_each>(b), k...),
          derive<words_mean>(words_theta, view<words_mean>(b), k...), 4, k...);
  });
}

TEST_CASE("positions in another order, under an average and beside their targets, give the same factors") {
  auto const turn = [](auto& v, std::size_t each) {  // the positions of every sample, by one
    for (std::size_t n = 0; n < 5; ++n)
      std::rotate(v.begin() + static_cast<std::ptrdiff_t>(4 * n * each),
                  v.begin() + static_cast<std::ptrdiff_t>((4 * n + 1) * each),
                  v.begin() + static_cast<std::ptrdiff_t>(4 * (n + 1) * each));
  };
  auto const theta = ref::random_theta<pooled_net, double>(5);
  auto a = five<pooled_mean>();
  auto const before = derive<pooled_mean>(theta, view<pooled_mean>(a), kfac<expand>, kfac<reduce>);
  turn(a.inputs, 2);
  auto const after = derive<pooled_mean>(theta, view<pooled_mean>(a), kfac<expand>, kfac<reduce>);
  CHECK(distance(to_dense(after[kfac<expand>]), to_dense(before[kfac<expand>])) < 1e-13);
  CHECK(distance(to_dense(after[kfac<reduce>]), to_dense(before[kfac<reduce>])) < 1e-13);

  auto const t = ref::random_theta<words_net, double>(5);
  auto b = five<words_mean>();
  auto const unturned = derive<words_mean>(t, view<words_mean>(b), kfac<expand>, kfac<expand, empirical>);
  turn(b.inputs, 2);
  auto const apart = derive<words_mean>(t, view<words_mean>(b), kfac<expand>, kfac<expand, empirical>);
  turn(b.labels, 1);
  auto const together = derive<words_mean>(t, view<words_mean>(b), kfac<expand>, kfac<expand, empirical>);
  constexpr auto actual = kfac<expand, empirical>;
  CHECK(distance(to_dense(together[kfac<expand>]), to_dense(unturned[kfac<expand>])) < 1e-13);
  CHECK(distance(to_dense(together[actual]), to_dense(unturned[actual])) < 1e-13);
  CHECK(distance(to_dense(apart[kfac<expand>]), to_dense(unturned[kfac<expand>])) < 1e-13);  // targets do not matter
  CHECK(distance(to_dense(apart[actual]), to_dense(unturned[actual])) > 1e-3);               // here they do
}

TEST_CASE("EKFAC keeps the trace of the Gauss-Newton matrix, K-FAC does not, and in its bases nothing is nearer") {
  auto const check = []<class Objective>(Objective, std::vector<std::size_t> const& sizes, auto const&... pair) {
    auto const theta = ref::random_theta<typename Objective::network, double>(5);
    auto const b = five<Objective>();
    auto const g = ref::ggn<Objective, double>(theta, b);
    auto const one = [&](auto const& quantity) {
      constexpr typename std::remove_cvref_t<decltype(quantity)>::factors factors_of{};
      auto const q = derive<Objective>(theta, view<Objective>(b), quantity, factors_of);
      auto const of_ekfac = compare(to_dense(q[quantity]), g, sizes),
                 of_kfac = compare(to_dense(q[factors_of]), g, sizes);
      for (double t : of_ekfac.traces) CHECK(t == Approx(1).epsilon(1e-12));
      CHECK(std::abs(of_kfac.traces[0] - 1) > 1e-3);
      for (std::size_t p = 0; p < sizes.size(); ++p) CHECK(of_ekfac.errors[p] <= of_kfac.errors[p] + 1e-12);
      CHECK(of_ekfac.errors[0] < 0.999 * of_kfac.errors[0]);
    };
    (one(pair), ...);
  };
  check(pooled_mean(), {9, 9, 12}, ekfac<expand>, ekfac<reduce>);
  check(words_each(), {9, 12}, ekfac<expand>, ekfac<reduce_unaggregated>);
}
