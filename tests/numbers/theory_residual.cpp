// Residual connections: the exact matrix by brute force, the bounds for strong ones, and laws for gaussian layers.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "spectral_distance.hpp"
#include "theory_brute_force.hpp"
#include "worst.hpp"

#include <kappa/theory/bounds.hpp>
#include <kappa/theory/enclosed_gauss_newton.hpp>
#include <kappa/theory/residual.hpp>

using namespace kappa;
using namespace kappa::brute_force;
using theory::residual_chain;

namespace {

struct instance {
  std::vector<matrix<double>> layers;
  double beta = 0;
  matrix<double> x;

  residual_chain chain() const { return {layers, beta, theory::covariance_of(x)}; }
  /// Through z + W z with the identity written as a skip connection.
  vector<double> spectrum() const {
    std::vector<double> theta;
    for (auto const& w : layers) theta.insert(theta.end(), w.data(), w.data() + w.size());
    auto const forward = [&](duals const& at) {
      auto z = constants(x);
      std::size_t offset = 0;
      for (auto const& w : layers) {
        auto y = apply(at, offset, w.shape(0), w.shape(1), z);
        for (std::size_t q = 0; q < x.shape(0); ++q)
          for (std::size_t i = 0; i < std::min(w.shape(0), w.shape(1)); ++i)
            y[q * w.shape(0) + i] += dual(beta) * z[q * w.shape(1) + i];
        z = y;
        offset += w.size();
      }
      return z;
    };
    return brute_force::spectrum(forward, theta, x.shape(0));
  }
};

instance random_instance(std::uint64_t seed, bool strong = false) {
  counter_random random(seed, 51);
  instance i;
  auto const d = size_between(1, 4, random), k = size_between(1, 3, random), depth = size_between(1, 4, random);
  // Half of the chains keep one hidden width, not below d and k; the others are of any shape.
  auto const common = size_between(std::max(d, k), 6, random);
  auto width = d;
  double norm = 0;
  for (std::size_t l = 0; l < depth; ++l) {
    auto const next = l + 1 == depth ? k : seed % 2 == 0 ? common : size_between(1, 5, random);
    i.layers.push_back(gaussian(next, width, random, 1 / std::sqrt(static_cast<double>(width))));
    norm = std::max(norm, std::sqrt(theory::detail::squared_singular_ends(i.layers.back()).largest));
    width = next;
  }
  double const sign = random.uniform() < 0.5 ? -1 : 1;
  i.beta = strong ? sign * norm * (1.1 + 4 * random.uniform()) : 4 * random.uniform() - 2;
  i.x = gaussian(size_between(d, d + 6, random), d, random);
  return i;
}

/// What the norm bound needs of a chain, in intervals. Exact for weights with few digits, where W + β I does not round.
struct enclosed_chain {
  using number = theory::interval;
  residual_chain const& of;
  theory::enclosed_gauss_newton small;

  std::size_t depth() const { return of.depth(); }
  double beta() const { return of.beta(); }
  matrix<double> const& weight(std::size_t l) const { return of.weight(l); }
  number weight_norm(std::size_t l) const {
    auto const& w = of.weight(l);
    bool const wide = w.shape(0) <= w.shape(1);
    return boost::numeric::sqrt(theory::enclose_spectrum(theory::multiply(!wide, wide, {w, 0}, {w, 0})).front());
  }
  number data_condition() const { return small.data_condition(); }
};

double median(std::vector<double> v) {
  auto const middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
  std::nth_element(v.begin(), middle, v.end());
  return *middle;
}

}  // namespace

TEST_CASE("With respect to W the chain of W + beta I is a linear chain, at any shape and strength") {
  double worst = 0;
  std::uint64_t seen = 0, deep = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto const i = random_instance(seed);
    auto const brute = i.spectrum();
    worst = worst_of(worst, spectral_distance(brute, i.chain().gauss_newton().eigenvalues()));
    if (i.layers.size() == 1) continue;
    ++deep;
    auto without = i;
    without.beta = 0;
    seen += spectral_distance(brute, without.chain().gauss_newton().eigenvalues()) > 1e-3;
  }
  CHECK(worst <= 1e-12);
  CHECK(seen >= deep * 9 / 10);
}

TEST_CASE("Eq. (7) holds with W + beta I") {
  int decided = 0, violated = 0, without = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto const i = random_instance(1000 + seed);
    auto const g = i.chain().gauss_newton();
    auto const brute = i.spectrum();
    if (brute.size() < g.order()) continue;
    auto const kappa = condition_of(brute, g.order());
    if (!kappa.decided()) continue;
    ++decided;
    violated += kappa.value > theory::eq_7_t::value(g) * (1 + kappa.slack);
    // With W in place of W + β I it does not.
    auto plain = i;
    plain.beta = 0;
    without += kappa.value > theory::eq_7_t::value(plain.chain().gauss_newton()) * (1 + kappa.slack);
  }
  CHECK(violated == 0);
  CHECK(decided >= 250);
  CHECK(without > 20);
}

TEST_CASE("Stronger than the weights, residual layers are well conditioned") {
  int violated = 0, finite = 0, halved = 0, layers = 0, layer_violated = 0, layer_halved = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto const i = random_instance(seed, true);
    auto const chain = i.chain();
    for (auto const& w : i.layers) {
      double const exact = theory::singular_condition_number(theory::shifted(w, i.beta));
      double const stated = theory::residual_layer_bound(w, i.beta).value;
      ++layers;
      layer_violated += exact > stated * (1 + 1e-12);
      // Its excess over 1 halved.
      layer_halved += exact > (1 + (stated - 1) / 2) * (1 + 1e-12);
    }
    double const bound = theory::residual_norm_bound(chain).value;
    double const data = chain.gauss_newton().data().condition_number();
    if (!std::isfinite(bound)) continue;
    auto const brute = i.spectrum();
    auto const kappa = condition_of(brute, chain.gauss_newton().order());
    if (!kappa.decided()) continue;
    ++finite;
    violated += kappa.value > bound * (1 + kappa.slack);
    violated += theory::eq_7_t::value(chain.gauss_newton()) > bound * (1 + 1e-12);  // Eq. (7) lies between
    halved += kappa.value > bound / data * (1 + kappa.slack);
  }
  CHECK(violated == 0);
  CHECK(layer_violated == 0);
  CHECK(finite >= 250);
  CHECK(halved >= 20);  // without κ(Σ) it is no bound
  CHECK(layer_halved >= layers / 10);
  // Weak ones have no such bound.
  auto weak = random_instance(3, true);
  weak.beta = 1e-3;
  CHECK(theory::residual_norm_bound(weak.chain()).value == std::numeric_limits<double>::infinity());
  CHECK(theory::residual_layer_bound(weak.layers.back(), 1e-3).value == std::numeric_limits<double>::infinity());
}

TEST_CASE("The norm bound is proved in interval arithmetic") {
  int decided = 0, equalities = 0, proved = 0, refuted = 0, planted = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto i = random_instance(seed, true);
    for (auto& w : i.layers)
      for (double& x : elements(w)) x = std::round(x * 1024) / 1024;
    i.beta = std::round(i.beta * 1024) / 1024;
    auto const chain = i.chain();
    enclosed_chain const in{chain, theory::enclosed_gauss_newton(chain.gauss_newton())};
    auto const bound = theory::residual_norm_bound_t::value(in);
    if (!std::isfinite(bound.upper()) || !in.small.decided()) continue;
    auto const kappa = in.small.condition_number();
    if (!std::isfinite(kappa.upper())) continue;
    ++decided;
    equalities += i.layers.size() == 1;  // one layer alone has κ(Σ)
    proved += kappa.upper() <= bound.lower();
    refuted += kappa.lower() > bound.upper();
    planted += kappa.lower() > (bound / in.data_condition()).upper();
  }
  INFO(decided << " decided, " << proved << " proved");
  CHECK(decided >= 250);
  CHECK(refuted == 0);
  CHECK(proved >= (decided - equalities) * 9 / 10);
  CHECK(planted >= decided / 10);  // without κ(Σ)
}

TEST_CASE("As beta grows the data's condition number remains, at rate 1/beta") {
  for (std::uint64_t seed = 0; seed < 40; seed += 2) {  // equal hidden widths
    auto i = random_instance(seed, true);
    if (i.layers.size() == 1 || i.x.shape(1) == 1) continue;
    std::array<double, 2> excess{};
    double data = 0;
    for (std::size_t j = 0; j < 2; ++j) {
      i.beta = j == 0 ? 1e3 : 1e4;
      auto const chain = i.chain();
      data = chain.gauss_newton().data().condition_number();
      double const kappa = chain.gauss_newton().condition_number();
      excess[j] = std::abs(kappa / data - 1);
      CHECK(kappa <= theory::residual_norm_bound(chain).value * (1 + 1e-12));
    }
    CHECK(excess[0] < 0.1);
    CHECK(std::abs(excess[0] / excess[1] / 10 - 1) <= 0.1);
  }
}

TEST_CASE("A semidefinite layer: every singular value grows by beta, and only there") {
  double worst = 0;
  int seen = 0, falls = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    counter_random random(seed, 52);
    auto const m = size_between(1, 6, random);
    auto const root = gaussian(m, size_between(1, 7, random), random);
    auto const w = theory::detail::product(false, true, root, root);
    double const beta = 0.05 + 2 * random.uniform();
    double const exact = theory::singular_condition_number(theory::shifted(w, beta));
    double const stated = theory::semidefinite_shift(w, beta).value;
    worst = worst_of(worst, std::abs(stated / exact - 1) / exact);
    falls += theory::semidefinite_shift(w, 2 * beta).value <= stated;
    // The formula with singular values, on a matrix of the same ones that is not symmetric.
    auto turned = w;
    for (std::size_t r = 0; r < m; ++r)
      for (std::size_t c = 0; c < m; ++c) turned(r, c) = w((r + 1) % m, c);
    seen += std::abs(stated / theory::singular_condition_number(theory::shifted(turned, beta)) - 1) > 1e-6;
  }
  CHECK(worst <= 1e-12);
  CHECK(falls == static_cast<int>(instances(500)));
  CHECK(seen >= static_cast<int>(instances(500) * 7 / 10));
}

TEST_CASE("The spread factor of gaussian layers") {
  CHECK(theory::residual_spread(0.0).value == 1);
  CHECK(std::abs(theory::residual_spread(1.0).value - std::sqrt(3.0) / 2) <= 1e-15);
  CHECK(std::abs(theory::residual_spread(2.0).value - 0.6) <= 1e-15);
  for (double beta : {0.02, 0.05})  // quartic flatness
    CHECK(std::abs((1 - theory::residual_spread(beta).value) / std::pow(beta, 4) - 0.5) <= 0.01);
  CHECK(std::abs(theory::residual_spread(100.0).value * 100 / std::sqrt(2.0) - 1) <= 1e-3);
  // d = k = 10, m = 800, five layers, six draws: log κ relative to its value without residual connections.
  std::array<double, 5> const betas{0, 0.5, 1, 2, 4};
  std::array<double, 5> logs{};
  auto white = zeros<double>(10, 10);
  for (std::size_t i = 0; i < 10; ++i) white(i, i) = 1;
  theory::covariance const data(white);
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    std::vector<matrix<double>> layers;
    for (std::size_t l = 0; l < 5; ++l) {
      counter_random random(seed, 60 + l);
      layers.push_back(gaussian(l == 4 ? 10 : 800, l == 0 ? 10 : 800, random, 1 / std::sqrt(800.0)));
    }
    for (std::size_t b = 0; b < 5; ++b)
      logs[b] += std::log(residual_chain(layers, betas[b], data).gauss_newton().condition_number());
  }
  for (std::size_t b = 1; b < 5; ++b) {
    double const g = theory::residual_spread(betas[b]).value;
    INFO("beta " << betas[b] << ": " << logs[b] / logs[0] << ", law " << g);
    CHECK(std::abs(logs[b] / logs[0] - g) <= 0.03);
    if (b > 1) CHECK(std::abs(logs[b] / logs[0] - 1 / (1 + betas[b])) > 0.03);  // 1 / (1 + β) is another law
  }
}

TEST_CASE("The edges of a shifted gaussian layer") {
  CHECK(theory::shifted_ginibre_edges(0).smallest == 0);
  CHECK(std::abs(theory::shifted_ginibre_edges(0).largest - 4) <= 1e-12);
  CHECK(theory::shifted_ginibre_edges(1).smallest == 0);
  CHECK(theory::shifted_ginibre_edges(1.01).smallest > 0);
  counter_random random(7, 53);
  auto const w = gaussian(400, 400, random, 1 / std::sqrt(400.0));
  for (double beta : {0.0, 0.5, 1.0, 1.5, 2.0, 3.0}) {
    auto const edges = theory::shifted_ginibre_edges(beta);
    auto const moved = theory::shifted(w, beta);
    auto const e = lapack::symmetric_eigenvalues(theory::detail::product(false, true, moved, moved));
    INFO("beta " << beta << ": " << e(0) << " " << edges.largest << ", " << e(399) << " " << edges.smallest);
    CHECK(std::abs(e(0) / edges.largest - 1) <= 0.04);
    if (beta <= 1) {
      CHECK(e(399) <= 5e-3);
    } else {
      CHECK(std::abs(e(399) / edges.smallest - 1) <= 0.15);
      CHECK(std::abs(e(399) / (beta * beta) - 1) > 0.15);  // the claim s_min + β, s_min near 0
    }
  }
}

TEST_CASE("Weak residual connections do nothing at initialisation, strong ones do") {
  // d = 5, m = 20, k = 6, four layers, He's weights: medians 28.5 (β = 0), 28.5 (0.25), 27.0 (0.5), 19.1 (1), 2.8 (5).
  std::array<double, 5> const betas{0, 0.25, 0.5, 1, 5}, published{28.5, 28.5, 27.0, 19.1, 2.8};
  std::array<std::vector<double>, 5> all;
  auto white = zeros<double>(5, 5);
  for (std::size_t i = 0; i < 5; ++i) white(i, i) = 1;
  theory::covariance const data(white);
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    counter_random random(seed, 54);
    std::vector<matrix<double>> layers;
    std::size_t const widths[] = {5, 20, 20, 20, 6};
    for (std::size_t l = 0; l < 4; ++l)
      layers.push_back(gaussian(widths[l + 1], widths[l], random, 1 / std::sqrt(static_cast<double>(widths[l]))));
    for (std::size_t b = 0; b < 5; ++b)
      all[b].push_back(residual_chain(layers, betas[b], data).gauss_newton().condition_number());
  }
  for (std::size_t b = 0; b < 5; ++b) {
    INFO("beta " << betas[b] << ": " << median(all[b]));
    CHECK(std::abs(median(all[b]) / published[b] - 1) <= 0.12);
  }
}

TEST_CASE("What does not fit is refused with a documented exception") {
  auto unit = zeros<double>(3, 3);
  for (std::size_t i = 0; i < 3; ++i) unit(i, i) = 1;
  theory::covariance const data(unit);
  CHECK_THROWS_AS(residual_chain({}, 1, data), shape_mismatch);
  CHECK_THROWS_AS(residual_chain({zeros<double>(2, 4)}, 1, data), shape_mismatch);
  CHECK_THROWS_AS(residual_chain({zeros<double>(2, 3)}, std::numeric_limits<double>::infinity(), data), invalid_value);
  auto bad = zeros<double>(2, 3);
  bad(1, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(residual_chain({bad}, 1, data), invalid_value);
  CHECK_THROWS_AS(theory::semidefinite_shift(zeros<double>(2, 3), 1), shape_mismatch);
  CHECK_THROWS_AS(theory::semidefinite_shift(unit, -1), invalid_value);
  auto w = unit;
  w(0, 1) = 0.5;
  CHECK_THROWS_AS(theory::semidefinite_shift(w, 1), invalid_value);
  w = unit;
  w(0, 0) = -1;
  CHECK_THROWS_AS(theory::semidefinite_shift(w, 1), invalid_value);
}
