// Small networks on one sample run in a function of their own: it must give what the general steps give, and keep the
// promise that a bad parameter changes nothing.

#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive/derive.hpp>
#include <kappa/tensor/random.hpp>

#include "worst.hpp"

namespace {
using namespace kappa;

struct wide_net : network<input<2> | dense<16> | act::tanh | dense<16> | act::tanh | dense<1>> {};
struct wide : objective<wide_net, squared_error> {};
struct odd_net : network<input<3> | dense<11> | act::sigmoid | dense<5> | act::softplus | dense<3>> {};
struct odd : objective<odd_net, cross_entropy> {};
struct four_net : network<input<4> | dense<33> | act::gelu | dense<9> | act::silu | dense<2>> {};
struct four : objective<four_net, squared_error> {};
struct single_net : network<input<1> | dense<20> | act::fast_tanh | dense<20> | act::fast_gelu | dense<4>> {};
struct single : objective<single_net, cross_entropy> {};
struct long_net : network<input<50> | dense<50> | act::relu | dense<70> | act::leaky_relu | dense<8>> {};
struct longer : objective<long_net, cross_entropy, sum> {};
inline constexpr auto block = residual(dense<12> | act::tanh | dense<12>);
struct branching_net : network<input<7> | dense<12> | repeat<2>(block) | act::fast_sigmoid | dense<2, no_bias>> {};
struct branching : objective<branching_net, squared_error> {};
struct shared_net : network<input<6> | tied_repeat<3>(dense<6> | act::tanh) | dense<2>> {};
struct shared : objective<shared_net, cross_entropy> {};
struct sequence_net : network<input<4, 3> | dense<5> | act::tanh | mean_over_positions | dense<2>> {};
struct sequence : objective<sequence_net, cross_entropy> {};

template <class Objective, class T>
struct small_problem {
  using net = typename Objective::network;
  std::vector<T> theta, x, targets;
  std::vector<int> labels{1};
  explicit small_problem(std::uint64_t seed) {
    counter_random random(seed);
    auto const fill = [&](std::vector<T>& v, std::size_t n) {
      for (std::size_t i = 0; i < n; ++i) v.push_back(static_cast<T>(random.normal() * 0.6));
    };
    fill(theta, static_cast<std::size_t>(net::parameter_count));
    fill(x, static_cast<std::size_t>(net::input_shape.size()));
    fill(targets, static_cast<std::size_t>(Objective::outputs));
  }
  auto view() const {
    if constexpr (Objective::loss::takes_labels)
      return kappa::batch(x, labels);
    else
      return kappa::batch(x, targets);
  }
};

template <class Objective, class T>
double distance(small_problem<Objective, T> const& s, small_problem<Objective, T> const& t) {
  auto const own = derive<Objective>(s.theta, s.view(), loss_value, gradient);
  auto const general = derive<Objective>(t.theta, t.view(), loss_value, gradient, per_sample_gradient_norms);
  double worst = std::abs(own[loss_value] - general[loss_value]) / (1 + std::abs(general[loss_value]));
  double size = 1e-3;
  for (T v : general[gradient]) size = std::max(size, std::abs(static_cast<double>(v)));
  for (std::size_t p = 0; p < s.theta.size(); ++p)
    worst = worst_of(worst, std::abs(static_cast<double>(own[gradient][p] - general[gradient][p])) / size);
  return worst / std::numeric_limits<T>::epsilon();
}

template <class Objective, class T>
void agrees() {
  using own = typename workspace<Objective, T, loss_value_t, gradient_t>::runner;
  // Without AVX some of these layers are BLAS's, and the steps the general ones.
  static_assert(kernels::simd_bytes < 32 || own::checks_parameters(1));
  static_assert(!own::checks_parameters(2));
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    small_problem<Objective, T> const s(seed);
    small_problem<Objective, T> other = s;
    for (T& v : other.theta) v *= T(1 + 1e-3);
    CHECK(distance(s, s) < 200);
    CHECK_FALSE(distance(s, other) < 200);
  }
}

// A parameter that is not finite is told, wherever it stands, and the results of before are still there.
template <class Objective, class T>
void tells() {
  small_problem<Objective, T> const good(3);
  auto work = workspace_for<Objective, T>(1, loss_value, gradient);
  auto const before = derive(work, good.theta, good.view(), loss_value, gradient);
  std::vector<T> const kept(before[gradient].begin(), before[gradient].end());
  double const loss = before[loss_value];
  for (T bad :
       {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity()})
    for (std::size_t p = 0; p < good.theta.size(); ++p) {
      auto theta = good.theta;
      theta[p] = bad;
      REQUIRE_THROWS_AS(derive(work, theta, good.view(), loss_value, gradient), invalid_value);
    }
  CHECK(before[loss_value] == loss);
  CHECK(std::equal(kept.begin(), kept.end(), before[gradient].begin()));
  auto theta = good.theta;
  theta[0] *= 2;
  derive(work, theta, good.view(), loss_value, gradient);
  CHECK_THROWS_AS(before[loss_value], invalid_value);
}

}  // namespace

TEST_CASE("one sample of a small network") {
  agrees<wide, float>();
  agrees<odd, float>();
  agrees<odd, double>();
  agrees<four, float>();
  agrees<single, double>();
  agrees<longer, float>();
  agrees<branching, float>();
  agrees<shared, double>();
}

TEST_CASE("a parameter that is not finite") {
  tells<wide, float>();
  tells<odd, double>();
  tells<branching, float>();
}

// Finite parameters whose products overflow are no error of the caller's.
TEST_CASE("an overflow is not a bad parameter") {
  small_problem<longer, float> s(4);
  for (float& v : s.theta) v *= 1e38F;
  auto const q = derive<longer>(s.theta, s.view(), loss_value, gradient);
  CHECK_FALSE(std::isfinite(q[loss_value]));
}

// Layers on several positions take the general steps.
TEST_CASE("several positions are not for the short cut") {
  static_assert(!workspace<sequence, float, loss_value_t, gradient_t>::runner::checks_parameters(1));
  small_problem<sequence, float> const s(5);
  CHECK(distance(s, s) == 0);
}

// Many samples go in blocks on one thread; on two they do not.
TEMPLATE_TEST_CASE("blocks of samples", "", float, double) {
  using T = TestType;
  auto const norms = [](auto&& q) {
    std::vector<double> all{q[loss_value]};
    for (T v : q[gradient]) all.push_back(static_cast<double>(v));
    return all;
  };
  using own = typename workspace<shared, T, loss_value_t, gradient_t>::runner::small_network;
  for (std::size_t const n : {own::block + 1, 2 * own::block, 3 * own::block - 1}) {
    small_problem<shared, T> s(6);
    counter_random random(7);
    std::vector<T> x;
    std::vector<int> y;
    for (std::size_t i = 0; i < 6 * n; ++i) x.push_back(static_cast<T>(random.normal()));
    for (std::size_t i = 0; i < n; ++i) y.push_back(static_cast<int>(random.below(2)));
    auto const on = [&](int count) {
      set_threads(count);
      return norms(derive<shared>(s.theta, kappa::batch(x, y), loss_value, gradient));
    };
    auto const one = on(1), two = on(2), again = on(1);
    CHECK(one == again);
    double size = 0, off = 0, other = 0;
    y[n - 1] = 1 - y[n - 1];
    auto const changed = on(1);
    for (std::size_t i = 0; i < one.size(); ++i) {
      size = std::max(size, std::abs(two[i]));
      off = worst_of(off, std::abs(one[i] - two[i]));
      other = std::max(other, std::abs(changed[i] - two[i]));
    }
    double const tolerance = 100 * std::numeric_limits<T>::epsilon() * size;
    CHECK(off < tolerance);
    CHECK_FALSE(other < tolerance);  // one label of the last block
  }
  set_threads(1);
}
