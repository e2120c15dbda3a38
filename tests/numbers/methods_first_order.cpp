// SGD and Adam against recursions written out in long double, on least squares with a hand-written gradient.

#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <new>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/methods/adam.hpp>
#include <kappa/methods/sgd.hpp>

namespace {
std::size_t allocations = 0;
}
void* operator new(std::size_t n) {
  ++allocations;
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t n, std::nothrow_t const&) noexcept {
  ++allocations;
  return std::malloc(n);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

using namespace kappa;
using number = long double;
using column = std::vector<number>;

struct linear : network<input<3> | dense<2>> {};
struct least_squares : objective<linear, squared_error> {};
static_assert(optimiser<sgd<least_squares, float>> && optimiser<adam<least_squares, double>>);

constexpr std::size_t samples = 7;

template <class T>
struct data {
  matrix<T> x = zeros<T>(samples, 3), y = zeros<T>(samples, 2);
  vector<T> theta = initialise<linear, T>(5);
  data() {
    counter_random random(11);
    for (T& v : elements(x)) v = static_cast<T>(random.normal());
    for (T& v : elements(y)) v = static_cast<T>(random.normal());
  }
  batch<T> all() const { return {x, y}; }
  column start() const { return {theta.begin(), theta.end()}; }

  // The gradient of (1/N) Σ ½‖W x + b - y‖², parameters W [2, 3] then b [2].
  column gradient(column const& t) const {
    column g(8);
    for (std::size_t n = 0; n < samples; ++n)
      for (std::size_t o = 0; o < 2; ++o) {
        number r = t[6 + o] - static_cast<number>(y(n, o));
        for (std::size_t i = 0; i < 3; ++i) r += t[o * 3 + i] * static_cast<number>(x(n, i));
        for (std::size_t i = 0; i < 3; ++i) g[o * 3 + i] += r * static_cast<number>(x(n, i)) / samples;
        g[6 + o] += r / samples;
      }
    return g;
  }
};

struct sgd_numbers {
  number lr = 0.1L, mu = 0, gamma = 0;
  bool nesterov = false, decay_in_gradient = false;
};
template <class T>
column by_hand(data<T> const& d, int steps, sgd_numbers o) {
  auto t = d.start();
  column v(t.size());
  for (int k = 0; k < steps; ++k) {
    auto g = d.gradient(t);
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (o.decay_in_gradient) g[i] += o.gamma * t[i];
      v[i] = o.mu * v[i] + g[i];
      number const shrink = o.decay_in_gradient ? 1 : 1 - o.lr * o.gamma;
      t[i] = shrink * t[i] - o.lr * (o.nesterov ? g[i] + o.mu * v[i] : v[i]);
    }
  }
  return t;
}

struct adam_numbers {
  number lr = 0.01L, b1 = 0.9L, b2 = 0.999L, epsilon = 1e-8L, gamma = 0;
  bool corrected = true;
};
template <class T>
column by_hand(data<T> const& d, int steps, adam_numbers o) {
  auto t = d.start();
  column m(t.size()), v(t.size());
  for (int k = 1; k <= steps; ++k) {
    auto const g = d.gradient(t);
    for (std::size_t i = 0; i < t.size(); ++i) {
      m[i] = o.b1 * m[i] + (1 - o.b1) * g[i];
      v[i] = o.b2 * v[i] + (1 - o.b2) * g[i] * g[i];
      number const m_hat = o.corrected ? m[i] / (1 - std::pow(o.b1, number(k))) : m[i];
      number const v_hat = o.corrected ? v[i] / (1 - std::pow(o.b2, number(k))) : v[i];
      t[i] = (1 - o.lr * o.gamma) * t[i] - o.lr * m_hat / (std::sqrt(v_hat) + o.epsilon);
    }
  }
  return t;
}

template <class T, class Optimiser>
column by_kappa(data<T> const& d, int steps, Optimiser o) {
  auto theta = d.theta;
  for (int k = 0; k < steps; ++k) o.step(elements(theta), d.all());
  REQUIRE(o.steps() == static_cast<std::size_t>(steps));
  return {theta.begin(), theta.end()};
}

double distance(column const& a, column const& b) {
  number difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) difference += (a[i] - b[i]) * (a[i] - b[i]), norm += b[i] * b[i];
  return static_cast<double>(std::sqrt(difference / norm));
}

template <class T>
constexpr double tolerance = std::same_as<T, double> ? 1e-13 : 1e-5;

}  // namespace

TEMPLATE_TEST_CASE("SGD follows its recursion", "", float, double) {
  data<TestType> const d;
  using rule = sgd<least_squares, TestType>;
  auto const good = [](double error) { return error < tolerance<TestType>; };

  CHECK(good(distance(by_kappa(d, 30, rule(samples, {.learning_rate = 0.1})), by_hand(d, 30, sgd_numbers{}))));
  auto const heavy = by_kappa(d, 30, rule(samples, {.learning_rate = 0.1, .momentum = 0.8}));
  CHECK(good(distance(heavy, by_hand(d, 30, sgd_numbers{.mu = 0.8L}))));
  auto const ahead = by_kappa(d, 30, rule(samples, {.learning_rate = 0.1, .momentum = 0.8, .nesterov = true}));
  CHECK(good(distance(ahead, by_hand(d, 30, sgd_numbers{.mu = 0.8L, .nesterov = true}))));
  auto const decayed = by_kappa(d, 30, rule(samples, {.learning_rate = 0.1, .momentum = 0.8, .weight_decay = 0.3}));
  CHECK(good(distance(decayed, by_hand(d, 30, sgd_numbers{.mu = 0.8L, .gamma = 0.3L}))));

  // Twins: each ingredient missing or in the wrong place.
  CHECK_FALSE(good(distance(heavy, by_hand(d, 30, sgd_numbers{}))));
  CHECK_FALSE(good(distance(ahead, by_hand(d, 30, sgd_numbers{.mu = 0.8L}))));
  CHECK_FALSE(good(distance(decayed, by_hand(d, 30, sgd_numbers{.mu = 0.8L}))));
  CHECK_FALSE(
      good(distance(decayed, by_hand(d, 30, sgd_numbers{.mu = 0.8L, .gamma = 0.3L, .decay_in_gradient = true}))));
}

TEMPLATE_TEST_CASE("Adam follows its recursion", "", float, double) {
  data<TestType> const d;
  using rule = adam<least_squares, TestType>;
  auto const good = [](double error) { return error < tolerance<TestType>; };

  auto const plain = by_kappa(d, 30, rule(samples, {.learning_rate = 0.01}));
  CHECK(good(distance(plain, by_hand(d, 30, adam_numbers{}))));
  auto const all = by_kappa(
      d, 30,
      rule(samples,
           {.learning_rate = 0.02, .first_decay = 0.8, .second_decay = 0.9, .epsilon = 0.01, .weight_decay = 0.3}));
  adam_numbers const same{.lr = 0.02L, .b1 = 0.8L, .b2 = 0.9L, .epsilon = 0.01L, .gamma = 0.3L};
  CHECK(good(distance(all, by_hand(d, 30, same))));

  auto twin = same;
  twin.corrected = false;
  CHECK_FALSE(good(distance(all, by_hand(d, 30, twin))));
  twin = same;
  twin.epsilon = 0.011L;
  CHECK_FALSE(good(distance(all, by_hand(d, 30, twin))));
  twin = same;
  twin.gamma = 0;
  CHECK_FALSE(good(distance(all, by_hand(d, 30, twin))));
}

TEST_CASE("a schedule changes the next step") {
  data<double> const d;
  sgd<least_squares, double> o(samples, {.learning_rate = 0.1});
  auto theta = d.theta;
  o.step(elements(theta), d.all());
  auto options = o.options();
  options.learning_rate = 0.05;
  o.set_options(options);
  o.step(elements(theta), d.all());

  auto expected = d.start();
  for (number const lr : {0.1L, 0.05L}) {
    auto const g = d.gradient(expected);
    for (std::size_t i = 0; i < g.size(); ++i) expected[i] -= lr * g[i];
  }
  column const got(theta.begin(), theta.end());
  CHECK(distance(got, expected) < 1e-14);
  CHECK_FALSE(distance(got, by_hand(d, 2, sgd_numbers{})) < 1e-14);
}

TEST_CASE("statistics are those of the batch before the step") {
  data<double> const d;
  sgd<least_squares, double> o(samples);
  auto theta = d.theta;
  auto const s = o.step(elements(theta), d.all());
  number squares = 0;
  for (number const g : d.gradient(d.start())) squares += g * g;
  CHECK(s.gradient_norm == Approx(static_cast<double>(std::sqrt(squares))).epsilon(1e-14));
  auto const before = derive<least_squares>(d.theta, d.all(), loss_value)[loss_value];
  CHECK(s.loss == before);
  CHECK_FALSE(s.loss == derive<least_squares>(theta, d.all(), loss_value)[loss_value]);
  CHECK(s.clip == 1);
}

TEST_CASE("steps allocate nothing") {
  data<double> const d;
  auto theta = d.theta;
  auto const x = d.all();
  sgd<least_squares, double> first(samples, {.momentum = 0.9});
  adam<least_squares, double> second(samples);
  first.step(elements(theta), x);  // threads start once
  auto const before = allocations;
  for (int k = 0; k < 3; ++k) {
    first.step(elements(theta), x);
    second.step(elements(theta), x);
  }
  CHECK(allocations == before);
  auto const planted = std::vector<int>(10);
  CHECK_FALSE(allocations == before);
  CHECK(planted.size() == 10);
}

TEST_CASE("options outside their domain are refused by name") {
  using Catch::Matchers::Contains;
  double const nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  using S = sgd<least_squares, double>;
  using A = adam<least_squares, double>;
  for (double const bad : {0.0, -1.0, nan, infinite}) {
    CHECK_THROWS_AS(S(1, {.learning_rate = bad}), invalid_value);
    CHECK_THROWS_AS(A(1, {.learning_rate = bad}), invalid_value);
    CHECK_THROWS_AS(A(1, {.epsilon = bad}), invalid_value);
  }
  for (double const bad : {-0.1, 1.0, nan}) {
    CHECK_THROWS_WITH(S(1, {.momentum = bad}), Contains("momentum"));
    CHECK_THROWS_WITH(A(1, {.first_decay = bad}), Contains("first_decay"));
    CHECK_THROWS_WITH(A(1, {.second_decay = bad}), Contains("second_decay"));
  }
  CHECK_THROWS_WITH(S(1, {.weight_decay = -1}), Contains("weight decay is -1"));
  CHECK_THROWS_AS(A(1, {.weight_decay = nan}), invalid_value);
  CHECK_THROWS_AS(S(0), capacity_exceeded);
  CHECK_NOTHROW(S(1, {.learning_rate = 1, .momentum = 0, .weight_decay = 0}));

  S o(1, {.learning_rate = 0.5});
  CHECK_THROWS_AS(o.set_options({.learning_rate = -1}), invalid_value);
  CHECK(o.options().learning_rate == 0.5);
}

TEST_CASE("a step that throws leaves theta alone") {
  data<double> d;
  auto const same = [](vector<double> const& a, vector<double> const& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  sgd<least_squares, double> o(samples - 1);
  auto theta = d.theta;
  CHECK_THROWS_AS(o.step(elements(theta), d.all()), capacity_exceeded);
  CHECK(same(theta, d.theta));

  sgd<least_squares, double> large(samples);
  for (double& v : elements(d.y)) v *= 1e200;  // finite data, a loss that is not
  CHECK_THROWS_AS(large.step(elements(theta), d.all()), not_converged);
  CHECK(same(theta, d.theta));
  CHECK(large.steps() == 0);

  d.x(2, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(large.step(elements(theta), d.all()), invalid_value);
  CHECK(same(theta, d.theta));

  data<double> const good;
  large.step(elements(theta), good.all());
  CHECK_FALSE(same(theta, d.theta));
}
