// A parameter or an input that is not finite is told wherever it stands, whether it is looked for or shows in the
// forward sweep, and the results of before are still there.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/layers.hpp>

namespace {

using namespace kappa;

// A relu turns a NaN or -infinity into zero; what stands before it must have told by then.
struct chain_net : network<input<9> | dense<40> | act::relu | dense<20> | act::tanh | dense<3>> {};
struct chain : objective<chain_net, cross_entropy> {};
inline constexpr auto block = residual(dense<12> | act::relu | dense<12, no_bias>);
struct branching_net : network<input<12> | repeat<2>(block) | (id + scale<-1, 2>) | dense<3>> {};
struct branching : objective<branching_net, cross_entropy> {};
struct sequence_net : network<input<5, 6> | dense<6, "E"> | act::relu | dense<6, "E"> | mean_over_positions |
                              dense<3>> {};
struct sequence : objective<sequence_net, cross_entropy> {};
struct image_net : network<input<16, 16, 2> | conv<8, 3, padding<1>> | act::relu | max_pool<2> | conv<4, 3> |
                           act::relu | flatten | dense<3>> {};
struct images : objective<image_net, cross_entropy> {};
// Parameters in a layer that is not dense.
struct normed_net : network<input<9> | dense<8> | layer_norm<> | act::relu | dense<3>> {};
struct normed : objective<normed_net, cross_entropy> {};

template <objective_type Objective>
struct problem {
  using net = typename Objective::network;
  static constexpr auto features = static_cast<std::size_t>(net::input_shape.size());
  std::size_t samples;
  std::vector<float> theta, x;
  std::vector<int> labels;
  explicit problem(std::size_t n) : samples(n) {
    counter_random random(5);
    for (int i = 0; i < net::parameter_count; ++i) theta.push_back(static_cast<float>(0.3 * random.normal()));
    for (std::size_t i = 0; i < n * features; ++i) x.push_back(static_cast<float>(random.normal()));
    for (std::size_t i = 0; i < n; ++i) labels.push_back(static_cast<int>(random.below(3)));
  }
};

std::string message_of(auto&& derivation) {
  try {
    derivation();
  } catch (invalid_value const& e) {
    return e.what();
  }
  return "nothing was thrown";
}

// Tries some `most` places among the parameters and among the inputs.
template <objective_type Objective, quantity... Quantities>
void tells(std::size_t samples, std::size_t most, Quantities const&... quantities) {
  problem<Objective> good(samples);
  set_threads(2);  // a workspace has scratch for as many
  auto work = workspace_for<Objective, float>(samples, gradient, quantities...);
  auto const run = [&](std::vector<float> const& theta, std::vector<float> const& x) {
    return derive(work, theta, batch(x, good.labels), gradient, quantities...);
  };
  auto const before = run(good.theta, good.x);
  std::vector<float> const kept(before[gradient].begin(), before[gradient].end());
  REQUIRE(kept[0] != 0);
  float const bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (int thread_count : {1, 2}) {
    set_threads(thread_count);
    for (std::size_t p = 0; p < good.theta.size(); p += 1 + good.theta.size() / most) {
      auto theta = good.theta;
      theta[p] = bad[p % 3];
      CHECK(message_of([&] { run(theta, good.x); }).starts_with("parameters: element " + std::to_string(p) + " is"));
    }
    for (std::size_t i = 0; i < good.x.size(); i += 1 + good.x.size() / most) {
      auto x = good.x;
      x[i] = bad[i % 3];
      CHECK(message_of([&] { run(good.theta, x); }).starts_with("inputs: element " + std::to_string(i) + " is"));
    }
  }
  CHECK(std::vector<float>(before[gradient].begin(), before[gradient].end()) == kept);
  auto theta = good.theta;  // the twin: after a derivation that is not refused they are gone
  theta[0] *= 2;
  run(theta, good.x);
  CHECK(message_of([&] { before[gradient]; }).find("these results are those of derivation") != std::string::npos);
}

template <objective_type Objective, quantity... Quantities>
using runner_for = typename workspace<Objective, float, gradient_t, Quantities...>::runner;

}  // namespace

TEST_CASE("numbers that are not finite show in the forward sweep") {
  STATIC_REQUIRE(runner_for<chain, per_sample_gradient_norms_t>::shows_parameters);
  CHECK(runner_for<chain, per_sample_gradient_norms_t>::shows_inputs(40));
  tells<chain>(40, 2000, per_sample_gradient_norms);
  tells<chain>(2, 2000, ggn_diagonal);
  tells<branching>(7, 2000, kfac<expand>);
  tells<sequence>(7, 2000, loss_value);
}

TEST_CASE("inputs that no dense layer reads are looked at, and so are several blocks of them") {
  set_threads(1);
  CHECK_FALSE(runner_for<images>::shows_inputs(2));
  STATIC_REQUIRE(detail::sample_blocks<float, images, request_of<gradient_t>()>::pay);
  std::size_t const together = detail::sample_blocks<float, images, request_of<gradient_t>()>::size(1000, 1);
  REQUIRE(together < 1000);
  tells<images>(together + 3, 20);
}

TEST_CASE("parameters that need not show are looked at") {
  STATIC_REQUIRE_FALSE(runner_for<normed>::shows_parameters);       // in a norm
  STATIC_REQUIRE_FALSE(runner_for<chain, ggn_t>::shows_parameters);  // results are looked up in the buffers
  tells<normed>(5, 2000);
  tells<chain>(5, 50, ggn);
}

TEST_CASE("the Gram matrix of a refused derivation's predecessor is still looked up from its own buffers") {
  problem<chain> const good(4);
  auto work = workspace_for<chain, float>(4, ggn);
  auto const before = derive(work, good.theta, batch(good.x, good.labels), ggn);
  std::vector<float> const v(good.theta.size(), 1.0f);
  auto const product = apply(before[ggn], v);
  auto theta = good.theta;
  theta[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(derive(work, theta, batch(good.x, good.labels), ggn), invalid_value);
  CHECK(std::ranges::equal(apply(before[ggn], v), product));
}

TEST_CASE("an overflow is no fault of the caller's") {
  problem<chain> p(3);
  for (float& v : p.theta) v *= 1e38f;
  auto const q = derive<chain>(p.theta, batch(p.x, p.labels), loss_value, gradient);
  CHECK_FALSE(std::isfinite(q[loss_value]));
}

TEST_CASE("a workspace that grew for more threads has lost its results, and says so") {
  problem<chain> const p(4);
  set_threads(1);
  auto work = workspace_for<chain, float>(4, gradient);
  auto const before = derive(work, p.theta, batch(p.x, p.labels), gradient);
  CHECK(before[gradient].size() == p.theta.size());
  set_threads(2);
  auto theta = p.theta;
  theta[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(derive(work, theta, batch(p.x, p.labels), gradient), invalid_value);
  CHECK_THROWS_AS(before[gradient], invalid_value);
}
