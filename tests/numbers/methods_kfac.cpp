// The K-FAC optimiser against dense linear algebra in long double.

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/methods/damping.hpp>
#include <kappa/methods/kfac_optimiser.hpp>

#include "algebra_reference.hpp"

namespace {

using namespace kappa;
using reference::column;
using number = reference::number;

struct tanh_net : network<input<3> | dense<4, "first"> | act::tanh | dense<3, no_bias> | act::tanh | dense<2>> {};
struct classes : objective<tanh_net, cross_entropy> {};
struct tokens : network<input<4, 3> | dense<4> | act::tanh | mean_over_positions | dense<2>> {};
struct token_classes : objective<tokens, cross_entropy> {};
struct tied : network<input<3> | dense<3, "E"> | act::tanh | dense<3, "E"> | act::tanh | dense<2>> {};
struct tied_classes : objective<tied, cross_entropy, sum> {};

template <class Objective, class T>
struct data {
  static constexpr std::size_t features = static_cast<std::size_t>(Objective::network::input_shape.size());
  matrix<T> x;
  std::vector<int> y;
  data(std::size_t n, std::uint64_t seed) : x(zeros<T>(n, features)), y(n) {
    counter_random random(seed);
    for (T& v : elements(x)) v = static_cast<T>(random.normal());
    for (int& c : y) c = static_cast<int>(random.below(2));
  }
  batch<T> all() const { return {x, y}; }
};

// (B ⊗ A) of one layer, spread over the flat parameters by the documented order.
template <class Dense>
void spread(parameter const& w, Dense const& b, Dense const& a, reference::dense& to) {
  auto const in = static_cast<std::size_t>(w.inputs), out = static_cast<std::size_t>(w.outputs);
  auto const offset = static_cast<std::size_t>(w.offset);
  auto const at = [&](std::size_t o, std::size_t i) { return offset + (i < in ? o * in + i : out * in + o); };
  std::size_t const width = in + (w.bias ? 1 : 0);
  for (std::size_t o = 0; o < out; ++o)
    for (std::size_t i = 0; i < width; ++i)
      for (std::size_t p = 0; p < out; ++p)
        for (std::size_t j = 0; j < width; ++j)
          to(at(o, i), at(p, j)) = static_cast<number>(b(o, p)) * static_cast<number>(a(i, j));
}

enum class mistake { none, no_bias_correction, damping_doubled, product_averaged, clip_ignored, momentum_first };

// The optimiser as its definition says: averages as weighted sums over all past batches, K formed and eliminated.
template <class Objective, auto Quantity>
column by_hand(vector<double> theta, std::vector<batch<double>> const& batches, kfac_options const& o,
               mistake planted = mistake::none) {
  auto const& parameters = Objective::network::parameters;
  std::size_t const size = theta.size(), count = parameters.size();
  std::vector<std::vector<reference::dense>> a(count), b(count);    // of every update
  std::vector<std::pair<reference::dense, reference::dense>> used;  // what the last decomposition saw
  reference::dense used_product(size, size);
  column m(size);
  for (std::size_t step = 0; step < batches.size(); ++step) {
    auto const q = derive<Objective>(theta, batches[step], gradient, Quantity);
    if (step % o.factor_period == 0) {
      auto const factors = q.factors(Quantity);
      for (std::size_t p = 0; p < count; ++p) {
        a[p].push_back(reference::from(factors[p].inputs.copy()));
        b[p].push_back(reference::from(factors[p].outputs.copy()));
      }
    }
    if (step % o.decomposition_period == 0) {
      used.clear();
      used_product = reference::dense(size, size);
      std::size_t const updates = a[0].size();
      std::vector<number> weights(updates);
      number total = 0;
      for (std::size_t s = 0; s < updates; ++s)
        total += weights[s] = std::pow(static_cast<number>(o.factor_decay), static_cast<number>(updates - 1 - s));
      if (planted == mistake::no_bias_correction) total = 1 / (1 - static_cast<number>(o.factor_decay));
      for (std::size_t p = 0; p < count; ++p) {
        reference::dense mean_a(a[p][0].n, a[p][0].n), mean_b(b[p][0].n, b[p][0].n);
        for (std::size_t s = 0; s < updates; ++s) {
          mean_a = reference::plus(mean_a, a[p][s], weights[s] / total);
          mean_b = reference::plus(mean_b, b[p][s], weights[s] / total);
        }
        used.emplace_back(mean_b, mean_a);
      }
      for (std::size_t s = 0; s < updates; ++s) {
        reference::dense product(size, size);
        for (std::size_t p = 0; p < count; ++p) spread(parameters[p], b[p][s], a[p][s], product);
        used_product = reference::plus(used_product, product, weights[s] / total);
      }
    }
    reference::dense k(size, size);
    for (std::size_t p = 0; p < count; ++p) spread(parameters[p], used[p].first, used[p].second, k);
    if (planted == mistake::product_averaged) k = used_product;
    for (std::size_t p = 0; p < count; ++p) {
      auto const& [mean_b, mean_a] = used[p];
      number trace_a = 0, trace_b = 0;
      for (std::size_t i = 0; i < mean_a.n; ++i) trace_a += mean_a(i, i);
      for (std::size_t i = 0; i < mean_b.n; ++i) trace_b += mean_b(i, i);
      number lambda = o.damping + o.relative_damping * trace_a * trace_b / static_cast<number>(mean_a.n * mean_b.n);
      if (planted == mistake::damping_doubled) lambda *= 2;
      for (int i = 0; i < parameters[p].size(); ++i) {
        auto const at = static_cast<std::size_t>(parameters[p].offset + i);
        k(at, at) += lambda;
      }
    }
    column const g(q[gradient].begin(), q[gradient].end());
    auto const u = reference::eliminate(k, g).first;
    number length = 0;
    for (std::size_t i = 0; i < size; ++i) length += u[i] * g[i];
    number nu =
        std::sqrt(static_cast<number>(o.kl_clip) / (static_cast<number>(o.learning_rate * o.learning_rate) * length));
    if (nu > 1 || planted == mistake::clip_ignored) nu = 1;
    for (std::size_t i = 0; i < size; ++i) {
      if (planted == mistake::momentum_first)
        m[i] = nu * (static_cast<number>(o.momentum) * m[i] + u[i]);
      else
        m[i] = static_cast<number>(o.momentum) * m[i] + nu * u[i];
      theta(i) = static_cast<double>((1 - static_cast<number>(o.learning_rate * o.weight_decay)) * theta(i) -
                                     static_cast<number>(o.learning_rate) * m[i]);
    }
  }
  return reference::wide(theta);
}

template <class Objective, auto Quantity = kfac<expand>>
column by_kappa(vector<double> theta, std::vector<batch<double>> const& batches, kfac_options const& o) {
  kfac_optimiser<Objective, double, Quantity> optimiser(16, o);
  for (auto const& b : batches) optimiser.step(elements(theta), b);
  return reference::wide(theta);
}

column moved(column const& to, column const& from) {
  column d(to.size());
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = to[i] - from[i];
  return d;
}

constexpr double tolerance = 1e-10;

}  // namespace

TEST_CASE("one step is (K + λI)⁻¹g with K the derived K-FAC made dense") {
  data<classes, double> const d(9, 1);
  auto const theta = initialise<tanh_net, double>(2);
  auto const q = derive<classes>(theta, d.all(), gradient, kfac<expand>);
  auto k = reference::from(to_dense(q[kfac<expand>]));
  column const g(q[gradient].begin(), q[gradient].end());
  auto const step = [&](number lambda) {
    auto u = reference::eliminate(reference::plus(k, reference::unit(k.n), lambda), g).first;
    for (auto& v : u) v *= -0.3L;
    return u;
  };
  auto const got = moved(
      by_kappa<classes>(theta, {d.all()}, {.learning_rate = 0.3, .momentum = 0.7, .damping = 0.01, .kl_clip = no_clip}),
      reference::wide(theta));
  CHECK(reference::relative_error(got, step(0.01L)) < tolerance);
  CHECK_FALSE(reference::relative_error(got, step(0.0101L)) < tolerance);  // twin: another damping
  k = reference::transposed(k);
  for (auto& v : k.a) v *= 1.01L;
  CHECK_FALSE(reference::relative_error(got, step(0.01L)) < tolerance);  // twin: another scale
}

TEMPLATE_TEST_CASE("many steps are those of the definition", "", classes, token_classes, tied_classes) {
  using network = typename TestType::network;
  std::vector<data<TestType, double>> const sets{{9, 1}, {5, 2}, {7, 3}, {9, 4}, {9, 5}, {3, 6}, {8, 7}};
  std::vector<batch<double>> batches;
  for (auto const& d : sets) batches.push_back(d.all());
  auto const theta = initialise<network, double>(2);
  kfac_options const o{.learning_rate = 0.3,
                       .momentum = 0.7,
                       .weight_decay = 0.1,
                       .damping = 0.01,
                       .relative_damping = 0.2,
                       .factor_decay = 0.8,
                       .factor_period = 1,
                       .decomposition_period = 1,
                       .kl_clip = 0.02};
  auto const start = reference::wide(theta);
  auto const got = moved(by_kappa<TestType>(theta, batches, o), start);
  auto const error = [&](kfac_options const& other, mistake planted = mistake::none) {
    return reference::relative_error(got,
                                     moved(by_hand<TestType, kfac<expand>>(theta, batches, other, planted), start));
  };
  CHECK(error(o) < tolerance);
  for (mistake const planted : {mistake::no_bias_correction, mistake::damping_doubled, mistake::product_averaged,
                                mistake::clip_ignored, mistake::momentum_first})
    CHECK_FALSE(error(o, planted) < 1e-6);
  auto no_decay = o;
  no_decay.weight_decay = 0;
  CHECK_FALSE(error(no_decay) < 1e-6);
}

TEST_CASE("the curvature asked for is the one used") {
  std::vector<data<token_classes, double>> const sets{{9, 1}, {5, 2}, {7, 3}};
  std::vector<batch<double>> batches;
  for (auto const& d : sets) batches.push_back(d.all());
  auto const theta = initialise<tokens, double>(2);
  auto const start = reference::wide(theta);
  kfac_options const o{.momentum = 0.5, .damping = 0.01, .decomposition_period = 1};
  auto const reduced = moved(by_kappa<token_classes, kfac<reduce>>(theta, batches, o), start);
  auto const empirical_one = moved(by_kappa<token_classes, kfac<expand, empirical>>(theta, batches, o), start);
  auto const error = [&](column const& got, column const& expected) {
    return reference::relative_error(got, moved(expected, start));
  };
  CHECK(error(reduced, by_hand<token_classes, kfac<reduce>>(theta, batches, o)) < tolerance);
  CHECK(error(empirical_one, by_hand<token_classes, kfac<expand, empirical>>(theta, batches, o)) < tolerance);
  CHECK_FALSE(error(reduced, by_hand<token_classes, kfac<expand>>(theta, batches, o)) < 1e-3);
  CHECK_FALSE(error(empirical_one, by_hand<token_classes, kfac<expand>>(theta, batches, o)) < 1e-3);
}

TEST_CASE("update periods are honoured") {
  std::vector<data<classes, double>> sets;
  for (std::uint64_t s = 0; s < 9; ++s) sets.emplace_back(9, 20 + s);
  std::vector<batch<double>> batches;
  for (auto const& d : sets) batches.push_back(d.all());
  auto const theta = initialise<tanh_net, double>(2);
  auto const start = reference::wide(theta);
  kfac_options const o{.damping = 0.05, .factor_decay = 0.7, .factor_period = 2, .decomposition_period = 4};
  auto const got = moved(by_kappa<classes>(theta, batches, o), start);
  auto const error = [&](std::size_t factors, std::size_t decompositions) {
    auto other = o;
    other.factor_period = factors;
    other.decomposition_period = decompositions;
    return reference::relative_error(got, moved(by_hand<classes, kfac<expand>>(theta, batches, other), start));
  };
  CHECK(error(2, 4) < tolerance);
  CHECK_FALSE(error(1, 4) < 1e-6);
  CHECK_FALSE(error(2, 2) < 1e-6);
  CHECK_FALSE(error(4, 4) < 1e-6);

  kfac_optimiser<classes, double> counted(9, o);
  auto t = theta;
  for (auto const& b : batches) counted.step(elements(t), b);
  CHECK(counted.steps() == 9);
  CHECK(counted.factor_updates() == 5);
  CHECK(counted.decompositions() == 3);
}

TEST_CASE("the running average can be taken as an operator") {
  data<classes, double> const d(9, 1), e(5, 2);
  auto theta = initialise<tanh_net, double>(2);
  auto const before = derive<classes>(theta, d.all(), kfac<expand>);
  auto const first = before.factors(kfac<expand>);
  kfac_optimiser<classes, double> o(9, {.factor_decay = 0.5});
  o.step(elements(theta), d.all());
  auto const between = derive<classes>(theta, e.all(), kfac<expand>);
  auto const second = between.factors(kfac<expand>);
  o.step(elements(theta), e.all());

  reference::dense expected(theta.size(), theta.size());
  auto const mix = [](auto const& x, auto const& y) {  // weights β and 1 over 1 + β
    return reference::plus(reference::times(reference::from(x.copy()),
                                            [&] {
                                              auto third = reference::unit(x.rows);
                                              for (auto& v : third.a) v /= 3;
                                              return third;
                                            }()),
                           reference::from(y.copy()), 2.0L / 3);
  };
  for (std::size_t p = 0; p < first.size(); ++p)
    spread(first[p].parameter, mix(first[p].outputs, second[p].outputs), mix(first[p].inputs, second[p].inputs),
           expected);
  auto const got = reference::from(to_dense(o.curvature()));
  CHECK(reference::relative_error(got.a, expected.a) < 1e-13);
  CHECK_FALSE(reference::relative_error(reference::from(to_dense(between[kfac<expand>])).a, expected.a) < 1e-3);
}

// ---- least squares: K-FAC of one layer is the Hessian, so one full step lands on the minimiser ----------------------

namespace {

struct layer : network<input<5> | dense<3>> {};
struct layer_without_bias : network<input<5> | dense<3, no_bias>> {};
struct positions : network<input<4, 3> | dense<2>> {};
struct pooled : network<input<4, 3> | dense<2> | mean_over_positions> {};

template <class Objective>
struct regression {
  using network = typename Objective::network;
  static constexpr std::size_t samples = 20;
  matrix<double> x = zeros<double>(samples, static_cast<std::size_t>(network::input_shape.size()));
  matrix<double> y = zeros<double>(samples, static_cast<std::size_t>(network::output_shape.size()));
  vector<double> theta = initialise<network, double>(9);
  regression() {
    counter_random random(31);
    for (double& v : elements(x)) v = random.normal() + 0.5;
    for (double& v : elements(y)) v = random.normal();
  }
  // The minimiser, from the normal equations of the linear map θ ↦ output, in long double.
  column minimiser() const {
    std::size_t const p = theta.size(), rows = y.size();
    reference::dense jacobian(rows, p);
    auto unit = zeros<double>(p);
    for (std::size_t j = 0; j < p; ++j) {
      // Linear in θ: the outputs for a unit vector are a column. Written out per network kind below.
      unit(j) = 1;
      auto const f = outputs(unit);
      for (std::size_t i = 0; i < rows; ++i) jacobian(i, j) = f[i];
      unit(j) = 0;
    }
    auto const transposed = reference::transposed(jacobian);
    return reference::eliminate(reference::times(transposed, jacobian),
                                reference::times(transposed, column(y.data(), y.data() + y.size())))
        .first;
  }
  column outputs(vector<double> const& t) const {
    constexpr auto in = static_cast<std::size_t>(network::input_shape.features());
    constexpr auto seen = static_cast<std::size_t>(network::input_shape.positions());
    constexpr auto kept = static_cast<std::size_t>(network::output_shape.positions());
    constexpr auto out = static_cast<std::size_t>(network::output_shape.features());
    column f(y.size());
    for (std::size_t n = 0; n < samples; ++n)
      for (std::size_t r = 0; r < seen; ++r)
        for (std::size_t o = 0; o < out; ++o) {
          number s = network::parameters[0].bias ? t(out * in + o) : 0.0;
          for (std::size_t i = 0; i < in; ++i) s += static_cast<number>(t(o * in + i)) * x(n, r * in + i);
          f[(n * kept + (kept == seen ? r : 0)) * out + o] += kept == seen ? s : s / static_cast<number>(seen);
        }
    return f;
  }
  template <auto Quantity>
  double error(double damping, double learning_rate = 1) const {
    auto t = theta;
    kfac_optimiser<Objective, double, Quantity> o(
        samples, {.learning_rate = learning_rate, .momentum = 0, .damping = damping, .kl_clip = no_clip});
    o.step(elements(t), batch<double>(x, y));
    return reference::relative_error(t, minimiser());
  }
};

}  // namespace

TEMPLATE_TEST_CASE("one undamped step solves least squares", "", (objective<layer, squared_error>),
                   (objective<layer, squared_error, sum>), (objective<layer_without_bias, squared_error>)) {
  regression<TestType> const r;
  CHECK(r.template error<kfac<expand>>(0) < 1e-10);
  CHECK_FALSE(r.template error<kfac<expand>>(1e-3) < 1e-10);
  CHECK_FALSE(r.template error<kfac<expand>>(0, 0.99) < 1e-3);
  CHECK_FALSE(r.template error<kfac<expand, empirical>>(0) < 1e-3);
}

TEMPLATE_TEST_CASE("one undamped step solves least squares at every position", "",
                   (objective<positions, squared_error>), (objective<positions, squared_error, sum>),
                   (objective<positions, squared_error, mean_over_positions>)) {
  regression<TestType> const r;
  CHECK(r.template error<kfac<expand>>(0) < 1e-10);
  CHECK_FALSE(r.template error<kfac<reduce_unaggregated>>(0) < 1e-3);
}

TEMPLATE_TEST_CASE("one undamped step solves least squares after an average over positions", "",
                   (objective<pooled, squared_error>), (objective<pooled, squared_error, sum>)) {
  regression<TestType> const r;
  CHECK(r.template error<kfac<reduce>>(0) < 1e-10);
  CHECK_FALSE(r.template error<kfac<expand>>(0) < 1e-3);
}

// ---- clip, damping, faults
// -------------------------------------------------------------------------------------------

TEST_CASE("the clip bounds the step's length in the curvature") {
  data<classes, double> const d(9, 1);
  auto const theta = initialise<tanh_net, double>(2);
  auto const q = derive<classes>(theta, d.all(), gradient);
  auto const run = [&](double clip) {
    auto t = theta;
    kfac_optimiser<classes, double> o(9, {.learning_rate = 0.3, .damping = 0.01, .kl_clip = clip});
    auto const s = o.step(elements(t), d.all());
    double product = 0;  // -lr ν uᵀg
    for (std::size_t i = 0; i < t.size(); ++i) product += (t(i) - theta(i)) * q[gradient][i];
    return std::tuple(s.clip, -0.3 * s.clip * product, t);
  };
  auto const [short_clip, short_length, short_theta] = run(1e-4);
  CHECK(short_clip < 1);
  CHECK(short_length == Approx(1e-4).epsilon(1e-10));  // lr² ν² uᵀg = κ
  auto const [no_one, free_length, free_theta] = run(no_clip);
  CHECK(no_one == 1);
  CHECK(free_length > 1e-4);
  auto const [wide_one, wide_length, wide_theta] = run(1.01 * free_length);
  CHECK(wide_one == 1);
  CHECK(std::equal(wide_theta.begin(), wide_theta.end(), free_theta.begin()));
  auto const [near_clip, near_length, near_theta] = run(0.99 * free_length);
  CHECK(near_clip == Approx(std::sqrt(0.99)).epsilon(1e-10));
}

TEST_CASE("a relative damping is free of the loss's scale") {
  data<classes, double> const d(9, 1);
  struct summed : objective<tanh_net, cross_entropy, sum> {};
  auto const theta = initialise<tanh_net, double>(2);
  auto const run = [&]<class Objective>(Objective, kfac_options o) {
    auto t = theta;
    o.kl_clip = no_clip;
    kfac_optimiser<Objective, double>(9, o).step(elements(t), d.all());
    return t;
  };
  kfac_options const relative{.damping = 0, .relative_damping = 0.1}, absolute{.damping = 0.01};
  CHECK(reference::relative_error(run(classes{}, relative), run(summed{}, relative)) < 1e-12);
  CHECK_FALSE(reference::relative_error(run(classes{}, absolute), run(summed{}, absolute)) < 1e-3);

  auto const k = derive<classes>(theta, d.all(), kfac<expand>)[kfac<expand>];
  auto const entire = reference::from(to_dense(k));
  number trace = 0;
  for (std::size_t i = 0; i < entire.n; ++i) trace += entire(i, i);
  CHECK(reference::relative_error(relative_damping(k, 0.1), 0.1L * trace / static_cast<number>(entire.n)) < 1e-13);
  CHECK_THROWS_AS(relative_damping(k, -1), invalid_value);
}

TEST_CASE("a singular block is named, and theta is left alone") {
  using Catch::Matchers::Contains;
  data<classes, double> const few(3, 1);  // three samples: the factors are singular
  auto const theta = initialise<tanh_net, double>(2);
  auto t = theta;
  kfac_optimiser<classes, double> o(3, {.damping = 0});
  CHECK_THROWS_AS(o.step(elements(t), few.all()), singular_matrix);
  CHECK_THROWS_WITH(o.step(elements(t), few.all()), Contains("layer 0 \"first\" (dense, 4 x 3)"));
  CHECK(std::equal(t.begin(), t.end(), theta.begin()));
  CHECK(o.steps() == 0);
  o.set_options({.damping = 0.01});
  CHECK_NOTHROW(o.step(elements(t), few.all()));
  CHECK_FALSE(std::equal(t.begin(), t.end(), theta.begin()));
}

TEST_CASE("options outside their domain are refused by name") {
  using Catch::Matchers::Contains;
  using K = kfac_optimiser<classes, double>;
  double const nan = std::numeric_limits<double>::quiet_NaN(), infinite = no_clip;
  for (double const bad : {0.0, -1.0, nan, infinite}) CHECK_THROWS_AS(K(1, {.learning_rate = bad}), invalid_value);
  CHECK_THROWS_WITH(K(1, {.momentum = 1}), Contains("momentum"));
  CHECK_THROWS_WITH(K(1, {.weight_decay = -1}), Contains("weight decay"));
  CHECK_THROWS_WITH(K(1, {.damping = -1e-3}), Contains("damping is -0.001"));
  CHECK_THROWS_WITH(K(1, {.relative_damping = nan}), Contains("relative damping"));
  CHECK_THROWS_WITH(K(1, {.factor_decay = 1}), Contains("factor_decay"));
  CHECK_THROWS_WITH(K(1, {.kl_clip = 0}), Contains("kl_clip"));
  CHECK_THROWS_WITH(K(1, {.factor_period = 2, .decomposition_period = 5}), Contains("multiple of factor_period, 2"));
  CHECK_THROWS_AS(K(1, {.factor_period = 0}), invalid_value);
  CHECK_THROWS_AS(K(1, {.decomposition_period = 0}), invalid_value);
  CHECK_THROWS_AS(K(0), capacity_exceeded);
  CHECK_NOTHROW(K(1, {.factor_period = 2, .decomposition_period = 6}));
}

TEST_CASE("float follows double") {
  data<classes, double> const d(9, 1);
  data<classes, float> const f(9, 1);
  auto const wide = initialise<tanh_net, double>(2);
  auto narrow = initialise<tanh_net, float>(2);
  kfac_options const o{.damping = 0.05};
  kfac_optimiser<classes, float> optimiser(9, o);
  for (int k = 0; k < 6; ++k) optimiser.step(elements(narrow), f.all());
  auto const start = reference::wide(wide);
  auto const expected = by_hand<classes, kfac<expand>>(wide, std::vector<batch<double>>(6, d.all()), o);
  CHECK(reference::relative_error(moved(reference::wide(narrow), start), moved(expected, start)) < 2e-4);
  auto other = o;
  other.damping = 0.051;
  CHECK_FALSE(reference::relative_error(
                  moved(reference::wide(narrow), start),
                  moved(by_hand<classes, kfac<expand>>(wide, std::vector<batch<double>>(6, d.all()), other), start)) <
              2e-4);
}
