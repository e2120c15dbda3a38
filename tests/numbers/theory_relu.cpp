// One hidden layer with ReLU: the kernel matrix, its bounds and its width limit against brute-force Jacobians.
// KAPPA_LONG_TESTS=1 widens the sweeps and computes the table of docs/conditioning/relu.md at its full size.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "reference.hpp"
#include "spectral_distance.hpp"
#include "theory_brute_force.hpp"
#include "worst.hpp"

#include <kappa/theory/enclosed_relu.hpp>
#include <kappa/theory/relu_network.hpp>

using namespace kappa;
using namespace kappa::brute_force;

namespace {

struct instance {
  matrix<double> w, v, x;  // W [k, m], V [m, d], inputs [n, d]
  double slope = 0;

  std::size_t samples() const { return x.shape(0); }
  theory::relu_kernel kernel() const { return {w, v, x, slope}; }
  /// The non-zero spectrum's brute force.
  vector<double> spectrum() const {
    auto const k = w.shape(0), m = w.shape(1), d = v.shape(1);
    auto const forward = [&](duals const& theta) {
      auto z = apply(theta, 0, m, d, constants(x));
      for (dual& s : z)
        if (!(s.v > 0)) s = s * dual(slope);
      return apply(theta, m * d, k, m, z);
    };
    return brute_force::spectrum(forward, flat(v, w), samples());
  }
};

/// Wide and narrow layers, more and fewer samples than inputs, five slopes from ReLU to linear.
instance random_instance(std::uint64_t seed) {
  counter_random random(seed, 11);
  auto const d = size_between(2, 6, random), k = size_between(1, 3, random), m = size_between(1, 10, random);
  auto const n = random.uniform() < 0.6 ? size_between(1, d, random) : size_between(d, d + 3, random);
  constexpr double slopes[] = {0, 0.01, 0.1, 0.5, 1};
  instance i;
  i.slope = slopes[seed % 5];
  i.w = gaussian(k, m, random);
  i.v = gaussian(m, d, random);
  i.x = gaussian(n, d, random);
  return i;
}

/// Orthonormal samples, n <= d, by Gram and Schmidt.
matrix<double> orthonormal(std::size_t n, std::size_t d, counter_random& random) {
  auto x = gaussian(n, d, random);
  for (std::size_t q = 0; q < n; ++q)
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t r = 0; r < q; ++r) {
        double along = 0;
        for (std::size_t j = 0; j < d; ++j) along += x(q, j) * x(r, j);
        for (std::size_t j = 0; j < d; ++j) x(q, j) -= along * x(r, j);
      }
      double norm = 0;
      for (std::size_t j = 0; j < d; ++j) norm += x(q, j) * x(q, j);
      for (std::size_t j = 0; j < d; ++j) x(q, j) /= std::sqrt(norm);
    }
  return x;
}

struct tally {
  int decided = 0, finite = 0, violated = 0;
};

/// Counts how often `stated(kernel)` is passed by κ, over nonsingular kernel matrices.
tally count(auto const& draw, auto const& stated, bool lower = false, std::uint64_t usual = 500) {
  tally t;
  for (std::uint64_t seed = 0; seed < instances(usual); ++seed) {
    instance const i = draw(seed);
    auto const g = i.kernel();
    auto const brute = i.spectrum();
    if (brute.size() < g.order()) continue;  // fewer parameters than n k: singular
    auto const kappa = condition_of(brute, g.order());
    if (!kappa.decided()) continue;
    ++t.decided;
    double const number = stated(g);
    t.finite += std::isfinite(number);
    t.violated += lower ? number > kappa.value * (1 + kappa.slack) : kappa.value > number * (1 + kappa.slack);
  }
  return t;
}

struct plain : network<input<4> | dense<7, no_bias> | act::relu | dense<2, no_bias>> {};
struct leaky : network<input<5> | dense<6, no_bias> | act::leaky_relu | dense<3, no_bias>> {};
struct steep : network<input<2, 2> | flatten | dense<3, no_bias> | act::leaky<1, 2> | dense<2, no_bias>> {};
static_assert(theory::relu_network<plain> && theory::relu_network<leaky> && theory::relu_network<steep>);
static_assert(theory::relu_layers_of<steep> == theory::relu_layers{4, 3, 2, 0, 12, 0.5});

struct linear : network<input<4> | dense<7, no_bias> | dense<2, no_bias>> {};
struct biased : network<input<4> | dense<7> | act::relu | dense<2, no_bias>> {};
struct deeper : network<input<4> | dense<7, no_bias> | act::relu | dense<2, no_bias> | dense<2, no_bias>> {};
struct unfinished : network<input<4> | dense<7, no_bias> | act::relu> {};
struct smooth : network<input<4> | dense<7, no_bias> | act::tanh | dense<2, no_bias>> {};
struct at_positions : network<input<3, 4> | dense<7, no_bias> | act::relu | dense<2, no_bias>> {};
struct skipping : network<input<4> | residual(dense<4, no_bias> | act::relu | dense<4, no_bias>)> {};
template <class... Net>
inline constexpr bool none = !(theory::relu_network<Net> || ...);
static_assert(none<linear, biased, deeper, unfinished, smooth, at_positions, skipping, int>);

template <class Net>
void against_reference() {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    counter_random random(seed, 3);
    auto const n = size_between(1, 6, random);
    auto const x = gaussian(n, static_cast<std::size_t>(Net::input_shape.size()), random);
    auto theta = zeros<double>(static_cast<std::size_t>(Net::parameter_count));
    for (double& t : elements(theta)) t = random.normal();
    auto const p = theta.size(), d = x.shape(1);
    auto g = zeros<double>(p, p);
    std::vector<long double> const wide(theta.begin(), theta.end());
    for (std::size_t q = 0; q < n; ++q) {
      std::vector<long double> const sample(x.data() + q * d, x.data() + (q + 1) * d);
      auto const j = reference::jacobian<Net, long double>(wide, std::span<long double const>(sample));
      for (std::size_t r = 0; r < j.size() / p; ++r)
        for (std::size_t a = 0; a < p; ++a)
          for (std::size_t b = 0; b < p; ++b)
            g(a, b) += static_cast<double>(j[r * p + a] * j[r * p + b] / static_cast<long double>(n));
    }
    theory::relu_gauss_newton<Net> const kernel(theta, x);
    CHECK(spectral_distance(lapack::symmetric_eigenvalues(g), kernel.eigenvalues()) <= 1e-12);
    auto narrow = zeros<float>(p);
    std::copy(theta.begin(), theta.end(), narrow.begin());
    CHECK(spectral_distance(kernel.eigenvalues(), theory::relu_gauss_newton<Net>(narrow, x).eigenvalues()) <= 1e-5);
  }
}

}  // namespace

TEST_CASE("The kernel matrix has the spectrum of the Gauss-Newton matrix of the declared network") {
  against_reference<plain>();
  against_reference<leaky>();
  against_reference<steep>();
}

TEST_CASE("The kernel matrix has the spectrum of the Gauss-Newton matrix, at any shape and slope") {
  double worst = 0;
  int seen_slope = 0, seen_scale = 0, leaky_ones = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    instance const i = random_instance(seed);
    auto const brute = i.spectrum();
    worst = worst_of(worst, spectral_distance(brute, i.kernel().eigenvalues()));
    // Planted: another slope, and data twice as large.
    auto wrong = i;
    wrong.slope = i.slope / 2;
    seen_slope += i.slope > 0.05 && spectral_distance(brute, wrong.kernel().eigenvalues()) > 1e-6;
    leaky_ones += i.slope > 0.05;
    wrong = i;
    for (double& x : elements(wrong.x)) x *= 2;
    seen_scale += spectral_distance(brute, wrong.kernel().eigenvalues()) > 1e-2;
  }
  CHECK(worst <= 1e-12);
  CHECK(seen_slope >= leaky_ones * 9 / 10);
  CHECK(seen_scale >= static_cast<int>(instances(500) * 9 / 10));  // a dead network stays dead at any scale
}

TEST_CASE("The bounds have no violation") {
  auto const number = [](auto statement) { return [=](theory::relu_kernel const& g) { return statement(g).value; }; };
  for (auto const& t :
       {count(random_instance, number(theory::relu_bound)), count(random_instance, number(theory::relu_norm_bound)),
        count(random_instance, number(theory::relu_sample_bound))}) {
    CHECK(t.violated == 0);
    CHECK(t.decided >= 200);
    CHECK(t.finite >= 150);
  }
  auto const below = count(random_instance, number(theory::relu_sample_lower_bound), true);
  CHECK(below.violated == 0);
  CHECK(below.decided >= 200);
}

TEST_CASE("The bounds are proved in interval arithmetic") {
  int decided = 0, enclosed = 0, undecided = 0;
  std::array<int, 4> proved{}, refuted{}, planted{};
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto const i = random_instance(seed);
    theory::enclosed_relu_kernel const in(i.w, i.v, i.x, i.slope);
    auto const kappa = in.condition_number();
    if (!in.decided() || !std::isfinite(kappa.upper())) {
      ++undecided;
      continue;
    }
    ++decided;
    double const plain = i.kernel().condition_number();
    double const slack = 1e-13 * plain * plain;  // of the number that is not enclosed
    enclosed += kappa.lower() <= plain + slack && plain - slack <= kappa.upper();
    std::array<theory::interval, 4> const stated{theory::relu_bound_t::value(in), theory::relu_norm_bound_t::value(in),
                                                 theory::relu_sample_bound_t::value(in),
                                                 theory::relu_sample_lower_bound_t::value(in)};
    for (std::size_t b = 0; b < 3; ++b) {
      proved[b] += kappa.upper() <= stated[b].lower();
      refuted[b] += kappa.lower() > stated[b].upper();
      planted[b] += kappa.lower() > (stated[b] / 2.0).upper();
    }
    proved[3] += kappa.lower() >= stated[3].upper();
    refuted[3] += kappa.upper() < stated[3].lower();
    planted[3] += kappa.upper() < (stated[3] * 10.0).lower();
  }
  INFO(decided << " decided, " << undecided << " not; proved " << proved[0] << " " << proved[1] << " " << proved[2]
               << " " << proved[3]);
  CHECK(decided >= 200);
  CHECK(enclosed == decided);
  for (std::size_t b = 0; b < 4; ++b) {
    CHECK(refuted[b] == 0);
    CHECK(proved[b] >= decided * (b == 2 ? 7 : 9) / 10);  // an equality, as for one sample, cannot be proved
  }
  CHECK(planted[2] >= decided / 4);  // half of the bound by samples is refuted, and ten times the lower bound
  CHECK(planted[3] >= decided / 4);
}

TEST_CASE("Planted faults in the bounds are violated") {
  // The smallest non-zero singular values in place of λ_min.
  auto const misread = [](theory::relu_kernel const& g) {
    auto const x = g.input_spectrum(), w = g.weight_spectrum(), gamma = g.gamma_spectrum();
    return (x.largest * w.largest + gamma.largest) /
           (g.slope() * g.slope() * x.smallest_non_zero * w.smallest_non_zero + gamma.smallest_non_zero);
  };
  CHECK(count(random_instance, misread).violated > 5);
  // The slope forgotten below: the bound of a linear network.
  auto const linear_bound = [](theory::relu_kernel const& g) {
    auto const x = g.input_spectrum(), w = g.weight_spectrum(), gamma = g.gamma_spectrum();
    return (x.largest * w.largest + gamma.largest) / (x.smallest * w.smallest + gamma.smallest);
  };
  CHECK(count(random_instance, linear_bound).violated > 5);
  // The best sample's block below and the worst one's above, exchanged.
  auto const exchanged = [](theory::relu_kernel const& g) {
    auto const x = g.input_spectrum(), b = g.sample_spectrum(), gamma = g.gamma_spectrum();
    return (x.largest * b.smallest + gamma.largest) / (x.smallest * b.largest + gamma.smallest);
  };
  CHECK(count(random_instance, exchanged).violated > 20);
  // The upper bound as a lower one.
  auto const upper = [](theory::relu_kernel const& g) { return theory::relu_sample_bound(g).value; };
  CHECK(count(random_instance, upper, true).violated > 50);
}

TEST_CASE("How the bounds stand to one another") {
  int finite_for_relu = 0, tighter = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto const g = random_instance(seed).kernel();
    double const paper = theory::relu_bound(g).value, ours = theory::relu_sample_bound(g).value;
    CHECK(ours <= paper * (1 + 1e-12 + 1e-15 * ours));  // λ_min is known to ε λ_max
    CHECK((paper <= theory::relu_norm_bound(g).value * (1 + 1e-12)));
    if (g.slope() == 0 && g.hidden() < g.samples()) CHECK(paper == std::numeric_limits<double>::infinity());
    finite_for_relu += g.slope() == 0 && std::isfinite(ours);
    tighter += ours < 0.9 * paper;
    CHECK(theory::relu_sample_lower_bound(g).value <= ours * (1 + 1e-12 + 1e-15 * ours));
  }
  CHECK(finite_for_relu > 20);
  CHECK(tighter > 50);
}

TEST_CASE("On orthonormal inputs the bounds are two-sided, and tight for a linear network") {
  auto const draw = [](std::uint64_t seed) {
    counter_random random(seed, 12);
    auto const d = size_between(3, 6, random), n = size_between(2, d, random), k = size_between(1, 3, random);
    auto const m = size_between(std::max(n, k), 12, random);
    instance i;
    i.slope = seed % 4 == 0 ? 1 : random.uniform();
    i.w = gaussian(k, m, random);
    i.v = gaussian(m, d, random);
    i.x = orthonormal(n, d, random);
    return i;
  };
  auto const upper = count(draw, [](auto const& g) { return theory::relu_sample_bound(g).value; });
  auto const lower = count(
      draw, [](auto const& g) { return theory::relu_sample_lower_bound(g).value; }, true);
  CHECK(upper.violated == 0);
  CHECK(lower.violated == 0);
  CHECK(upper.decided > 400);
  for (std::uint64_t seed = 0; seed < 40; seed += 4) {
    auto const g = draw(seed).kernel();
    CHECK(std::abs(theory::relu_sample_bound(g).value / g.condition_number() - 1) <= 1e-9);
  }
}

TEST_CASE("The width limit is approached, and the wrong constant is not") {
  // The distance falls like 1/√m: at n = 24 from some 35 % at m = 600 to some 6 % at m = 24,000.
  for (double slope : {0.0, 0.1, 0.5}) {
    double const limit = theory::relu_width_limit(std::size_t{24}, slope).value;
    double wide = 0, narrow = 0;
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      wide += theory::whitened_relu_kernel({24, 40, 24000, 2}, slope, seed).condition_number() / 4;
      narrow += theory::whitened_relu_kernel({24, 40, 600, 2}, slope, seed).condition_number() / 4;
    }
    INFO("slope " << slope << ": " << narrow << ", " << wide << " -> " << limit);
    CHECK(std::abs(wide / limit - 1) <= 0.09);
    CHECK(std::abs(wide - limit) < 0.3 * std::abs(narrow - limit));
    CHECK(std::abs(wide / (1 + 2 * (limit - 1)) - 1) > 0.10);  // 1/2π doubled
  }
  CHECK(theory::relu_width_limit(std::size_t{500}, 1.0).value == 1);
  // The limits the reference prints for n = 500.
  CHECK(std::abs(theory::relu_width_limit(std::size_t{500}, 0.0).value - 234.5) <= 0.05);
  CHECK(std::abs(theory::relu_width_limit(std::size_t{500}, 0.1).value - 172.4) <= 0.05);
  CHECK(std::abs(theory::relu_width_limit(std::size_t{500}, 0.3).value - 84.5) <= 0.05);
  CHECK(std::abs(theory::relu_width_limit(std::size_t{500}, 0.5).value - 35.0) <= 0.05);
}

TEST_CASE("The published experiment, in small") {
  // A tenth of n = 500, d = 3072, k = 10, m = 1000 keeps the order of the columns and the growth towards ReLU.
  double before = 1;
  for (double slope : {1.0, 0.5, 0.3, 0.1, 0.0}) {
    auto const row = theory::relu_at_initialisation({50, 307, 100, 4}, slope, 1);
    CHECK(row.exact > before);
    CHECK(row.exact <= row.sample_bound * (1 + 1e-12));
    CHECK(row.sample_bound <= row.bound * (1 + 1e-12));
    CHECK(row.bound < row.norm_bound);
    CHECK(row.lower_bound <= row.exact);
    if (slope == 1) CHECK(std::abs(row.bound / row.exact - 1) <= 1e-9);
    before = row.exact;
  }
}

TEST_CASE("The published experiment at its size, with KAPPA_LONG_TESTS") {
  if (!long_tests()) return;
  // n = 500, d = 3072, k = 10, m = 1000: the numbers of one draw of the reference, means of three draws here.
  constexpr double table[5][5] = {{0, 67.7, 2781, 8414, 79.0},
                                  {0.1, 54.1, 1181, 4399, 63.4},
                                  {0.3, 30.2, 158, 1006, 35.2},
                                  {0.5, 14.1, 34.9, 450, 16.0},
                                  {1, 2.36, 2.4, 186, 2.36}};
  for (auto const& [slope, exact, bound, norm_bound, sample_bound] : table) {
    theory::relu_row average;
    for (std::uint64_t seed : {1u, 2u, 3u}) {
      auto const row = theory::relu_at_initialisation({500, 3072, 1000, 10}, slope, seed);
      average.exact += row.exact / 3;
      average.bound += row.bound / 3;
      average.norm_bound += row.norm_bound / 3;
      average.sample_bound += row.sample_bound / 3;
    }
    INFO("slope " << slope << ": " << average.exact << " " << average.bound << " " << average.norm_bound << " "
                  << average.sample_bound);
    CHECK(std::abs(average.exact / exact - 1) <= 0.03);
    CHECK(std::abs(average.bound / bound - 1) <= 0.03);
    CHECK(std::abs(average.norm_bound / norm_bound - 1) <= 0.03);
    CHECK(std::abs(average.sample_bound / sample_bound - 1) <= 0.03);
  }
}

TEST_CASE("What does not fit is refused with a documented exception") {
  auto const i = random_instance(7);
  auto const [k, m, n, d] = std::array{i.w.shape(0), i.w.shape(1), i.x.shape(0), i.x.shape(1)};
  using theory::relu_kernel;
  CHECK_THROWS_AS(relu_kernel(zeros<double>(k, m + 1), i.v, i.x, 0), shape_mismatch);
  CHECK_THROWS_AS(relu_kernel(i.w, i.v, zeros<double>(n, d + 1), 0), shape_mismatch);
  CHECK_THROWS_AS(relu_kernel(i.w, i.v, zeros<double>(0, d), 0), capacity_exceeded);
  CHECK_THROWS_AS(relu_kernel(i.w, i.v, i.x, -0.1), invalid_value);
  CHECK_THROWS_AS(relu_kernel(i.w, i.v, i.x, 1.1), invalid_value);
  auto bad = i.x;
  bad(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(relu_kernel(i.w, i.v, bad, 0), invalid_value);
  CHECK_THROWS_AS(theory::whitened_relu_kernel({5, 4, 9, 2}, 0, 1), invalid_value);
  CHECK_THROWS_AS(theory::relu_width_limit(std::size_t{5}, 2.0), invalid_value);
  CHECK_THROWS_AS(relu_kernel(zeros<double>(k, m), zeros<double>(m, d), i.x, 0).condition_number(), singular_matrix);
  CHECK_THROWS_AS(theory::relu_gauss_newton<plain>(zeros<double>(3), zeros<double>(2, 4)), shape_mismatch);
}
