// Mini-batches, the training loop, predictions and evaluation.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive/initialise.hpp>
#include <kappa/methods.hpp>

#include "worst.hpp"

namespace {

using namespace kappa;

struct small : network<input<3> | dense<5> | act::tanh | dense<4>> {};
struct small_classes : objective<small, cross_entropy> {};
struct small_regression : objective<small, squared_error> {};
struct small_sum : objective<small, squared_error, sum> {};
struct tokens : network<input<2, 3> | dense<4>> {};
struct token_classes : objective<tokens, cross_entropy, mean_over_positions> {};
struct token_regression : objective<tokens, squared_error> {};

template <class T>
matrix<T> normal(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  auto x = zeros<T>(rows, columns);
  counter_random random(seed);
  for (T& v : elements(x)) v = static_cast<T>(random.normal());
  return x;
}
std::vector<int> drawn_labels(std::size_t n, std::uint64_t seed) {
  std::vector<int> y(n);
  counter_random random(seed);
  for (int& c : y) c = static_cast<int>(random.below(4));
  return y;
}

template <class A, class B>
bool same(A const& a, B const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// Collects which samples came, when the first feature of sample n is n.
template <class Objective>
std::vector<std::vector<int>> epoch_of(mini_batches<Objective, float>& batches, std::size_t epoch, std::size_t stride) {
  std::vector<std::vector<int>> all;
  batches.begin_epoch(epoch);
  for (std::size_t i = 0; i < batches.count(); ++i) {
    auto const b = batches.gather(i);
    all.emplace_back();
    for (std::size_t k = 0; k < b.inputs.size(); k += stride) all.back().push_back(static_cast<int>(b.inputs[k]));
  }
  return all;
}

}  // namespace

TEST_CASE("every epoch holds every sample once, and the last batch what is left") {
  auto x = normal<float>(23, 3, 1);
  for (std::size_t n = 0; n < 23; ++n) x(n, 0) = static_cast<float>(n);
  auto const y = drawn_labels(23, 2);
  mini_batches<small_classes, float> batches({x, y}, 5, 7);
  REQUIRE(batches.count() == 5);
  auto const first = epoch_of(batches, 1, 3), second = epoch_of(batches, 2, 3);
  for (auto const& epoch : {first, second}) {
    std::multiset<int> seen;
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(epoch[i].size() == (i < 4 ? 5 : 3));
      seen.insert(epoch[i].begin(), epoch[i].end());
    }
    std::vector<int> all(23);
    std::iota(all.begin(), all.end(), 0);
    CHECK(same(seen, all));
  }
  CHECK_FALSE(first == second);

  mini_batches<small_classes, float> again({x, y}, 5, 7), other({x, y}, 5, 8);
  CHECK(epoch_of(again, 2, 3) == second);  // whatever came before
  CHECK_FALSE(epoch_of(other, 2, 3) == second);
  mini_batches<small_classes, float> entire({x, y}, 100, 7);
  CHECK(entire.count() == 1);
  CHECK(entire.gather(0).inputs.size() == 69);
}

TEST_CASE("a gathered sample keeps its inputs, labels and targets together") {
  auto const x = normal<float>(11, 6, 1);
  auto const y = drawn_labels(22, 2);
  auto const t = normal<float>(11, 8, 3);
  std::vector<std::size_t> order(11);
  mini_batches<token_classes, float> labelled({x, y}, 4, 5);
  mini_batches<token_regression, float> targeted({x, t}, 4, 5);
  labelled.begin_epoch(3);
  targeted.begin_epoch(3);
  shuffle(order, 5, 3);
  bool right = true, ordered = true;
  for (std::size_t i = 0; i < 3; ++i) {
    auto const a = labelled.gather(i);
    auto const b = targeted.gather(i);
    std::size_t const n = i < 2 ? 4 : 3;
    REQUIRE(a.inputs.size() == n * 6);
    REQUIRE(a.labels.size() == n * 2);
    REQUIRE(b.targets.size() == n * 8);
    for (std::size_t k = 0; k < n; ++k) {
      auto const from = order[i * 4 + k];
      for (std::size_t e = 0; e < 6; ++e)
        right &= a.inputs[k * 6 + e] == x(from, e) && b.inputs[k * 6 + e] == x(from, e);
      for (std::size_t e = 0; e < 2; ++e) right &= a.labels[k * 2 + e] == y[from * 2 + e];
      for (std::size_t e = 0; e < 8; ++e) right &= b.targets[k * 8 + e] == t(from, e);
      ordered &= b.targets[k * 8] == t(i * 4 + k, 0);
    }
  }
  CHECK(right);
  CHECK_FALSE(ordered);
}

TEST_CASE("a training is the steps it says") {
  auto const x = normal<double>(13, 3, 1), t = normal<double>(13, 4, 2);
  auto const start = initialise<small, double>(3);
  training_options const options{.epochs = 3, .batch_size = 5, .seed = 9};

  auto theta = start;
  sgd<small_regression, double> o(5, {.learning_rate = 0.1, .momentum = 0.5});
  std::vector<training_record> seen;
  auto const history = train(o, theta, {x, t}, options, [&](training_record const& r) { seen.push_back(r); });

  auto by_hand = start;
  sgd<small_regression, double> p(5, {.learning_rate = 0.1, .momentum = 0.5});
  mini_batches<small_regression, double> batches({x, t}, 5, 9);
  std::vector<double> losses;
  for (std::size_t epoch = 1; epoch <= 3; ++epoch) {
    batches.begin_epoch(epoch);
    for (std::size_t i = 0; i < 3; ++i) losses.push_back(p.step(elements(by_hand), batches.gather(i)).loss);
  }
  CHECK(same(theta, by_hand));
  REQUIRE(history.size() == 9);
  REQUIRE(seen.size() == 9);
  for (std::size_t k = 0; k < 9; ++k) {
    CHECK(history[k].step == k + 1);
    CHECK(history[k].epoch == k / 3 + 1);
    CHECK(history[k].loss == losses[k]);
    CHECK(history[k].seconds > (k == 0 ? 0 : history[k - 1].seconds));
    CHECK(seen[k].step == k + 1);
  }

  auto other = start;
  sgd<small_regression, double> r(5, {.learning_rate = 0.1, .momentum = 0.5});
  train(r, other, {x, t}, {.epochs = 3, .batch_size = 5, .seed = 10});
  CHECK_FALSE(same(theta, other));
}

TEST_CASE("an observer may end the training") {
  auto const x = normal<double>(13, 3, 1), t = normal<double>(13, 4, 2);
  auto theta = initialise<small, double>(3);
  adam<small_regression, double> o(5);
  auto const history =
      train(o, theta, {x, t}, {.epochs = 3, .batch_size = 5}, [](training_record const& r) { return r.step < 4; });
  CHECK(history.size() == 4);
  CHECK(o.steps() == 4);
}

TEST_CASE("predictions are the network's outputs") {
  auto const theta = initialise<small, double>(3);
  auto const x = normal<double>(10, 3, 1);
  auto const rows = predict<small>(theta, x, 4);
  REQUIRE(rows.shape(0) == 10);
  REQUIRE(rows.shape(1) == 4);
  double worst = 0, swapped = 0;
  for (std::size_t n = 0; n < 10; ++n) {
    long double h[5];
    for (std::size_t j = 0; j < 5; ++j) {
      h[j] = theta(15 + j);
      for (std::size_t i = 0; i < 3; ++i) h[j] += static_cast<long double>(theta(j * 3 + i)) * x(n, i);
      h[j] = std::tanh(h[j]);
    }
    for (std::size_t c = 0; c < 4; ++c) {
      long double f = theta(20 + 20 + c);
      for (std::size_t j = 0; j < 5; ++j) f += static_cast<long double>(theta(20 + c * 5 + j)) * h[j];
      worst = worst_of(worst, static_cast<double>(std::abs(f - rows(n, c))));
      swapped = std::max(swapped, static_cast<double>(std::abs(f - rows(9 - n, c))));
    }
  }
  CHECK(worst < 1e-14);
  CHECK_FALSE(swapped < 1e-14);
  auto const at_once = predict<small>(theta, x);  // products of few rows round in another order
  double between = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    between = worst_of(between, std::abs(rows.data()[i] - at_once.data()[i]));
  CHECK(between < 1e-14);

  CHECK_THROWS_AS(predict<small>(theta, zeros<double>(7)), shape_mismatch);
  CHECK_THROWS_AS(predict<small>(zeros<double>(3), x), shape_mismatch);
  CHECK_THROWS_AS(predict<small>(theta, zeros<double>(0)), capacity_exceeded);
  CHECK_THROWS_AS(predict<small>(theta, x, 0), capacity_exceeded);
  auto bad = x;
  bad(3, 1) = INFINITY;
  CHECK_THROWS_AS(predict<small>(theta, bad), invalid_value);
}

namespace {
// Every operation of the forward sweep, with values that must survive: a residual, a gate, a recall.
struct wide : network<input<2, 3> | mark<"x"> | dense<3> | act::gelu | residual(dense<3> | act::relu) |
                      (recall<"x"> * (dense<3> | act::sigmoid)) | scale<1, 2> | mean_over_positions | dense<2>> {};
struct wide_error : objective<wide, squared_error> {};
}  // namespace

TEST_CASE("predictions agree with the loss that derive computes") {
  auto const theta = initialise<wide, double>(3);
  auto const x = normal<double>(9, 6, 1), t = normal<double>(9, 2, 2);
  auto const rows = predict<wide>(theta, x, 2);
  double total = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) total += 0.5 * std::pow(rows.data()[i] - t.data()[i], 2) / 9;
  auto const loss = derive<wide_error>(theta, batch{x, t}, loss_value, gradient)[loss_value];
  CHECK(total == Approx(loss).epsilon(1e-13));
  CHECK_FALSE(1.001 * total == Approx(loss).epsilon(1e-13));
}

TEST_CASE("the loss on a data set does not depend on the chunks") {
  auto const theta = initialise<small, double>(3);
  auto const x = normal<double>(23, 3, 1), t = normal<double>(23, 4, 2);
  for (std::size_t const chunk : {1u, 5u, 23u, 100u}) {
    auto const entire = derive<small_regression>(theta, batch{x, t}, loss_value)[loss_value];
    CHECK(evaluate<small_regression>(theta, batch{x, t}, chunk) == Approx(entire).epsilon(1e-13));
    auto const total = derive<small_sum>(theta, batch{x, t}, loss_value)[loss_value];
    CHECK(evaluate<small_sum>(theta, batch{x, t}, chunk) == Approx(total).epsilon(1e-13));
    CHECK_FALSE(evaluate<small_sum>(theta, batch{x, t}, chunk) == Approx(entire).epsilon(1e-13));
  }
  auto const tokens_theta = initialise<tokens, double>(3);
  auto const xs = normal<double>(7, 6, 1);
  auto const y = drawn_labels(14, 2);
  CHECK(evaluate<token_classes>(tokens_theta, batch{xs, y}, 3) ==
        Approx(derive<token_classes>(tokens_theta, batch{xs, y}, loss_value)[loss_value]).epsilon(1e-13));
  CHECK_THROWS_AS(evaluate<small_classes>(theta, batch<double>{x, std::vector<int>(22)}), shape_mismatch);
  CHECK_THROWS_AS(evaluate<small_regression>(theta, batch<double>(std::span<double const>(), zeros<double>(0))),
                  capacity_exceeded);
}

TEST_CASE("accuracy counts the largest outputs") {
  auto const theta = initialise<tokens, double>(3);
  auto const x = normal<double>(20, 6, 1);
  auto const rows = predict<tokens>(theta, x);
  std::vector<int> best(40);
  for (std::size_t i = 0; i < 40; ++i) {
    auto const* const f = rows.data() + 4 * i;
    best[i] = static_cast<int>(std::max_element(f, f + 4) - f);
  }
  CHECK(accuracy<token_classes>(theta, batch{x, best}, 3) == 1);
  for (std::size_t i = 0; i < 10; ++i) best[i] = (best[i] + 1) % 4;
  CHECK(accuracy<token_classes>(theta, batch{x, best}) == 0.75);
  auto probabilities = zeros<double>(20, 8);
  for (double& v : elements(probabilities)) v = 0.25;
  CHECK_THROWS_AS(accuracy<token_classes>(theta, batch{x, probabilities}), invalid_value);
}

// ---- a problem whose inputs have scales from 1 to 1/100
// --------------------------------------------------------------

namespace {

struct classifier : network<input<8> | dense<12> | act::tanh | dense<4>> {};
struct labelled : objective<classifier, cross_entropy> {};

struct stretched {
  matrix<float> x = normal<float>(400, 8, 21);
  std::vector<int> y = std::vector<int>(400);
  stretched() {
    auto const teacher = initialise<classifier, float>(22, 3.0);
    auto const f = predict<classifier>(teacher, x);
    for (std::size_t n = 0; n < 400; ++n) {
      y[n] = static_cast<int>(std::max_element(&f(n, 0), &f(n, 0) + 4) - &f(n, 0));
      for (std::size_t i = 0; i < 8; ++i) x(n, i) *= static_cast<float>(std::pow(0.01, static_cast<double>(i) / 7));
    }
  }
  batch<float> all() const { return {x, y}; }
};

constexpr training_options long_enough{.epochs = 60, .batch_size = 50, .seed = 5};

/// Steps until the loss on all data is below `target`; looked at once an epoch.
template <class Optimiser>
std::size_t steps_to(double target, stretched const& d, Optimiser o) {
  auto theta = initialise<classifier, float>(23);
  bool reached = false;
  auto const history = train(o, theta, d.all(), long_enough, [&](training_record const& r) {
    reached = r.step % 8 == 0 && evaluate<labelled>(theta, d.all()) < target;
    return !reached;
  });
  return reached ? history.size() : history.size() + 1;
}

}  // namespace

TEST_CASE("every optimiser lowers the loss, and K-FAC needs fewest steps") {
  stretched const d;
  auto const start = evaluate<labelled>(initialise<classifier, float>(23), d.all());
  auto const reduced = [&](auto o) {
    auto theta = initialise<classifier, float>(23);
    train(o, theta, d.all(), long_enough);
    return evaluate<labelled>(theta, d.all()) / start;
  };
  CHECK(reduced(sgd<labelled, float>(50, {.learning_rate = 0.3, .momentum = 0.9})) < 0.8);
  CHECK(reduced(adam<labelled, float>(50, {.learning_rate = 0.02})) < 0.7);
  CHECK(reduced(kfac_optimiser<labelled, float>(50)) < 0.5);
  CHECK_FALSE(reduced(sgd<labelled, float>(50, {.learning_rate = 1e-6})) < 0.8);

  double const target = 0.6 * start;
  std::size_t best = long_enough.epochs * 8 + 1;
  for (double const rate : {0.1, 0.3, 1.0, 3.0})
    best = std::min(best, steps_to(target, d, sgd<labelled, float>(50, {.learning_rate = rate, .momentum = 0.9})));
  auto const kfac_steps = steps_to(target, d, kfac_optimiser<labelled, float>(50));
  auto const sampled_steps = steps_to(target, d, kfac_optimiser<labelled, float, kfac<expand, monte_carlo<1>>>(50));
  INFO("SGD, the best of four rates: " << best << " steps; K-FAC: " << kfac_steps
                                       << ", Monte Carlo: " << sampled_steps);
  CHECK(kfac_steps < best);
  CHECK(sampled_steps < best);
  CHECK(kfac_steps <= long_enough.epochs * 8);
}

TEST_CASE("a seed gives the same bits, whatever the threads") {
  stretched const d;
  auto const run = [&](std::uint64_t order, std::uint64_t draws) {
    auto theta = initialise<classifier, float>(23);
    kfac_optimiser<labelled, float, kfac<expand, monte_carlo<1>>> o(50, {.seed = draws});
    train(o, theta, d.all(), {.epochs = 3, .batch_size = 50, .seed = order});
    return theta;
  };
  int const before = threads();
  auto const once = run(1, 2);
  CHECK(same(once, run(1, 2)));
  CHECK_FALSE(same(once, run(1, 3)));
  CHECK_FALSE(same(once, run(2, 2)));
  for (int const count : {1, 2, 3}) {
    set_threads(count);
    CHECK(same(once, run(1, 2)));
  }
  set_threads(before);
}

namespace {
// Large enough that products, gathers and updates are shared out to threads.
struct large : network<input<200> | dense<300> | act::relu | dense<10>> {};
struct large_classes : objective<large, cross_entropy> {};
}  // namespace

TEST_CASE("large layers on several threads give the same bits every time") {
  auto const x = normal<float>(512, 200, 1);
  auto y = drawn_labels(512, 2);
  int const before = threads();
  set_threads(2);
  auto const run = [&] {
    auto theta = initialise<large, float>(3);
    kfac_optimiser<large_classes, float> k(256);
    train(k, theta, {x, y}, {.epochs = 1, .batch_size = 256, .seed = 4});
    adam<large_classes, float> a(256);
    train(a, theta, {x, y}, {.epochs = 1, .batch_size = 256, .seed = 4});
    return theta;
  };
  auto const once = run();
  for (int repeat = 0; repeat < 3; ++repeat) CHECK(same(once, run()));
  y[0] = (y[0] + 1) % 4;
  CHECK_FALSE(same(once, run()));
  set_threads(before);
}
