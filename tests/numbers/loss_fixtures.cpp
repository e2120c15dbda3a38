// Losses and their gradients through the position-wise layer against PyTorch's (tests/fixtures/losses.py), and the
// reductions: a batch is its samples put together, in one sweep, in blocks, and in parts.

#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/declare.hpp>
#include <kappa/derive.hpp>
#include <kappa/io/npy.hpp>
#include <kappa/methods/evaluate.hpp>
#include <kappa/methods/mini_batches.hpp>

#include "reference.hpp"

using namespace kappa;

namespace {

using reference::relative_error;
using numbers = std::vector<double>;

struct net : network<input<2, 3> | dense<4>> {};
inline constexpr std::array<double, 4> rarity{1.0, 0.25, 3.0, 2.0};  // WEIGHTS of the script
inline constexpr auto weighted = class_weights<rarity>(label_smoothing<0.1>(cross_entropy));

struct plain : objective<net, cross_entropy, mean_over_positions> {};
struct smoothed : objective<net, label_smoothing<0.1>(cross_entropy), weighted_mean> {};
struct by_class : objective<net, class_weights<rarity>(cross_entropy), weighted_mean> {};
struct padded : objective<net, ignore_index<-100>(cross_entropy), weighted_mean> {};
struct all_three : objective<net, ignore_index<-100>(weighted), weighted_mean> {};
struct all_three_sum : objective<net, ignore_index<-100>(weighted), sum> {};
struct robust : objective<net, huber<0.5>, sum> {};
struct gaussian : objective<net, gaussian_negative_log_likelihood, sum> {};

// The same with the positions as ten samples: a network small enough for the ways of small ones.
struct layer : network<input<3> | dense<4>> {};
struct by_class_alone : objective<layer, class_weights<rarity>(cross_entropy), weighted_mean> {};
struct padded_alone : objective<layer, ignore_index<-100>(cross_entropy), weighted_mean> {};
struct gaussian_alone : objective<layer, gaussian_negative_log_likelihood, sum> {};

std::filesystem::path const folder = std::filesystem::path(__FILE__).parent_path().parent_path() / "fixtures/losses";

template <class T>
std::vector<T> stored(char const* name) {
  return io::read_npy<T>(folder / (std::string(name) + ".npy")).values;
}

struct fixture {
  numbers theta = stored<double>("theta"), inputs = stored<double>("inputs");
  std::vector<int> labels = stored<int>("labels"), some = stored<int>("padded");
  numbers probabilities = stored<double>("probabilities"), vectors = stored<double>("vectors");
  numbers pairs = stored<double>("pairs"), results = stored<double>("results");

  // The loss, then its gradient.
  numbers expected(std::size_t row) const {
    auto const first = results.begin() + static_cast<std::ptrdiff_t>(row * 17);
    return {first, first + 17};
  }
};

template <class Objective, class Theta>
numbers loss_and_gradient(Theta const& theta, batch<double> const& b) {
  auto const q = derive<Objective>(theta, b, loss_value, gradient);
  numbers all{q[loss_value]};
  for (double g : q[gradient]) all.push_back(g);
  return all;
}

}  // namespace

TEST_CASE("losses and gradients are PyTorch's") {
  fixture const f;
  auto const check = [&]<class Objective>(Objective, std::size_t row, auto const& y) {
    INFO("case " << row);
    CHECK(relative_error(loss_and_gradient<Objective>(f.theta, batch(f.inputs, y)), f.expected(row)) < 1e-12);
    for (std::size_t other = 0; other < 9; ++other)
      if (other != row)
        CHECK(relative_error(loss_and_gradient<Objective>(f.theta, batch(f.inputs, y)), f.expected(other)) > 1e-3);
  };
  check(plain{}, 0, f.labels);
  check(smoothed{}, 1, f.labels);
  check(by_class{}, 2, f.labels);
  check(padded{}, 3, f.some);
  check(all_three{}, 4, f.some);
  check(all_three_sum{}, 5, f.some);
  check(all_three_sum{}, 6, f.probabilities);
  check(robust{}, 7, f.vectors);
  check(gaussian{}, 8, f.pairs);
}

TEST_CASE("a weighted mean is divided by the weights of its own batch") {
  fixture const f;
  // Σ_n W_n L_n / Σ_n W_n over samples one by one, which take the way of single samples.
  auto const check = [&]<class Objective>(Objective, std::size_t row, std::vector<int> const& y) {
    numbers total(17);
    double weight = 0;
    int without = 0;
    for (std::size_t n = 0; n < 10; ++n) {
      batch<double> const one(std::span<double const>(f.inputs).subspan(3 * n, 3),
                              std::span<int const>(y).subspan(n, 1));
      double const own = detail::total_weight<Objective>(one);
      if (own == 0) {
        CHECK_THROWS_AS(loss_and_gradient<Objective>(f.theta, one), invalid_value);
        ++without;
        continue;
      }
      auto const of_one = loss_and_gradient<Objective>(f.theta, one);
      for (std::size_t e = 0; e < total.size(); ++e) total[e] += own * of_one[e];
      weight += own;
    }
    for (double& e : total) e /= weight;
    CHECK(relative_error(total, f.expected(row)) < 1e-12);
    return without;
  };
  CHECK(check(by_class_alone{}, 2, f.labels) == 0);
  CHECK(check(padded_alone{}, 3, f.some) == 3);
  static_assert(padded::scale(5, 7) == 1.0 / 7 && smoothed::scale_depends_on_targets);
  static_assert(plain::scale(5) == 0.1 && !plain::scale_depends_on_targets);

  // ρ = 0.1 counts ignored terms as well.
  struct counts_all : objective<net, ignore_index<-100>(cross_entropy), mean_over_positions> {};
  auto scaled = f.expected(3);
  for (double& e : scaled) e *= 0.7;
  CHECK(relative_error(loss_and_gradient<counts_all>(f.theta, batch(f.inputs, f.some)), scaled) < 1e-12);
}

TEST_CASE("parts of data evaluate to the whole") {
  fixture const f;
  batch const some(f.inputs, f.some);
  for (std::size_t const chunk : {std::size_t{1}, std::size_t{2}, std::size_t{5}}) {  // sample 3 alone has no weight
    CHECK(evaluate<padded>(f.theta, some, chunk) == Approx(f.expected(3)[0]).epsilon(1e-13));
    CHECK(evaluate<all_three>(f.theta, some, chunk) == Approx(f.expected(4)[0]).epsilon(1e-13));
    CHECK(evaluate<gaussian>(f.theta, batch(f.inputs, f.pairs), chunk) == Approx(f.expected(8)[0]).epsilon(1e-13));
  }
  std::vector<int> const nothing(10, -100);
  CHECK_THROWS_AS(evaluate<padded>(f.theta, batch(f.inputs, nothing)), invalid_value);
  CHECK_THROWS_AS(accuracy<padded>(f.theta, batch(f.inputs, nothing)), invalid_value);

  // Seven labels count: the fraction is a whole number of sevenths.
  double const sevenths = 7 * accuracy<padded>(f.theta, some);
  CHECK(sevenths == Approx(std::round(sevenths)).epsilon(1e-12));

  mini_batches<gaussian, double> cut(batch(f.inputs, f.pairs), 2, 1);
  numbers total(17);
  for (std::size_t i = 0; i < cut.count(); ++i) {
    auto const one = loss_and_gradient<gaussian>(f.theta, cut.gather(i));
    for (std::size_t e = 0; e < total.size(); ++e) total[e] += one[e];
  }
  CHECK(relative_error(total, f.expected(8)) < 1e-12);
}

TEST_CASE("blocks of samples read the targets that are theirs") {
  fixture const f;
  numbers inputs, pairs;
  for (int copy = 0; copy < 400; ++copy) {
    inputs.insert(inputs.end(), f.inputs.begin(), f.inputs.end());
    pairs.insert(pairs.end(), f.pairs.begin(), f.pairs.end());
  }
  auto expected = f.expected(8);
  for (double& e : expected) e *= 400;
  int const threads_before = threads();
  set_threads(1);
  CHECK(relative_error(loss_and_gradient<gaussian_alone>(f.theta, batch(inputs, pairs)), expected) < 1e-12);
  set_threads(threads_before);
}

TEST_CASE("labels out of range are refused, ignored or not") {
  fixture f;
  auto const derived = [&]<class Objective>(Objective) {
    return derive<Objective>(f.theta, batch(f.inputs, f.some), loss_value)[loss_value];
  };
  CHECK_NOTHROW(derived(padded{}));
  CHECK_THROWS_AS(derived(plain{}), invalid_value);  // -100 is no class of a loss that ignores none
  f.some[2] = 4;
  CHECK_THROWS_AS(derived(padded{}), invalid_value);
  f.some[2] = -1;
  CHECK_THROWS_AS(derived(padded{}), invalid_value);
  f.some.assign(10, -100);
  CHECK_THROWS_AS(derived(padded{}), invalid_value);
  CHECK(derived(all_three_sum{}) == 0);

  CHECK_THROWS_AS(derive<gaussian>(f.theta, batch(f.inputs, f.vectors), loss_value), shape_mismatch);
  CHECK_THROWS_AS(derive<gaussian>(f.theta, batch(f.inputs, f.labels), loss_value), invalid_value);
  f.probabilities[0] += 0.5;
  CHECK_THROWS_AS(derive<smoothed>(f.theta, batch(f.inputs, f.probabilities), loss_value), invalid_value);
}
