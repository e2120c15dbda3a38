// Statements in circulation that are false, each with a counterexample, and beside it what is true on the same
// matrices. None of them is offered by the library; docs/conditioning/wrong_statements.md tells where each comes from.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "spectral_distance.hpp"
#include "theory_brute_force.hpp"

#include <kappa/testing/random_instance.hpp>
#include <kappa/theory/bounds.hpp>
#include <kappa/theory/convolution.hpp>
#include <kappa/theory/relu_network.hpp>
#include <kappa/theory/residual.hpp>

using namespace kappa;
using namespace kappa::brute_force;

namespace {

matrix<double> diagonal(std::vector<double> const& d) {
  auto m = zeros<double>(d.size(), d.size());
  for (std::size_t i = 0; i < d.size(); ++i) m(i, i) = d[i];
  return m;
}
matrix<double> rows(std::vector<std::vector<double>> const& all) {
  auto m = zeros<double>(all.size(), all.front().size());
  for (std::size_t i = 0; i < all.size(); ++i) std::copy(all[i].begin(), all[i].end(), m.data() + i * m.shape(1));
  return m;
}
matrix<double> times(matrix<double> const& a, matrix<double> const& b) {
  return theory::detail::product(false, false, a, b);
}
matrix<double> gram(matrix<double> const& a) { return theory::detail::product(false, true, a, a); }  // A Aᵀ
vector<double> eigenvalues(matrix<double> const& m) { return lapack::symmetric_eigenvalues(m); }
double smallest(vector<double> const& descending) { return descending(descending.size() - 1); }

theory::small_gauss_newton small(std::vector<matrix<double>> const& layers, matrix<double> const& sigma) {
  std::vector<double> const gains(layers.size(), 1.0);
  return {layers, gains, theory::covariance(sigma)};
}

/// κ(G) over non-zero eigenvalues by brute force, on data with Σ = diag(s).
double brute_kappa(std::vector<matrix<double>> const& layers, std::vector<double> const& s) {
  auto const d = s.size();
  std::vector<double> roots;
  for (double x : s) roots.push_back(std::sqrt(static_cast<double>(d) * x));
  auto const x = diagonal(roots);
  std::vector<double> theta;
  for (auto const& w : layers) theta.insert(theta.end(), w.data(), w.data() + w.size());
  auto const forward = [&](duals const& at) {
    auto z = constants(x);
    std::size_t offset = 0;
    for (auto const& w : layers) {
      z = apply(at, offset, w.shape(0), w.shape(1), z);
      offset += w.size();
    }
    return z;
  };
  return theory::condition_number(theory::ends_of(elements(spectrum(forward, theta, d))));
}

/// Eq. (7), and at two layers Lemma 2, with the smallest non-zero eigenvalues.
double with_non_zero_values(theory::small_gauss_newton const& g) {
  double above = 0, below = 0;
  for (std::size_t l = 0; l < g.depth(); ++l) {
    above += g.left_spectrum(l).largest * g.right_spectrum(l).largest;
    below += g.left_spectrum(l).smallest_non_zero * g.right_spectrum(l).smallest_non_zero;
  }
  return g.data().condition_number() * above / below;
}

}  // namespace

TEST_CASE("False: Lemma 2 with non-zero singular values in a bottleneck") {
  // d = k = 2, m = 1: the eigenvalues are 2, 1, 1 (and 0); the misreading says κ <= 1.
  std::vector<matrix<double>> const layers{rows({{1, 0}}), rows({{1}, {0}})};
  auto const g = small(layers, diagonal({1, 1}));
  CHECK(std::abs(brute_kappa(layers, {1, 1}) - 2) <= 1e-12);
  CHECK(std::abs(with_non_zero_values(g) - 1) <= 1e-12);
  CHECK(theory::lemma_2_t::value(g) == std::numeric_limits<double>::infinity());
  CHECK(std::abs(theory::bottleneck_bound_t::value(g) - 2) <= 1e-12);

  int violated = 0, right = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    counter_random random(seed, 61);
    auto const m = size_between(1, 3, random), d = m + size_between(1, 3, random), k = m + size_between(1, 3, random);
    std::vector<matrix<double>> const net{gaussian(m, d, random), gaussian(k, m, random)};
    auto const small_matrix = small(net, diagonal(std::vector<double>(d, 1.0)));
    double const kappa = brute_kappa(net, std::vector<double>(d, 1.0));
    violated += kappa > with_non_zero_values(small_matrix) * (1 + 1e-9);
    right += kappa <= theory::bottleneck_bound_t::value(small_matrix) * (1 + 1e-9);
  }
  CHECK(violated >= static_cast<int>(instances(500) * 7 / 10));
  CHECK(right == static_cast<int>(instances(500)));
}

TEST_CASE("False: Eq. (7) with non-zero eigenvalues in a bottleneck") {
  // 2-1-1-2, all weights ones: 3, 1, 1 (and 0), and the misreading says κ <= 1.
  std::vector<matrix<double>> const layers{rows({{1, 0}}), rows({{1}}), rows({{1}, {0}})};
  auto const g = small(layers, diagonal({1, 1}));
  CHECK(std::abs(brute_kappa(layers, {1, 1}) - 3) <= 1e-12);
  CHECK(std::abs(with_non_zero_values(g) - 1) <= 1e-12);
  CHECK(theory::eq_7_t::value(g) == std::numeric_limits<double>::infinity());
  CHECK(theory::flag_bound_t::value(g) >= 3 - 1e-12);

  int violated = 0, right = 0, tried = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    counter_random random(seed, 62);
    auto const d = size_between(2, 4, random), k = size_between(2, 4, random), r = std::min(d, k) - 1;
    auto const before = size_between(1, 5, random);
    std::vector<matrix<double>> const net{gaussian(before, d, random), gaussian(r, before, random),
                                          gaussian(k, r, random)};
    double const kappa = brute_kappa(net, std::vector<double>(d, 1.0));
    if (kappa > 1e8) continue;
    ++tried;
    auto const small_matrix = small(net, diagonal(std::vector<double>(d, 1.0)));
    violated += kappa > with_non_zero_values(small_matrix) * (1 + 1e-6);
    right += kappa <= theory::flag_bound_t::value(small_matrix) * (1 + 1e-6);
  }
  CHECK(tried >= 450);
  CHECK(violated >= tried / 2);
  CHECK(right == tried);
}

TEST_CASE("False: a residual connection adds beta to every singular value") {
  // W = diag(1, -1/2): W + I/2 is singular, and the claim is κ = 1.5.
  auto const w = diagonal({1, -0.5});
  CHECK(theory::singular_condition_number(theory::shifted(w, 0.5)) == std::numeric_limits<double>::infinity());
  CHECK((1 + 0.5) / (0.5 + 0.5) == 1.5);
  CHECK_THROWS_AS(theory::semidefinite_shift(w, 0.5), invalid_value);

  int violated = 0, worse_than_none = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    counter_random random(seed, 63);
    auto const m = size_between(2, 8, random);
    auto const square = gaussian(m, m, random, 1 / std::sqrt(static_cast<double>(m)));
    double const beta = 0.05 + 1.45 * random.uniform();
    auto const e = eigenvalues(gram(square));
    double const claimed = (std::sqrt(e(0)) + beta) / (std::sqrt(std::max(0.0, smallest(e))) + beta);
    double const exact = theory::singular_condition_number(theory::shifted(square, beta));
    violated += exact > claimed * (1 + 1e-9);
    worse_than_none += exact > theory::singular_condition_number(square);
  }
  CHECK(violated >= static_cast<int>(instances(500) * 9 / 10));
  CHECK(worse_than_none >= static_cast<int>(instances(500) * 2 / 10));
}

TEST_CASE("False: conditioning improves monotonically with beta") {
  // [monotone]
  // W^l = -I/2: κ = 1 without residual connections, and at β = 1/2 the network is zero.
  std::vector<matrix<double>> const layers(3, diagonal({-0.5, -0.5, -0.5}));
  theory::covariance const data(diagonal({1, 1, 1}));
  CHECK(std::abs(theory::residual_chain(layers, 0, data).gauss_newton().condition_number() - 1) <= 1e-12);
  auto const zero = theory::residual_chain(layers, 0.5, data);
  CHECK(zero.gauss_newton().eigenvalues()(0) == 0);
  CHECK_THROWS_AS(zero.gauss_newton().condition_number(), singular_matrix);
  // [/monotone]

  int worse = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    counter_random random(seed, 64);
    std::vector<matrix<double>> net;
    std::size_t const widths[] = {5, 20, 20, 20, 6};
    for (std::size_t l = 0; l < 4; ++l)
      net.push_back(gaussian(widths[l + 1], widths[l], random, 1 / std::sqrt(static_cast<double>(widths[l]))));
    theory::covariance const white(diagonal(std::vector<double>(5, 1.0)));
    worse += theory::residual_chain(net, 0.5, white).gauss_newton().condition_number() >
             theory::residual_chain(net, 0, white).gauss_newton().condition_number();
  }
  CHECK(worse >= 60);  // β = 1/2 is worse than none in nearly half of He's initialisations
}

TEST_CASE("False: the residual bound with high probability of a 2023 draft") {
  // d = k = 300, m = 1200, t = 3: said to hold with probability 0.91; the sign of the cross term makes it false.
  std::size_t const d = 300, m = 1200;
  double const t = 3, of_w = 1.0 / m, of_v = 1.0 / d;
  double const root_m = std::sqrt(double(m)), root_d = std::sqrt(double(d));
  auto const square = [](double x) { return x * x; };
  struct printed {
    double beta, claimed, exact;
  };
  for (auto const& [beta, claimed, exact] : {printed{1, 7.39, 7.67}, printed{2, 3.80, 4.98}, printed{3, 2.66, 3.41}}) {
    double const above = of_w * square(root_m + root_d + t) + of_v * square(root_m + root_d + t) +
                         2 * beta * (std::sqrt(of_v) + std::sqrt(of_w)) * (2 * root_d + t) + 2 * beta * beta;
    double const below = of_w * square(root_m - root_d - t) + of_v * square(root_m - root_d - t) + 2 * beta * beta;
    // What is true takes the cross term off.
    double const corrected = below - 2 * beta * (std::sqrt(of_v) + std::sqrt(of_w)) * (std::sqrt(2.0 * d) + t);
    CHECK(std::abs(above / below - claimed) <= 0.006);
    for (std::uint64_t seed = 0; seed < 2; ++seed) {
      counter_random random(seed, 65);
      auto const v = theory::shifted(gaussian(m, d, random, std::sqrt(of_v)), beta);
      auto const w = theory::shifted(gaussian(d, m, random, std::sqrt(of_w)), beta);
      auto const a = eigenvalues(gram(w)), b = eigenvalues(theory::detail::product(true, false, v, v));
      double const kappa = (a(0) + b(0)) / (smallest(a) + smallest(b));  // exact for one hidden layer, white data
      CHECK(std::abs(kappa / exact - 1) <= 0.03);
      CHECK(kappa > above / below);
      CHECK(smallest(a) + smallest(b) < below);
      CHECK(smallest(a) + smallest(b) >= corrected);
    }
  }
}

TEST_CASE("False: Eq. (7) with Toeplitz matrices bounds a convolution's condition number") {
  // Two filters that nearly share a root: weights shared, G is nearly singular; the free parameters' bound sees
  // nothing.
  for (double gap : {1e-2, 1e-3}) {
    theory::linear_convolution_chain const chain({{1, 1, 2, {-0.5, 1}}, {1, 1, 2, {-0.5 + gap, 1}}}, 8);
    theory::convolution_gauss_newton const g(chain, theory::covariance(diagonal(std::vector<double>(8, 1.0))));
    auto const forward = [](duals const& w) {
      duals outputs;  // for every unit vector as input
      for (std::size_t q = 0; q < 8; ++q)
        for (std::size_t p = 0; p < 6; ++p) {
          dual y;
          for (std::size_t s = 0; s < 2; ++s)
            for (std::size_t r = 0; r < 2; ++r)
              if (p + s + r == q) y += w[2 + s] * w[r];
          outputs.push_back(y);
        }
      return outputs;
    };
    auto const brute = spectrum(forward, {-0.5, 1, -0.5 + gap, 1}, 1);
    double const kappa = brute(0) / brute(2);  // three composite taps
    double const free = theory::eq_7_t::value(g.unshared());
    CHECK(std::abs(g.condition_number() / kappa - 1) <= 1e-6);
    CHECK(kappa > 1 / (gap * gap));
    CHECK(free < 20);
    CHECK(theory::kernel_bound(g).value >= kappa * (1 - 1e-6));
  }
}

TEST_CASE("False: pre-activations in place of activations in the ReLU bound") {
  // Two units on two samples: λ_max(Γ) = 2.618 and λ_max(XᵀVᵀVX) = 2.
  theory::relu_kernel const tiny(rows({{1, 1}}), rows({{1, 1}, {1, -1}}), diagonal({1, 1}), 0);
  CHECK(std::abs(tiny.gamma_spectrum().largest - (3 + std::sqrt(5.0)) / 2) <= 1e-12);
  CHECK(std::abs(eigenvalues(gram(rows({{1, 1}, {1, -1}})))(0) - 2) <= 1e-12);

  // And the bound made of it, at n = 100, m = 400, slope 1/2 (at the authors' own size it says 9.1 where κ is 14.1).
  for (std::uint64_t seed = 0; seed < 2; ++seed) {
    counter_random random(seed, 66);
    auto const vx = gaussian(400, 100, random, std::sqrt(2.0 / 100)),
               w = gaussian(4, 400, random, std::sqrt(2.0 / 400));
    theory::relu_kernel const g(w, vx, diagonal(std::vector<double>(100, 1.0)), 0.5);
    double const top = eigenvalues(gram(vx))(0);
    auto const weights = g.weight_spectrum();
    double const committed = (weights.largest + top) / (0.25 * weights.smallest + g.gamma_spectrum().smallest);
    double const exact = g.condition_number();
    INFO(committed << " < " << exact << " <= " << theory::relu_bound(g).value);
    CHECK(committed < exact);
    CHECK(theory::relu_bound(g).value >= exact);
    CHECK(g.gamma_spectrum().largest > 1.5 * top);
  }
}

TEST_CASE("False: the mask of a leaky ReLU with minus its slope") {
  counter_random random(5, 67);
  auto const w = gaussian(2, 9, random), v = gaussian(9, 6, random), x = gaussian(5, 6, random);
  double const alpha = 0.3;
  auto const forward = [&](duals const& at) {
    auto z = apply(at, 0, 9, 6, constants(x));
    for (dual& s : z)
      if (!(s.v > 0)) s = s * dual(alpha);
    return apply(at, 54, 2, 9, z);
  };
  auto const brute = spectrum(forward, flat(v, w), 5);
  CHECK(spectral_distance(brute, theory::relu_kernel(w, v, x, alpha).eigenvalues()) <= 1e-12);
  // The matrix with φ' = -α on the negative side, as committed.
  auto const z = theory::detail::product(false, true, x, v);
  auto wrong = zeros<double>(10, 10);
  auto const slope = [&](std::size_t q, std::size_t i) { return z(q, i) > 0 ? 1.0 : -alpha; };
  for (std::size_t q = 0; q < 5; ++q)
    for (std::size_t r = 0; r < 5; ++r) {
      double inputs = 0, activations = 0;
      for (std::size_t j = 0; j < 6; ++j) inputs += x(q, j) * x(r, j);
      for (std::size_t i = 0; i < 9; ++i) activations += slope(q, i) * z(q, i) * slope(r, i) * z(r, i);
      for (std::size_t a = 0; a < 2; ++a)
        for (std::size_t b = 0; b < 2; ++b) {
          double sum = a == b ? activations : 0;
          for (std::size_t i = 0; i < 9; ++i) sum += inputs * slope(q, i) * slope(r, i) * w(a, i) * w(b, i);
          wrong(q * 2 + a, r * 2 + b) = sum / 5;
        }
    }
  CHECK(spectral_distance(brute, eigenvalues(wrong)) > 1e-3);
}

TEST_CASE("False: cov ** 1/2 is the covariance's square root") {
  // Operator precedence makes it cov / 2. One layer: G has κ(Σ), the code κ(Σ)².
  auto const sigma = diagonal({100, 1});
  auto half = sigma;
  for (double& s : elements(half)) s /= 2;
  auto const wrong = eigenvalues(gram(half));  // (Σ/2) I (Σ/2)
  CHECK(std::abs(wrong(0) / wrong(1) - 1e4) <= 1e-8);
  CHECK(std::abs(brute_kappa({diagonal({1, 1})}, {100, 1}) - 100) <= 1e-9);

  // Three layers, κ(Σ) up to 1000.
  std::vector<double> ratios;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    counter_random random(seed, 68);
    std::vector<double> s(6);
    for (double& x : s) x = std::exp(std::log(1e3) * random.uniform());
    std::vector<matrix<double>> const net{gaussian(8, 6, random, 1 / std::sqrt(6.0)),
                                          gaussian(8, 8, random, 1 / std::sqrt(8.0)),
                                          gaussian(3, 8, random, 1 / std::sqrt(8.0))};
    auto const w32 = times(net[2], net[1]), w21 = times(net[1], net[0]), unit = diagonal({1, 1, 1, 1, 1, 1});
    matrix<double> const left[] = {gram(w32), gram(net[2]), diagonal({1, 1, 1})}, right[] = {unit, net[0], w21};
    auto m = zeros<double>(18, 18);  // Σ_l A_l ⊗ (Σ/2) B_l (Σ/2)
    for (std::size_t l = 0; l < 3; ++l) {
      auto const b = theory::detail::product(true, false, right[l], right[l]);
      for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j)
          for (std::size_t p = 0; p < 6; ++p)
            for (std::size_t q = 0; q < 6; ++q) m(i * 6 + p, j * 6 + q) += left[l](i, j) * b(p, q) * s[p] * s[q] / 4;
    }
    auto const e = eigenvalues(m);
    ratios.push_back(e(0) / smallest(e) / brute_kappa(net, s));
  }
  std::nth_element(ratios.begin(), ratios.begin() + 30, ratios.end());
  INFO(ratios[30]);
  CHECK(ratios[30] > 20);  // the reference's median is 134, for wider layers
}

TEST_CASE("False: a symmetric eigensolver, or a ratio of singular values, on a product that is not symmetric") {
  // k = 1, m = 1, unit weights: M = I + 1 1ᵀ, and the code takes M Σ for Σ^½ M Σ^½.
  std::vector<double> const s{1, 100};
  double const exact = brute_kappa({rows({{1, 1}}), rows({{1}})}, s);
  auto const right = eigenvalues(rows({{2, 10}, {10, 200}}));
  CHECK(std::abs(right(0) / right(1) / exact - 1) <= 1e-10);
  auto const triangle = eigenvalues(rows({{2, 1}, {1, 200}}));  // the lower triangle of M Σ, read as symmetric
  CHECK(triangle(0) / triangle(1) < 0.8 * exact);
  auto const singular = eigenvalues(gram(rows({{2, 100}, {1, 200}})));
  CHECK(std::sqrt(singular(0) / singular(1)) > 1.2 * exact);
}

TEST_CASE("False: the product bound with squares for inverse squares of the hidden layers") {
  // Aligned layers, white data: the product bound is an equality, and the slip falls below it. Hidden layer 0.1 I.
  std::vector<matrix<double>> const layers{diagonal({1, 0.5}), diagonal({0.1, 0.1}), diagonal({1, 0.5})};
  double const kappa = brute_kappa(layers, {1, 1});
  double const product = (1 / 0.25) * 1 * (1 / 0.25);
  double const right = product * (1 + 1 / 0.01 + 1) / (4 + 1 / 0.01 + 4);
  double const slip = product * (1 + 0.01 + 1) / (4 + 0.01 + 4);
  CHECK(std::abs(right / kappa - 1) <= 1e-10);
  CHECK(slip < 0.3 * kappa);
}

TEST_CASE("False: the data's condition number is a floor") {
  // [floor]
  // VᵀV = c Σ⁻¹ - λ_k I preconditions the data: κ(G) = 1 + (λ_1 - λ_k) s_max / c.
  std::vector<double> const s{100, 10, 1};
  auto const w = rows({{1, 0, 0}, {0, 0.5, 0}});
  for (double factor : {1.0, 10.0, 100.0}) {
    double const c = factor * 0.25 * 100;
    std::vector<double> v;
    for (double x : s) v.push_back(std::sqrt(c / x - 0.25));
    double const kappa = brute_kappa({diagonal(v), w}, s);
    CHECK(std::abs(kappa - (1 + 0.75 * 100 / c)) <= 1e-9);
    CHECK(kappa <= 4 + 1e-9);
  }
  // [/floor]
}
