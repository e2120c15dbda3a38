// The K-FAC optimiser's options against their definitions with dense matrices in long double: EKFAC, π damping,
// grafting, steps rescaled by the exact Gauss-Newton matrix, adapted damping.

#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/methods/kfac_optimiser.hpp>

#include "algebra_reference.hpp"
#include "reference.hpp"

namespace {

using namespace kappa;
namespace ref = kappa::reference;
using ::reference::column;
using ::reference::eliminate;
using ::reference::from;
using ::reference::plus;
using ::reference::relative_error;
using ::reference::times;
using ::reference::unit;
using number = long double;
using matrix_reference = ::reference::dense;

struct net : network<input<3> | dense<4, "first"> | act::tanh | dense<2>> {};
struct classes : objective<net, cross_entropy> {};
struct line : network<input<4> | dense<3>> {};
struct fit : objective<line, squared_error> {};
constexpr std::size_t size = net::parameter_count;

template <class Objective>
struct data {
  ref::batch<double> all;
  explicit data(std::uint64_t seed, int samples = 9)
      : all(ref::random_batch<Objective, double>(
            samples, seed, std::same_as<Objective, fit> ? ref::targets::vectors : ref::targets::labels)) {}
  batch<double> get() const {
    return all.labels.empty() ? batch<double>(all.inputs, all.vectors) : batch<double>(all.inputs, all.labels);
  }
};

template <class Objective>
matrix_reference exact_ggn(std::vector<double> const& theta, data<Objective> const& d) {
  auto const g = ref::ggn<Objective, double>(theta, d.all);
  matrix_reference m(theta.size(), theta.size());
  std::copy(g.begin(), g.end(), m.a.begin());
  return m;
}
template <class Objective>
column gradient_at(std::vector<double> const& theta, data<Objective> const& d) {
  auto const q = derive<Objective>(theta, d.get(), gradient);
  return {q[gradient].begin(), q[gradient].end()};
}
template <class Objective>
double loss_at(std::vector<double> const& theta, data<Objective> const& d) {
  return derive<Objective>(theta, d.get(), loss_value)[loss_value];
}
number dot(column const& x, column const& y) {
  number sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}
column difference(std::vector<double> const& x, std::vector<double> const& y) {
  column d(x.size());
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = static_cast<number>(x[i]) - y[i];
  return d;
}
column scaled_by(column x, number factor) {
  for (number& v : x) v *= factor;
  return x;
}

// Where element (o, i) of [W b] of parameter p lies among all parameters.
std::size_t place(std::size_t p, std::size_t o, std::size_t i) {
  auto const& w = net::parameters[p];
  auto const in = static_cast<std::size_t>(w.inputs), out = static_cast<std::size_t>(w.outputs);
  return static_cast<std::size_t>(w.offset) + (i < in ? o * in + i : out * in + o);
}

// Makes a matrix of all parameters from blocks: f(p, o, i, o', i').
template <class F>
matrix_reference from_blocks(F f) {
  matrix_reference m(size, size);
  for (std::size_t p = 0; p < net::parameters.size(); ++p) {
    auto const width = static_cast<std::size_t>(net::parameters[p].inputs) + 1;
    auto const out = static_cast<std::size_t>(net::parameters[p].outputs);
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t i = 0; i < width; ++i)
        for (std::size_t x = 0; x < out; ++x)
          for (std::size_t y = 0; y < width; ++y) m(place(p, o, i), place(p, x, y)) = f(p, o, i, x, y);
  }
  return m;
}

}  // namespace

TEST_CASE("π damping damps the two factors") {
  data<classes> const d(1);
  auto const start = ref::random_theta<net, double>(2);
  auto const q = derive<classes>(start, d.get(), kfac<expand>);
  auto const factors = q.factors(kfac<expand>);
  auto const step_with = [&](double left_power) {
    auto const k = from_blocks([&](std::size_t p, std::size_t o, std::size_t i, std::size_t x, std::size_t y) {
      auto const &a = factors[p].inputs, &b = factors[p].outputs;
      number trace_a = 0, trace_b = 0;
      for (std::size_t r = 0; r < a.rows; ++r) trace_a += a(r, r);
      for (std::size_t r = 0; r < b.rows; ++r) trace_b += b(r, r);
      number const pi = std::sqrt(trace_a / static_cast<number>(a.rows) / trace_b * static_cast<number>(b.rows));
      number const root = std::sqrt(0.02L);
      return (b(o, x) + (o == x ? root * std::pow(pi, -static_cast<number>(left_power)) : 0)) *
             (a(i, y) + (i == y ? root * std::pow(pi, static_cast<number>(left_power)) : 0));
    });
    return scaled_by(eliminate(k, gradient_at(start, d)).first, -0.3L);
  };
  auto theta = start;
  kfac_optimiser<classes, double> optimiser(
      9, {.learning_rate = 0.3, .damping = 0.02, .kl_clip = no_clip, .damping_rule = kfac_damping::pi});
  optimiser.step(theta, d.get());
  CHECK(relative_error(difference(theta, start), step_with(1)) < 1e-10);
  CHECK_FALSE(relative_error(difference(theta, start), step_with(0)) < 1e-3);   // without π
  CHECK_FALSE(relative_error(difference(theta, start), step_with(-1)) < 1e-3);  // swapped
}

namespace {

enum class mistake { none, moments_not_rotated, no_moments, fresh_moments_only };

// Steps of EKFAC from the dense Gauss-Newton matrix of each batch.
std::vector<double> ekfac_by_hand(std::vector<double> theta, std::vector<data<classes>> const& batches,
                                  kfac_options const& o, mistake planted = mistake::none) {
  struct layer {
    matrix<double> a, b;    // averages
    matrix<double> qa, qb;  // bases
    matrix_reference moments{0, 0};
  };
  std::vector<layer> layers(net::parameters.size());
  number w = 0;
  column m(size);
  for (std::size_t step = 0; step < batches.size(); ++step) {
    auto const q = derive<classes>(theta, batches[step].get(), kfac<expand>);
    auto const g = gradient_at(theta, batches[step]);
    auto const ggn_matrix = exact_ggn(theta, batches[step]);
    auto const factors = q.factors(kfac<expand>);
    w = static_cast<number>(o.factor_decay) * w + 1;
    for (std::size_t p = 0; p < layers.size(); ++p) {
      auto& l = layers[p];
      auto const update = [&](matrix<double>& to, matrix<double> const& now) {
        if (step == 0) to = zeros<double>(now.shape(0), now.shape(1));
        for (std::size_t i = 0; i < now.size(); ++i)
          to.data()[i] += static_cast<double>((now.data()[i] - to.data()[i]) / w);
      };
      update(l.a, factors[p].inputs.copy());
      update(l.b, factors[p].outputs.copy());
      std::size_t const out = l.b.shape(0), width = l.a.shape(0);
      // vᵀ M v for v the product of rows o and i of two bases, M given by its entries.
      auto const along = [&](matrix<double> const& qb, matrix<double> const& qa, std::size_t row, std::size_t at,
                             auto const& entry) {
        number sum = 0;
        for (std::size_t k = 0; k < out; ++k)
          for (std::size_t j = 0; j < width; ++j)
            for (std::size_t x = 0; x < out; ++x)
              for (std::size_t y = 0; y < width; ++y)
                sum += number(qb(row, k)) * qa(at, j) * entry(k, j, x, y) * qb(row, x) * qa(at, y);
        return sum;
      };
      if (step % o.decomposition_period == 0) {
        auto const qa = symmetric<double>(l.a).basis().vectors, qb = symmetric<double>(l.b).basis().vectors;
        if (step > 0 && planted != mistake::moments_not_rotated) {
          auto const old = l;
          auto const entry = [&](std::size_t k, std::size_t j, std::size_t x, std::size_t y) {
            number sum = 0;
            for (std::size_t r = 0; r < out; ++r)
              for (std::size_t s = 0; s < width; ++s)
                sum += number(old.qb(r, k)) * old.qa(s, j) * old.moments(r, s) * old.qb(r, x) * old.qa(s, y);
            return sum;
          };
          for (std::size_t r = 0; r < out; ++r)
            for (std::size_t s = 0; s < width; ++s) l.moments(r, s) = along(qb, qa, r, s, entry);
        }
        if (step == 0) l.moments = matrix_reference(out, width);
        l.qa = qa;
        l.qb = qb;
      }
      auto const entry = [&](std::size_t k, std::size_t j, std::size_t x, std::size_t y) {
        return ggn_matrix(place(p, k, j), place(p, x, y));
      };
      for (std::size_t r = 0; r < out; ++r)
        for (std::size_t s = 0; s < width; ++s) {
          auto const now = along(l.qb, l.qa, r, s, entry);
          l.moments(r, s) += (now - l.moments(r, s)) / (planted == mistake::fresh_moments_only ? 1 : w);
        }
    }
    auto k = from_blocks([&](std::size_t p, std::size_t r, std::size_t s, std::size_t x, std::size_t y) {
      auto const& l = layers[p];
      if (planted == mistake::no_moments) return number(l.b(r, x)) * l.a(s, y);
      number sum = 0;
      for (std::size_t i = 0; i < l.moments.n; ++i)
        for (std::size_t j = 0; j < l.moments.m; ++j)
          sum += number(l.qb(i, r)) * l.qa(j, s) * l.moments(i, j) * l.qb(i, x) * l.qa(j, y);
      return sum;
    });
    auto const u = eliminate(plus(k, unit(size), o.damping), g).first;
    for (std::size_t i = 0; i < size; ++i) {
      m[i] = static_cast<number>(o.momentum) * m[i] + u[i];
      theta[i] = static_cast<double>(theta[i] - static_cast<number>(o.learning_rate) * m[i]);
    }
  }
  return theta;
}

}  // namespace

TEST_CASE("EKFAC's eigenvalues are averages of second moments that move with the bases") {
  std::vector<data<classes>> const batches{data<classes>(1), data<classes>(2), data<classes>(3), data<classes>(4),
                                           data<classes>(5)};
  auto const start = ref::random_theta<net, double>(2);
  kfac_options const o{.learning_rate = 0.2,
                       .momentum = 0.5,
                       .damping = 0.01,
                       .factor_decay = 0.8,
                       .decomposition_period = 2,
                       .kl_clip = no_clip};
  auto theta = start;
  kfac_optimiser<classes, double, ekfac<expand>> optimiser(9, o);
  for (auto const& d : batches) optimiser.step(theta, d.get());
  auto const got = difference(theta, start);
  auto const error = [&](mistake planted) {
    return relative_error(got, difference(ekfac_by_hand(start, batches, o, planted), start));
  };
  CHECK(error(mistake::none) < 1e-8);
  CHECK_FALSE(error(mistake::moments_not_rotated) < 1e-4);
  CHECK_FALSE(error(mistake::no_moments) < 1e-4);
  CHECK_FALSE(error(mistake::fresh_moments_only) < 1e-4);
  CHECK(optimiser.decompositions() == 3);

  // After one step the curvature is the derived EKFAC.
  auto once = start;
  kfac_optimiser<classes, double, ekfac<expand>> fresh(9, o);
  CHECK_THROWS_AS(fresh.curvature(), capacity_exceeded);
  fresh.step(once, batches[0].get());
  auto const q = derive<classes>(start, batches[0].get(), kfac<expand>, ekfac<expand>);
  CHECK(relative_error(to_dense(fresh.curvature()), from(to_dense(q[ekfac<expand>])).a) < 1e-11);
  CHECK_FALSE(relative_error(to_dense(fresh.curvature()), from(to_dense(q[kfac<expand>])).a) < 1e-3);
}

TEST_CASE("grafting gives each layer another method's length and keeps its direction") {
  std::vector<data<classes>> const batches{data<classes>(1), data<classes>(2), data<classes>(3)};
  auto const start = ref::random_theta<net, double>(2);
  kfac_options o{.learning_rate = 0.3,
                 .momentum = 0,
                 .damping = 0.02,
                 .factor_decay = 0,
                 .decomposition_period = 1,
                 .kl_clip = no_clip};
  for (kfac_grafting const grafting : {kfac_grafting::sgd, kfac_grafting::adam}) {
    o.grafting = grafting;
    auto theta = start;
    kfac_optimiser<classes, double> optimiser(9, o);
    column first(size), second(size);
    for (std::size_t step = 0; step < batches.size(); ++step) {
      auto const before = theta;
      auto const g = gradient_at(theta, batches[step]);
      auto const k = from(to_dense(derive<classes>(theta, batches[step].get(), kfac<expand>)[kfac<expand>]));
      auto const u = eliminate(plus(k, unit(size), 0.02L), g).first;
      optimiser.step(theta, batches[step].get());
      auto const moved = difference(theta, before);
      number const t = static_cast<number>(step + 1);
      column other = g;
      for (std::size_t i = 0; i < size; ++i) {
        first[i] = 0.9L * first[i] + 0.1L * g[i];
        second[i] = 0.999L * second[i] + 0.001L * g[i] * g[i];
        if (grafting == kfac_grafting::adam)
          other[i] = first[i] / (1 - std::pow(0.9L, t)) / (std::sqrt(second[i] / (1 - std::pow(0.999L, t))) + 1e-8L);
      }
      for (auto const& w : net::parameters) {
        auto const part = [&](column const& all) {
          return column(all.begin() + w.offset, all.begin() + w.offset + w.size());
        };
        number const own = std::sqrt(dot(part(u), part(u))), length = std::sqrt(dot(part(other), part(other)));
        CHECK(relative_error(part(moved), scaled_by(part(u), -0.3L * length / own)) < 1e-9);
        CHECK_FALSE(relative_error(part(moved), scaled_by(part(u), -0.3L)) < 1e-3);      // its own length
        CHECK_FALSE(relative_error(part(moved), scaled_by(part(other), -0.3L)) < 1e-3);  // the other direction
      }
    }
  }
}

TEST_CASE("a rescaled step minimises the exact model over step and momentum") {
  std::vector<data<classes>> const batches{data<classes>(1), data<classes>(2), data<classes>(3)};
  auto const start = ref::random_theta<net, double>(2);
  kfac_options const o{.damping = 0.05, .decomposition_period = 1};
  auto theta = start;
  kfac_optimiser<classes, double, kfac<expand>, rescaled> optimiser(9, o);
  column previous(size);
  for (std::size_t step = 0; step < batches.size(); ++step) {
    auto const before = theta;
    optimiser.step(theta, batches[step].get());
    auto const g = gradient_at(before, batches[step]);
    auto const m = plus(exact_ggn(before, batches[step]), unit(size), 0.05L);
    auto const k = from(to_dense(optimiser.curvature()));
    auto const u = eliminate(plus(k, unit(size), 0.05L), g).first;
    auto const delta = difference(theta, before);
    auto const& s = optimiser.last_step();
    column expected(size);
    for (std::size_t i = 0; i < size; ++i) expected[i] = -s.length * u[i] + s.momentum * previous[i];
    CHECK(relative_error(delta, expected) < 1e-9);
    // At the minimiser the model's slope vanishes along both directions; twins: along a third one, without damping.
    auto const slope_along = [&](matrix_reference const& model, column const& along) {
      auto const image = times(model, delta);
      number total = 0;
      for (std::size_t i = 0; i < size; ++i) total += along[i] * (image[i] + g[i]);
      return static_cast<double>(std::abs(total) / std::sqrt(dot(along, along) * dot(g, g)));
    };
    CHECK(slope_along(m, u) < 1e-12);
    CHECK(slope_along(m, g) > 1e-5);
    CHECK(slope_along(exact_ggn(before, batches[step]), u) > 1e-5);
    if (step > 0) {
      CHECK(slope_along(m, previous) < 1e-12);
      CHECK(s.momentum != 0);
    } else {
      CHECK(s.momentum == 0);
    }
    number const predicted = 0.5L * dot(delta, times(m, delta)) + dot(delta, g);
    CHECK(relative_error(s.predicted_change, predicted) < 1e-10);
    CHECK(s.predicted_change < 0);
    previous = delta;
  }

  auto alone = start;
  kfac_optimiser<classes, double, kfac<expand>, rescaled> without(9, {.damping = 0.05, .rescale_momentum = false});
  for (auto const& d : batches) {
    without.step(alone, d.get());
    CHECK(without.last_step().momentum == 0);
  }
}

TEST_CASE("on least squares the rescaled step is a Newton step") {
  data<fit> const d(1, 20);
  auto const start = ref::random_theta<line, double>(2);
  auto theta = start;
  kfac_optimiser<fit, double, kfac<expand>, rescaled> optimiser(20, {.damping = 0});
  auto const before = loss_at(start, d);
  optimiser.step(theta, d.get());
  CHECK(optimiser.last_step().length == Approx(1).epsilon(1e-10));
  CHECK(optimiser.last_step().predicted_change == Approx(loss_at(theta, d) - before).epsilon(1e-10));
  auto const left = gradient_at(theta, d), right = gradient_at(start, d);
  CHECK(dot(left, left) < 1e-20L * dot(right, right));
}

TEST_CASE("the damping is adapted by how well the model foretold the loss") {
  data<classes> const d(1);
  auto const start = ref::random_theta<net, double>(2);
  kfac_options const o{.damping = 0.05, .decomposition_period = 1, .adaptation_period = 2, .adaptation_factor = 0.9};
  auto theta = start;
  kfac_optimiser<classes, double, kfac<expand>, rescaled> optimiser(9, o);
  double expected = 0.05;
  for (int step = 1; step <= 8; ++step) {
    auto const before = loss_at(theta, d);
    optimiser.step(theta, d.get());
    auto const& s = optimiser.last_step();
    if (step % 2 == 0) {
      double const ratio = (loss_at(theta, d) - before) / s.predicted_change;
      CHECK(s.reduction_ratio == Approx(ratio).epsilon(1e-8));
      if (ratio > 0.75) expected *= 0.81;
      if (ratio < 0.25) expected /= 0.81;
    } else {
      CHECK(std::isnan(s.reduction_ratio));
    }
    CHECK(optimiser.damping() == Approx(expected).epsilon(1e-12));
  }
  CHECK(optimiser.damping() != 0.05);
  auto other = o;
  other.momentum = 0.1;
  optimiser.set_options(other);
  CHECK(optimiser.damping() == Approx(expected).epsilon(1e-12));  // kept
  other.damping = 0.2;
  optimiser.set_options(other);
  CHECK(optimiser.damping() == 0.2);  // restarted

  levenberg_marquardt_options const lm{};
  double const change = std::pow(0.95, 5);
  CHECK(adapted_damping(1, 0.8, lm) == Approx(change));
  CHECK(adapted_damping(1, 0.5, lm) == 1);
  CHECK(adapted_damping(1, 0.75, lm) == 1);
  CHECK(adapted_damping(1, 0.25, lm) == 1);
  CHECK(adapted_damping(1, 0.2, lm) == Approx(1 / change));
  CHECK(adapted_damping(1, reduction_ratio(NAN, -1), lm) == Approx(1 / change));
  CHECK(adapted_damping(1.1e-8, 1, lm) == 1e-8);
  CHECK(adapted_damping(1, 0, {.highest = 1.1}) == 1.1);
  CHECK(reduction_ratio(-1, -2) == 0.5);
  CHECK_THROWS_AS(reduction_ratio(-1, 0), invalid_value);
  CHECK_THROWS_AS(adapted_damping(1, 1, {.factor = 1}), invalid_value);
  CHECK_THROWS_AS(adapted_damping(1, 1, {.period = 0}), invalid_value);
  CHECK_THROWS_AS(adapted_damping(1, 1, {.lowest = 2, .highest = 1}), invalid_value);
  CHECK_THROWS_AS(adapted_damping(-1, 1), invalid_value);
}

TEST_CASE("running averages are weighted means from the first value on") {
  running_weight w;
  std::vector<double> average(1);
  double weighted = 0, weights = 0;
  for (int i = 1; i <= 6; ++i) {
    std::vector<double> const value{static_cast<double>(i * i)};
    move_towards<double>(average, value, w.next(0.7));
    weighted = 0.7 * weighted + value[0];
    weights = 0.7 * weights + 1;
    CHECK(average[0] == Approx(weighted / weights).epsilon(1e-14));
    CHECK(w.value() == Approx(weights).epsilon(1e-14));
  }
  CHECK_FALSE(average[0] == Approx(weighted * 0.3).epsilon(1e-3));  // the uncorrected average
}

TEST_CASE("what cannot be is refused by name") {
  using Catch::Matchers::Contains;
  using plain = kfac_optimiser<classes, double>;
  using measured = kfac_optimiser<classes, double, ekfac<expand>>;
  using free = kfac_optimiser<classes, double, kfac<expand>, rescaled>;
  CHECK_THROWS_WITH(plain(1, {.adaptation_period = 5}), Contains("adaptation_period is 5"));
  CHECK_THROWS_WITH(measured(1, {.damping_rule = kfac_damping::pi}), Contains("damping_rule is pi"));
  CHECK_THROWS_WITH(free(1, {.adaptation_period = 5, .adaptation_factor = 1.5}), Contains("the factor is 1.5"));
  CHECK_NOTHROW(free(1, {.adaptation_period = 5}));

  data<classes> const few(1, 3);  // three samples: A of the first layer is singular
  auto const start = ref::random_theta<net, double>(2);
  auto theta = start;
  plain optimiser(3, {.damping = 0});
  CHECK_THROWS_WITH(optimiser.step(theta, few.get()),
                    Contains("layer 0 \"first\" (dense, 4 x 3)") && Contains("the condition number of A is inf"));
  CHECK(theta == start);
  measured other(3, {.damping = 0});
  CHECK_THROWS_AS(other.step(theta, few.get()), singular_matrix);
  CHECK(theta == start);
  other.set_options({.damping = 0.1});
  CHECK_NOTHROW(other.step(theta, few.get()));
}
