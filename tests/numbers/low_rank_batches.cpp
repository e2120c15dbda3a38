// Curvature of more than one batch, and of a part of a batch.

#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/derive/predict.hpp>
#include <kappa/methods/accumulate.hpp>
#include <kappa/methods/directional_newton.hpp>

#include "worst.hpp"

namespace {
using namespace kappa;

struct net : network<input<6> | dense<7> | act::tanh | dense<4>> {};
struct mean_goal : objective<net, cross_entropy> {};
struct sum_goal : objective<net, cross_entropy, sum> {};
struct tokens_net : network<input<3, 4> | dense<5> | act::tanh | mean_over_positions | dense<3>> {};
struct tokens_goal : objective<tokens_net, cross_entropy> {};

template <class Goal>
struct data {
  using network = typename Goal::network;
  static constexpr auto features = static_cast<std::size_t>(network::input_shape.size());
  std::size_t samples;
  vector<double> theta = initialise<network, double>(31);
  std::vector<double> x;
  std::vector<int> y;
  explicit data(std::size_t n) : samples(n), x(n * features), y(n) {
    counter_random random(32);
    for (double& v : x) v = random.normal();
    for (int& v : y) v = static_cast<int>(random.below(static_cast<std::uint64_t>(Goal::outputs)));
  }
  batch<double> all() const { return {std::span<double const>(x), std::span<int const>(y)}; }
  batch<double> part(std::size_t first, std::size_t count) const {
    return {std::span<double const>(x).subspan(first * features, count * features),
            std::span<int const>(y).subspan(first, count)};
  }
};

double difference(matrix<double> const& a, matrix<double> const& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = worst_of(worst, std::abs(a.data()[i] - b.data()[i]));
    largest = std::max(largest, std::abs(b.data()[i]));
  }
  REQUIRE(largest > 0);
  return worst / largest;
}

double spectral_norm(matrix<double> const& a) {
  auto const values = lapack::symmetric_eigenvalues(a);
  return std::max(std::abs(values(0)), std::abs(values(values.size() - 1)));
}

template <class Goal>
void appended_is_whole() {
  data<Goal> const d(23);
  appended_ggn<Goal, double> batches(d.theta);
  batches.append(d.part(0, 9));
  batches.append(d.part(9, 9));
  batches.append(d.part(18, 5));
  REQUIRE(batches.samples() == 23);
  auto const whole = derive<Goal>(d.theta, d.all(), ggn);
  auto const one = to_dense(whole[ggn]), many = to_dense(batches.matrix());
  CHECK(difference(many, one) < 1e-12);
  auto const gram = batches.matrix().root().gram();
  auto expected = zeros<double>(gram.shape(0), gram.shape(1));
  std::ranges::copy(whole[ggn].root().gram(), expected.data());
  CHECK(difference(gram, expected) < 1e-12);
  CHECK(difference(many, to_dense(derive<Goal>(d.theta, d.part(0, 18), ggn)[ggn])) > 1e-3);  // not that of two batches
  auto const top = top_eigenpairs(batches.matrix(), 3), top_whole = top_eigenpairs(whole[ggn], 3);
  for (std::size_t k = 0; k < 3; ++k) CHECK(std::abs(top.values(k) / top_whole.values(k) - 1) < 1e-11);
}
}  // namespace

TEST_CASE("appended batches are the whole data set's matrix") {
  appended_is_whole<mean_goal>();
  appended_is_whole<sum_goal>();
  appended_is_whole<tokens_goal>();
  data<mean_goal> const d(4);
  appended_ggn<mean_goal, double> none(d.theta);
  CHECK_THROWS_AS(none.matrix(), capacity_exceeded);
  none.append(d.all());
  CHECK_THROWS_AS(none.append(d.part(0, 0)), capacity_exceeded);
  CHECK(none.samples() == 4);
}

TEST_CASE("a data set is accumulated batch by batch, with a report after each") {
  data<mean_goal> const d(23);
  appended_ggn<mean_goal, double> by_hand(d.theta), by_call(d.theta);
  by_hand.append(d.part(0, 9));
  by_hand.append(d.part(9, 9));
  by_hand.append(d.part(18, 5));
  std::vector<std::size_t> seen;
  accumulate(by_call, d.all(), 23, 9, [&](std::size_t done, std::size_t total) {
    CHECK(total == 23);
    seen.push_back(done);
  });
  CHECK(seen == std::vector<std::size_t>{9, 18, 23});
  CHECK(difference(to_dense(by_call.matrix()), to_dense(by_hand.matrix())) < 1e-15);
  truncated_ggn<mean_goal, double> kept(d.theta, 81);
  accumulate(kept, d.all(), 23, 10);
  CHECK(difference(to_dense(kept.matrix()), to_dense(by_hand.matrix())) < 1e-10);
  CHECK_THROWS_AS(accumulate(by_call, d.all(), 23, 0), capacity_exceeded);
  CHECK_THROWS_AS(accumulate(by_call, d.all(), 22, 9), shape_mismatch);
  CHECK(by_call.samples() == 23);
}

TEST_CASE("appended batches of other sources") {
  data<mean_goal> const d(12);
  appended_ggn<mean_goal, double, empirical_fisher> fisher(d.theta);
  fisher.append(d.part(0, 5));
  fisher.append(d.part(5, 7));
  auto const at_once = derive<mean_goal>(d.theta, d.all(), empirical_fisher);
  CHECK(difference(to_dense(fisher.matrix()), to_dense(at_once[empirical_fisher])) < 1e-12);
}

TEST_CASE("a truncated matrix stays within its bounds") {
  data<mean_goal> const d(40);
  auto const dense = to_dense(derive<mean_goal>(d.theta, d.all(), ggn)[ggn]);
  auto const exact_values = lapack::symmetric_eigenvalues(dense);
  for (std::size_t const most : {4U, 12U, 100U}) {
    truncated_ggn<mean_goal, double> kept(d.theta, most);
    for (std::size_t b = 0; b < 5; ++b) kept.append(d.part(8 * b, 8));
    REQUIRE(kept.samples() == 40);
    kappa::matrix<double> const lost = dense - to_dense(kept.matrix());
    auto const values = lapack::symmetric_eigenvalues(lost);
    double const top = exact_values(0), rounding = 1e-12 * top;
    CHECK(values(0) <= kept.spectral_error() + rounding);
    CHECK(values(values.size() - 1) >= -rounding);  // what is kept never exceeds the matrix
    double trace = 0;
    for (std::size_t i = 0; i < lost.shape(0); ++i) trace += lost(i, i);
    CHECK(std::abs(trace - kept.trace_error()) < 1e-10 * top);
    for (std::size_t i = 0; i < kept.rank(); ++i) {
      CHECK(kept.eigenvalues()(i) <= exact_values(i) + rounding);
      CHECK(exact_values(i) <= kept.eigenvalues()(i) + kept.spectral_error() + rounding);
    }
    if (most < 100) {
      CHECK(values(0) > 1e-4 * top);  // something was lost, so the bound said something
      CHECK(kept.spectral_error() <= kept.trace_error());
      CHECK(values(0) > kept.spectral_error() / 50);  // and it was not empty talk
    } else {
      CHECK(spectral_norm(lost) < 1e-10 * top);  // nothing had to go
    }
  }
  CHECK_THROWS_AS((truncated_ggn<mean_goal, double>(d.theta, 0)), capacity_exceeded);
}

namespace {
template <class Goal>
void sub_sampled(double rescale) {
  data<Goal> const d(20);
  std::vector<std::size_t> const chosen{3, 17, 4, 11, 8};
  sub_batch<double> const some(d.all(), d.samples, chosen);
  auto const gradients = derive<Goal>(d.theta, d.all(), gradient, per_sample_gradient, per_sample_gradient_operator);
  auto const curvature = derive<Goal>(d.theta, some.view(), ggn);
  auto const rows = gradients[per_sample_gradient];
  auto const s = directional_derivatives_of(curvature, ggn, gradients, leading{4});
  auto const e = directions_of(curvature[ggn], s);
  REQUIRE(s.slopes.shape(0) == 20);
  REQUIRE(s.curvatures.shape(0) == 5);
  auto const dense = to_dense(curvature[ggn]);
  auto step = zeros<double>(d.theta.size());
  for (std::size_t k = 0; k < 4; ++k) {
    double mean = 0, bend = 0;
    for (std::size_t n = 0; n < 20; ++n) {
      double slope = 0;
      for (std::size_t p = 0; p < d.theta.size(); ++p) slope += 20 * rows(n, p) * e(k, p);
      CHECK(std::abs(s.slopes(n, k) - slope) < 1e-11);
      mean += slope / 20;
    }
    for (std::size_t i = 0; i < d.theta.size(); ++i)
      for (std::size_t j = 0; j < d.theta.size(); ++j) bend += e(k, i) * dense(i, j) * e(k, j);
    CHECK(s.eigenvalues(k) == Approx(rescale * bend).epsilon(1e-10));
    CHECK(s.mean_curvatures()(k) == Approx(rescale * bend).epsilon(1e-10));
    CHECK(s.mean_slopes()(k) == Approx(mean).epsilon(1e-9).margin(1e-12));
    for (std::size_t p = 0; p < d.theta.size(); ++p) step(p) -= mean / (rescale * bend + 0.3) * e(k, p);
  }
  auto const newton = directional_newton_step_of(curvature, ggn, gradients, leading{4}, constant_damping{0.3});
  double worst = 0, wrong = 0, largest = 0;
  for (std::size_t p = 0; p < d.theta.size(); ++p) {
    worst = worst_of(worst, std::abs(newton.step(p) - step(p)));
    wrong = std::max(wrong, std::abs(newton.step(p) - 4 * step(p)));
    largest = std::max(largest, std::abs(step(p)));
  }
  CHECK(worst < 1e-10 * largest);
  CHECK(wrong > 0.1 * largest);  // the rescaling is seen
}
}  // namespace

TEST_CASE("curvature of a part of the batch, rescaled by the reduction") {
  sub_sampled<mean_goal>(1);
  sub_sampled<sum_goal>(4);  // 20 samples against 5
}

TEST_CASE("a sub-batch refuses what is no choice of samples") {
  data<mean_goal> const d(4);
  std::vector<std::size_t> const twice{1, 1}, outside{4}, none;
  CHECK_THROWS_AS(sub_batch<double>(d.all(), 4, twice), invalid_value);
  CHECK_THROWS_AS(sub_batch<double>(d.all(), 4, outside), invalid_value);
  CHECK_THROWS_AS(sub_batch<double>(d.all(), 4, none), capacity_exceeded);
  CHECK_THROWS_AS(sub_batch<double>(d.all(), 5, std::vector<std::size_t>{1}), shape_mismatch);
}

TEST_CASE("Monte Carlo converges to the Gauss-Newton matrix at 1 / sqrt(M), with the standard error it should have") {
  data<mean_goal> const d(6);
  auto const dense = to_dense(derive<mean_goal>(d.theta, d.all(), ggn)[ggn]);
  // The squared Frobenius error of a mean of M draws is σ² / M; σ² from many single draws is the reference.
  auto const squared_error_of = [&](auto quantity, int seeds) {
    double total = 0;
    for (int s = 1; s <= seeds; ++s) {
      auto const drawn =
          to_dense(derive<mean_goal>(d.theta, d.all(), quantity(static_cast<std::uint64_t>(s)))[quantity]);
      double error = 0;
      for (std::size_t i = 0; i < drawn.size(); ++i) error += std::pow(drawn.data()[i] - dense.data()[i], 2);
      total += error / seeds;
    }
    return total;
  };
  double const one = squared_error_of(ggn_from<monte_carlo<1>>, 400),
               sixteen = squared_error_of(ggn_from<monte_carlo<16>>, 200),
               sixty_four = squared_error_of(ggn_from<monte_carlo<64>>, 200);
  // Analytically: Var = Σ_n ρ² (E‖J_nᵀg‖⁴ - ‖G_n‖²), the labels' probabilities giving the expectation.
  double variance = 0;
  for (std::size_t n = 0; n < d.samples; ++n) {
    auto const alone = derive<mean_goal>(d.theta, d.part(n, 1), ggn);
    auto const outputs = predict<net>(d.theta, d.part(n, 1).inputs);
    std::vector<double> p(4);
    cross_entropy.probabilities<double>(std::span<double const>(outputs.data(), 4), p);
    double fourth = 0;
    for (int label = 0; label < 4; ++label) {
      std::vector<int> const pretended{label};
      auto const g =
          derive<mean_goal>(d.theta, batch<double>(d.part(n, 1).inputs, std::span<int const>(pretended)), gradient);
      double norm = 0;
      for (double v : g[gradient]) norm += v * v;
      fourth += p[static_cast<std::size_t>(label)] * norm * norm;
    }
    variance += (fourth - std::pow(frobenius_norm(alone[ggn]), 2)) / 36;
  }
  CHECK(std::abs(one / variance - 1) < 0.2);
  CHECK(std::abs(16 * sixteen / variance - 1) < 0.2);
  CHECK(std::abs(64 * sixty_four / variance - 1) < 0.2);
  CHECK(std::abs(8 * sixty_four / variance - 1) > 0.2);  // 1 / √M would be seen as wrong in the squared error
}

TEST_CASE("top eigenpairs of the low-rank matrix know their residuals") {
  // In float, where residuals are well above rounding in double.
  data<mean_goal> const d(40);
  std::vector<float> const x(d.x.begin(), d.x.end());
  vector<float> const theta = xt::cast<float>(d.theta);
  auto const op =
      derive<mean_goal>(theta, batch<float>(std::span<float const>(x), std::span<int const>(d.y)), ggn)[ggn];
  auto const dense = to_dense(op);
  auto const top = top_eigenpairs(op, 4);
  for (std::size_t k = 0; k < 4; ++k) {
    double residual = 0, wrong = 0;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      double y = 0;
      for (std::size_t j = 0; j < theta.size(); ++j)
        y += static_cast<double>(dense(i, j)) * static_cast<double>(top.vectors(k, j));
      residual += std::pow(y - static_cast<double>(top.values(k)) * static_cast<double>(top.vectors(k, i)), 2);
      wrong += std::pow(y - 1.001 * static_cast<double>(top.values(k)) * static_cast<double>(top.vectors(k, i)), 2);
    }
    double const rounding = 2e-6 * static_cast<double>(top.values(0)), claimed = static_cast<double>(top.residuals(k));
    CHECK(std::sqrt(residual) <= claimed + rounding);
    CHECK(claimed <= 1e-5 * static_cast<double>(top.values(0)));
    CHECK(std::sqrt(wrong) > claimed + rounding);
  }
}
