// Batch normalisation: the small matrices against brute-force Jacobians taken through the batch's statistics.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "spectral_distance.hpp"
#include "theory_brute_force.hpp"
#include "worst.hpp"

#include <kappa/theory/batch_norm.hpp>

using namespace kappa;
using namespace kappa::brute_force;
using theory::batch_norm_gauss_newton;
using theory::batch_norm_network;
using theory::frozen_batch_norm_gauss_newton;
using theory::frozen_statistics;

namespace {

struct instance {
  batch_norm_network net;
  frozen_statistics statistics;
  matrix<double> x;

  std::vector<double> theta() const {
    auto all = flat(net.hidden_weight, net.output_weight);
    if (net.affine) {
      all.insert(all.end(), net.affine->gain.begin(), net.affine->gain.end());
      all.insert(all.end(), net.affine->shift.begin(), net.affine->shift.end());
    }
    return all;
  }
  vector<double> spectrum(bool frozen) const {
    auto const k = net.output_weight.shape(0), m = net.hidden_weight.shape(0), d = x.shape(1), n = x.shape(0);
    auto const forward = [&](duals const& at) {
      auto z = apply(at, 0, m, d, constants(x));
      auto const count = dual(static_cast<long double>(n));
      for (std::size_t i = 0; i < m; ++i) {
        dual centre = 0, square = 0;
        for (std::size_t q = 0; q < n; ++q) centre += z[q * m + i] / count;
        for (std::size_t q = 0; q < n; ++q) square += (z[q * m + i] - centre) * (z[q * m + i] - centre) / count;
        dual deviation = sqrt(square + dual(net.epsilon));
        if (frozen) {
          centre = statistics.mean(i);
          deviation = statistics.deviation(i);
        }
        for (std::size_t q = 0; q < n; ++q) {
          dual& unit = z[q * m + i];
          unit = (unit - centre) / deviation;
          if (net.affine) unit = at[m * d + k * m + i] * unit + at[m * d + k * m + m + i];
        }
      }
      return apply(at, m * d, k, m, z);
    };
    return brute_force::spectrum(forward, theta(), n);
  }
  theory::batch_norm_gauss_newton training() const { return {net, x}; }
  theory::frozen_batch_norm_gauss_newton frozen() const { return {net, statistics, x}; }
};

/// Data with a mean, more or fewer samples than features; ε zero or not; a gain and a shift or none.
instance random_instance(std::uint64_t seed) {
  counter_random random(seed, 31);
  auto const d = size_between(2, 5, random), k = size_between(1, 3, random), m = size_between(1, 7, random);
  auto const n = random.uniform() < 0.7 ? d + size_between(2, 8, random) : size_between(2, d, random);
  instance i;
  i.net.output_weight = gaussian(k, m, random);
  i.net.hidden_weight = gaussian(m, d, random);
  i.x = gaussian(n, d, random);
  for (std::size_t j = 0; j < d; ++j) {
    double const offset = 3 * random.normal(), scale = std::exp(random.normal());
    for (std::size_t q = 0; q < n; ++q) i.x(q, j) = offset + scale * i.x(q, j);
  }
  if (seed % 3 == 1) i.net.epsilon = 0.3 * random.uniform();
  i.statistics = {zeros<double>(m), zeros<double>(m)};
  for (std::size_t u = 0; u < m; ++u) {
    i.statistics.mean(u) = random.normal();
    i.statistics.deviation(u) = std::exp(random.normal());
  }
  if (seed % 2 == 1) {
    i.net.affine = {zeros<double>(m), zeros<double>(m)};
    for (std::size_t u = 0; u < m; ++u) {
      i.net.affine->gain(u) = 1 + 0.5 * random.normal();
      i.net.affine->shift(u) = random.normal();
    }
  }
  return i;
}

/// How much the normalisation magnifies rounding: the largest λ_max(Σ_c) ‖v_i‖² / σ_i².
double magnification(instance const& i) {
  auto const sigma = i.training().data();
  auto const u = theory::detail::product(false, true, i.net.hidden_weight, sigma.basis());
  double most = 1;
  for (std::size_t unit = 0; unit < u.shape(0); ++unit) {
    double variance = i.net.epsilon, length = 0;
    for (std::size_t j = 0; j < u.shape(1); ++j) variance += u(unit, j) * u(unit, j) * sigma.eigenvalues()(j);
    for (std::size_t j = 0; j < i.x.shape(1); ++j) length += std::pow(i.net.hidden_weight(unit, j), 2);
    most = std::max(most, sigma.eigenvalues()(0) * length / variance);
  }
  return most;
}

}  // namespace

TEST_CASE("The training-mode matrix has the spectrum of the Gauss-Newton matrix") {
  double worst = 0;
  std::uint64_t ordinary = 0, seen_scale = 0, seen_epsilon = 0, seen_affine = 0, seen_frozen = 0;
  auto const tried = instances(600);
  for (std::uint64_t seed = 0; seed < tried; ++seed) {
    auto const i = random_instance(seed);
    auto const brute = i.spectrum(false);
    double const error = spectral_distance(brute, i.training().eigenvalues()), magnified = magnification(i);
    worst = worst_of(worst, magnified < 1e3 ? error : 1e3 / magnified * error);
    ordinary += magnified < 1e3;
    auto wrong = i;
    wrong.net.epsilon += 0.2;
    seen_epsilon += spectral_distance(brute, wrong.training().eigenvalues()) > 1e-6;
    wrong = i;
    for (double& v : elements(wrong.net.output_weight)) v *= 2;
    seen_scale += spectral_distance(brute, wrong.training().eigenvalues()) > 1e-3;
    if (i.net.affine) {
      wrong = i;
      wrong.net.affine.reset();
      seen_affine += spectral_distance(brute, wrong.training().eigenvalues()) > 1e-3;
    }
    seen_frozen += spectral_distance(brute, i.frozen().eigenvalues()) > 1e-6;
  }
  CHECK(worst <= 1e-12);
  CHECK(ordinary >= tried * 9 / 10);
  CHECK(seen_epsilon >= tried * 9 / 10);
  CHECK(seen_scale >= tried * 8 / 10);
  CHECK(seen_affine >= tried * 4 / 10);
  CHECK(seen_frozen >= tried * 9 / 10);  // the other mode is another matrix
}

TEST_CASE("The matrix of frozen statistics has the spectrum of the Gauss-Newton matrix") {
  double worst = 0;
  std::uint64_t seen_mean = 0, seen_deviation = 0;
  auto const tried = instances(600);
  for (std::uint64_t seed = 0; seed < tried; ++seed) {
    auto const i = random_instance(seed);
    auto const brute = i.spectrum(true);
    worst = worst_of(worst, spectral_distance(brute, i.frozen().eigenvalues()));
    auto wrong = i;
    for (double& v : elements(wrong.statistics.mean)) v = 0;
    seen_mean += spectral_distance(brute, wrong.frozen().eigenvalues()) > 1e-6;
    wrong = i;
    for (double& v : elements(wrong.statistics.deviation)) v *= v;
    seen_deviation += spectral_distance(brute, wrong.frozen().eigenvalues()) > 1e-4;
  }
  CHECK(worst <= 1e-12);
  CHECK(seen_mean >= tried * 9 / 10);
  CHECK(seen_deviation >= tried * 9 / 10);
}

TEST_CASE("In training mode the mean of the data does not matter, and the readout term has no scale") {
  for (std::uint64_t seed = 0; seed < 50; seed += 2) {  // without gain and shift
    auto const i = random_instance(seed);
    auto const before = i.training();
    auto moved = i;
    for (std::size_t q = 0; q < i.x.shape(0); ++q)
      for (std::size_t j = 0; j < i.x.shape(1); ++j) moved.x(q, j) += 5;
    CHECK(spectral_distance(before.eigenvalues(), moved.training().eigenvalues()) <= 1e-10);
    CHECK(spectral_distance(i.frozen().eigenvalues(), moved.frozen().eigenvalues()) > 1e-3);
    // The trace is that of the two terms: the readout gives k for every unit, whatever V is.
    auto silent = i;
    silent.net.epsilon = 0;
    for (double& w : elements(silent.net.output_weight)) w = 0;
    auto const readout = silent.training().eigenvalues();
    double trace = 0;
    for (double e : readout) trace += e;
    auto const k = i.net.output_weight.shape(0), m = i.net.hidden_weight.shape(0);
    CHECK(std::abs(trace - static_cast<double>(k * m)) <= 1e-11 * trace);
  }
}

TEST_CASE("Most of what batch normalisation gains is centring") {
  // d = 16, k = 4, a strong mean: medians over 9 draws without normalisation, on centred data, and normalised.
  auto const draw = [](std::uint64_t seed, double offset) {
    counter_random random(seed, 32);
    instance i;
    i.x = gaussian(400, 16, random);
    for (std::size_t j = 0; j < 16; ++j) {
      double const scale = std::pow(50, -static_cast<double>(j) / 30);  // κ(Σ_c) near 50
      for (std::size_t q = 0; q < 400; ++q) i.x(q, j) = scale * i.x(q, j) + offset;
    }
    i.net.hidden_weight = gaussian(100, 16, random, 0.25);
    i.net.output_weight = gaussian(4, 100, random, 0.1);
    return i;
  };
  auto const plain = [](instance const& i) {
    std::vector<matrix<double>> const layers{i.net.hidden_weight, i.net.output_weight};
    std::vector<double> const gains{1, 1};
    return theory::small_gauss_newton(layers, gains, theory::covariance_of(i.x)).condition_number();
  };
  std::vector<double> uncentred, centred, normalised;
  for (std::uint64_t seed = 0; seed < 9; ++seed) {
    uncentred.push_back(plain(draw(seed, 3)));
    centred.push_back(plain(draw(seed, 0)));
    normalised.push_back(draw(seed, 3).training().condition_number());
  }
  for (auto* v : {&uncentred, &centred, &normalised}) std::nth_element(v->begin(), v->begin() + 4, v->end());
  INFO(uncentred[4] << " " << centred[4] << " " << normalised[4]);
  CHECK(uncentred[4] > 10 * centred[4]);
  CHECK(normalised[4] < centred[4]);
  CHECK(normalised[4] > 0.5 * centred[4]);
}

TEST_CASE("What does not fit is refused with a documented exception") {
  auto const i = random_instance(3);
  auto wrong = i;
  wrong.net.output_weight = zeros<double>(2, i.net.hidden_weight.shape(0) + 1);
  CHECK_THROWS_AS(wrong.training(), shape_mismatch);
  CHECK_THROWS_AS(wrong.frozen(), shape_mismatch);
  wrong = i;
  wrong.x = zeros<double>(4, i.x.shape(1) + 1);
  wrong.x(0, 0) = 1;
  CHECK_THROWS_AS(wrong.training(), shape_mismatch);
  wrong = i;
  wrong.net.epsilon = -1;
  CHECK_THROWS_AS(wrong.training(), invalid_value);
  wrong = i;
  wrong.net.affine->gain = zeros<double>(1 + i.net.hidden_weight.shape(0));
  CHECK_THROWS_AS(wrong.training(), shape_mismatch);
  wrong = i;
  for (double& v : elements(wrong.net.hidden_weight)) v = 0;
  wrong.net.epsilon = 0;
  CHECK_THROWS_AS(wrong.training(), singular_matrix);
  wrong = i;
  wrong.statistics.deviation(0) = 0;
  CHECK_THROWS_AS(wrong.frozen(), invalid_value);
  wrong.statistics.mean = zeros<double>(0);
  CHECK_THROWS_AS(wrong.frozen(), shape_mismatch);
  wrong = i;
  wrong.net.output_weight(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(wrong.training(), invalid_value);
  auto same = zeros<double>(3, i.x.shape(1));
  for (double& v : elements(same)) v = 2;
  CHECK_THROWS_AS(batch_norm_gauss_newton(i.net, same), invalid_value);
}
