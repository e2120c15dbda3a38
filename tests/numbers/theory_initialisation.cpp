// Laws of gaussian initialisation against simulation and printed numbers; exact spectra against brute-force Jacobians.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "spectral_distance.hpp"
#include "theory_brute_force.hpp"
#include "worst.hpp"

#include <kappa/testing/random_instance.hpp>
#include <kappa/theory/bounds.hpp>
#include <kappa/theory/initialisation.hpp>
#include <kappa/theory/lyapunov.hpp>

using namespace kappa;
using namespace kappa::brute_force;
using theory::gaussian_chain;

namespace {

matrix<double> unit(std::size_t n) {
  auto m = zeros<double>(n, n);
  for (std::size_t i = 0; i < n; ++i) m(i, i) = 1;
  return m;
}

std::vector<matrix<double>> draw(gaussian_chain const& c, std::uint64_t seed) {
  std::vector<matrix<double>> layers;
  for (std::size_t l = 0; l < c.layers; ++l) {
    counter_random random(seed, 100 + l);
    bool const first = l == 0, last = l + 1 == c.layers;
    layers.push_back(gaussian(last ? c.outputs : c.hidden, first ? c.inputs : c.hidden, random,
                              std::sqrt(first  ? c.first_variance
                                        : last ? c.last_variance
                                               : c.middle_variance)));
  }
  return layers;
}

theory::small_gauss_newton white(std::vector<matrix<double>> const& layers) {
  std::vector<double> const gains(layers.size(), 1.0);
  return {layers, gains, theory::covariance(unit(layers.front().shape(1)))};
}

/// κ(G) and Eq. (7), means over draws, on white data.
std::array<double, 2> simulated(gaussian_chain const& c, std::uint64_t draws) {
  std::array<double, 2> sum{};
  for (std::uint64_t seed = 0; seed < draws; ++seed) {
    auto const g = white(draw(c, seed));
    sum[0] += g.condition_number() / static_cast<double>(draws);
    sum[1] += theory::eq_7_t::value(g) / static_cast<double>(draws);
  }
  return sum;
}

/// The spectrum of G by brute force for a chain of matrices; the data are √d √s_j times the rows of `basis`.
vector<double> brute_spectrum(std::vector<matrix<double>> const& layers, matrix<double> const& basis,
                              std::vector<double> const& s) {
  auto const d = s.size();
  auto x = basis;
  for (std::size_t j = 0; j < d; ++j)
    for (std::size_t i = 0; i < d; ++i) x(j, i) *= std::sqrt(static_cast<double>(d) * s[j]);
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
  return spectrum(forward, theta, d);
}

/// Σ_i s_i u_i v_iᵀ over the rows of two orthogonal matrices, the rectangle [rows, columns] of diag(s) between them.
matrix<double> aligned_layer(matrix<double> const& u, std::vector<double> const& s, matrix<double> const& v) {
  auto w = zeros<double>(u.shape(0), v.shape(0));
  for (std::size_t i = 0; i < std::min({s.size(), u.shape(0), v.shape(0)}); ++i)
    for (std::size_t r = 0; r < u.shape(0); ++r)
      for (std::size_t c = 0; c < v.shape(0); ++c) w(r, c) += s[i] * u(i, r) * v(i, c);
  return w;
}

struct aligned {
  std::vector<matrix<double>> layers;
  std::vector<std::vector<double>> singular;
  std::vector<double> data;
  matrix<double> basis;
  std::size_t outputs = 0;
};
/// `balanced`: every layer has the same singular values.
aligned random_aligned(std::uint64_t seed, bool balanced) {
  counter_random random(seed, 41);
  aligned a;
  auto const d = size_between(1, 4, random), depth = size_between(1, 4, random);
  a.outputs = size_between(1, 4, random);
  auto u = testing::detail::orthonormal_rows(d, d, random);
  a.basis = u;
  for (std::size_t j = 0; j < d; ++j) a.data.push_back(0.5 + 1.5 * random.uniform());
  std::vector<double> common(std::min(d, a.outputs));
  for (double& c : common) c = 0.3 + 1.5 * random.uniform();
  for (std::size_t l = 0; l < depth; ++l) {
    auto const rows = l + 1 == depth ? a.outputs : size_between(balanced ? 4 : 1, 5, random);
    auto s = common;
    if (!balanced) {
      s.resize(std::min(rows, u.shape(0)));
      for (double& x : s) x = random.uniform() < 0.15 ? 0 : 2 * random.normal();
    }
    auto const next = testing::detail::orthonormal_rows(rows, rows, random);
    a.layers.push_back(aligned_layer(next, s, u));
    a.singular.push_back(s);
    u = next;
  }
  return a;
}

}  // namespace

TEST_CASE("Aligned layers: the whole spectrum") {
  double worst = 0;
  std::uint64_t seen = 0, deep = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto const a = random_aligned(seed, false);
    auto const brute = brute_spectrum(a.layers, a.basis, a.data);
    auto const stated = theory::aligned_spectrum(a.singular, a.outputs, a.data);
    if (stated(0) == 0) {  // a zero network
      CHECK(brute(0) <= 1e-25);
      continue;
    }
    worst = worst_of(worst, spectral_distance(brute, stated));
    // Planted: the layers from last to first.
    auto reversed = a.singular;
    std::reverse(reversed.begin(), reversed.end());
    if (a.layers.size() < 2 || a.singular.front() == a.singular.back()) continue;
    ++deep;
    auto const wrong = theory::aligned_spectrum(reversed, a.outputs, a.data);
    seen += wrong(0) == 0 || spectral_distance(brute, wrong) > 1e-6;
  }
  CHECK(worst <= 1e-12);
  CHECK(seen >= deep * 8 / 10);
}

TEST_CASE("Balanced networks: the whole spectrum, and its closed form") {
  double worst = 0, closed = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto const a = random_aligned(seed, true);
    auto const brute = brute_spectrum(a.layers, a.basis, a.data);
    auto const depth = static_cast<double>(a.layers.size());
    std::vector<double> product;
    for (double s : a.singular.front()) product.push_back(std::pow(s, depth));
    auto const stated = theory::balanced_spectrum(product, a.layers.size(), a.outputs, a.data);
    worst = worst_of(worst, spectral_distance(brute, stated));
    // s_j (c_i² - c_j²) / (c_i^{2/L} - c_j^{2/L})
    auto form = zeros<double>(stated.size());
    for (std::size_t i = 0; i < a.outputs; ++i)
      for (std::size_t j = 0; j < a.data.size(); ++j) {
        double const ci = i < product.size() ? product[i] : 0, cj = j < product.size() ? product[j] : 0;
        double const below = std::pow(ci, 2 / depth) - std::pow(cj, 2 / depth);
        form(i * a.data.size() + j) = a.data[j] * (std::abs(below) > 1e-6 * std::pow(std::max(ci, cj), 2 / depth)
                                                       ? (ci * ci - cj * cj) / below
                                                       : depth * std::pow(ci, 2 * (depth - 1) / depth));
      }
    std::sort(form.begin(), form.end(), [](double x, double y) { return x > y; });
    closed = worst_of(closed, spectral_distance(stated, form));
  }
  CHECK(worst <= 1e-12);
  CHECK(closed <= 1e-6);  // the quotient cancels near c_i = c_j; where i, j >= rank both are 0
}

TEST_CASE("Orthogonal layers: the data's condition number at any depth") {
  double worst = 0;
  std::uint64_t seen = 0, tried = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    counter_random random(seed, 42);
    auto const d = size_between(1, 4, random), k = size_between(1, 3, random), depth = size_between(1, 5, random);
    auto const m = size_between(std::max(d, k), 5, random);
    std::vector<matrix<double>> layers;
    for (std::size_t l = 0; l < depth; ++l) {
      auto const rows = l + 1 == depth ? k : m, columns = l == 0 ? d : m, rank = std::min(rows, columns);
      auto const u = testing::detail::orthonormal_rows(rank, rows, random);
      auto const v = testing::detail::orthonormal_rows(rank, columns, random);
      layers.push_back(testing::detail::with_singular_values(std::vector<double>(rank, 1.0), u, v));
    }
    std::vector<double> s;
    for (std::size_t j = 0; j < d; ++j) s.push_back(std::exp(3 * random.uniform()));
    auto const basis = testing::detail::orthonormal_rows(d, d, random);
    auto sigma = zeros<double>(d, d);
    for (std::size_t j = 0; j < d; ++j)
      for (std::size_t p = 0; p < d; ++p)
        for (std::size_t q = 0; q < d; ++q) sigma(p, q) += s[j] * basis(j, p) * basis(j, q);
    auto const brute = brute_spectrum(layers, basis, s);
    double const exact = theory::condition_number(theory::ends_of(elements(brute)));
    double const stated = theory::orthogonal_law(theory::covariance(sigma)).value;
    worst = worst_of(worst, std::abs(stated / exact - 1));
    CHECK(std::abs(brute(0) / (static_cast<double>(depth) * *std::max_element(s.begin(), s.end())) - 1) <= 1e-12);
    if (depth == 1 || d == 1) continue;
    // Planted: one layer that is not orthogonal.
    ++tried;
    for (double& x : elements(layers.front())) x *= 1 + 0.5 * random.normal();
    auto const other = brute_spectrum(layers, basis, s);
    seen += std::abs(stated / theory::condition_number(theory::ends_of(elements(other))) - 1) > 1e-6;
  }
  CHECK(worst <= 1e-11);
  CHECK(seen >= tried * 9 / 10);
}

TEST_CASE("The random-matrix bound: the printed numbers, and its hypothesis") {
  auto const number = [](std::size_t width, std::size_t m) {
    return theory::random_matrix_bound(theory::kaiming(width, m, width, 2), 3).value;
  };
  CHECK(std::abs(number(5, 100) - 10.2286) <= 5e-5);
  CHECK(std::abs(number(5, 1000) - 1.9513) <= 5e-5);
  CHECK(std::abs(number(50, 200) - 35.3743) <= 5e-5);
  CHECK(std::abs(number(50, 2000) - 2.5005) <= 5e-5);
  // m = 20 at d = k = 5, t = 3 has √m < √5 + 3: the printed 161.4984 squares a negative number.
  CHECK_THROWS_AS(number(5, 20), invalid_value);
  CHECK(std::abs(theory::random_matrix_bound(theory::kaiming(5, 100, 5, 2), 3, 7).value - 7 * number(5, 100)) <= 1e-9);
  CHECK_THROWS_AS(theory::random_matrix_bound(theory::kaiming(5, 100, 5, 3), 3), invalid_value);
  CHECK_THROWS_AS(theory::random_matrix_bound(theory::kaiming(5, 100, 5, 2), 0), invalid_value);
  CHECK_THROWS_AS(theory::random_matrix_bound(theory::kaiming(5, 100, 5, 2), 3, 0.5), invalid_value);
}

TEST_CASE("The random-matrix bound fails no more often than stated") {
  std::size_t const d = 5, k = 5, m = 60;
  auto const draws = instances(2000);
  for (double t : {1.7, 2.0, 2.5}) {
    auto const c = theory::kaiming(d, m, k, 2);
    auto const stated = theory::random_matrix_bound(c, t);
    CHECK(std::abs(stated.probability - (1 - 4 * std::exp(-t * t / 2))) <= 1e-15);
    std::uint64_t failures = 0, above_tenth = 0;
    for (std::uint64_t seed = 0; seed < draws; ++seed) {
      auto const layers = draw(c, seed);
      auto const a = lapack::symmetric_eigenvalues(theory::detail::product(false, true, layers[1], layers[1]));
      auto const b = lapack::symmetric_eigenvalues(theory::detail::product(true, false, layers[0], layers[0]));
      double const kappa = (a(0) + b(0)) / (a(k - 1) + b(d - 1));
      failures += kappa > stated.value;
      above_tenth += kappa > stated.value / 10;
    }
    CHECK(static_cast<double>(failures) <= (1 - stated.probability) * static_cast<double>(draws));
    // A tenth of it is exceeded more often than that.
    CHECK(static_cast<double>(above_tenth) > (1 - stated.probability) * static_cast<double>(draws));
  }
}

TEST_CASE("Edges of products of gaussian layers") {
  for (double rho : {0.01, 0.25, 1.0}) {
    auto const one = theory::product_edges(1, rho);  // Marchenko and Pastur
    CHECK(std::abs(one.largest - std::pow(1 + std::sqrt(rho), 2)) <= 1e-12);
    CHECK(std::abs(one.smallest - std::pow(1 - std::sqrt(rho), 2)) <= 1e-12);
    CHECK(theory::product_edges(0, rho).largest == 1);
  }
  // (p + 1)^{p + 1} / p^p at ρ = 1 (Fuss and Catalan).
  for (std::size_t p : {1u, 2u, 3u, 6u}) {
    auto const q = static_cast<double>(p);
    auto const edges = theory::product_edges(p, 1);
    CHECK(std::abs(edges.largest / (std::pow(q + 1, q + 1) / std::pow(q, q)) - 1) <= 1e-12);
    CHECK(edges.smallest <= 1e-12);
  }
  // Simulation: p layers of width 600 on 100 directions.
  for (std::size_t p : {2u, 4u}) {
    counter_random random(p, 43);
    auto frame = zeros<double>(600, 100);
    for (std::size_t i = 0; i < 100; ++i) frame(i, i) = 1;
    for (std::size_t h = 0; h < p; ++h)
      frame = theory::detail::product(false, false, gaussian(600, 600, random, 1 / std::sqrt(600.0)), frame);
    auto const e = lapack::symmetric_eigenvalues(theory::detail::product(true, false, frame, frame));
    auto const edges = theory::product_edges(p, 100.0 / 600);
    INFO(p << ": " << e(0) << " " << edges.largest << ", " << e(99) << " " << edges.smallest);
    CHECK(std::abs(e(0) / edges.largest - 1) <= 0.10);  // the edge of finite order lies inside
    CHECK(std::abs(e(99) / edges.smallest - 1) <= 0.12);
    auto const other = theory::product_edges(p + 1, 100.0 / 600);  // one layer more is another law
    CHECK(std::abs(e(0) / other.largest - 1) > 0.15);
    CHECK(std::abs(e(99) / other.smallest - 1) > 0.3);
  }
  CHECK_THROWS_AS(theory::product_edges(2, 0), invalid_value);
  CHECK_THROWS_AS(theory::product_edges(2, 1.5), invalid_value);
}

TEST_CASE("The limit of Eq. (7) is approached from below") {
  // The reference's limits, and simulations at a third of its sizes.
  CHECK(std::abs(theory::eq_7_limit(theory::kaiming(400, 2000, 200, 2)).value - 6.12) <= 0.005);
  CHECK(std::abs(theory::eq_7_limit(theory::kaiming(400, 2000, 200, 4)).value - 37.2) <= 0.05);
  CHECK(std::abs(theory::eq_7_limit(theory::kaiming(300, 2000, 20, 6)).value - 22.3) <= 0.05);
  for (auto const& c : {theory::kaiming(130, 650, 65, 2), theory::kaiming(130, 650, 65, 4),
                        theory::xavier(100, 500, 50, 3), theory::kaiming(100, 650, 7, 6)}) {
    auto const layers = draw(c, 1);
    double above = 0, below = 0;
    auto const g = white(layers);
    for (std::size_t l = 0; l < g.depth(); ++l) {
      above += g.left_spectrum(l).largest * g.right_spectrum(l).largest;
      below += g.left_spectrum(l).smallest * g.right_spectrum(l).smallest;
    }
    double const limit = theory::eq_7_limit(c).value;
    INFO(c.layers << " layers: " << above / below << " -> " << limit);
    CHECK(above / below <= limit);
    CHECK(above / below >= 0.80 * limit);
    auto deeper = c;
    ++deeper.layers;
    CHECK(above / below < 0.80 * theory::eq_7_limit(deeper).value);  // one layer more is another limit
  }
  CHECK_THROWS_AS(theory::eq_7_limit(theory::kaiming(5, 4, 3, 2)), invalid_value);
}

TEST_CASE("The wide limit: fluctuations add in quadrature") {
  // The reference's figures at d = k = 16, with the edge of finite order.
  CHECK(std::abs(theory::wide_limit(theory::kaiming(16, 4000, 16, 2), true).condition_number - 1.259) <= 6e-4);
  CHECK(std::abs(theory::wide_limit(theory::kaiming(16, 4000, 16, 4), true).condition_number - 1.591) <= 6e-4);
  CHECK(std::abs(theory::wide_limit(theory::kaiming(16, 2500, 16, 8), true).condition_number - 2.58) <= 6e-3);
  for (std::size_t layers : {2u, 4u, 8u}) {
    gaussian_chain c = theory::kaiming(16, 1500, 16, layers);
    c.first_variance = 1.0 / 1500;  // equal c_l
    auto const [kappa, seven] = simulated(c, layers == 8 ? 1 : 2);
    auto const law = theory::wide_limit(c, true);
    INFO(layers << " layers: " << kappa << " (law " << law.condition_number << "), looseness "
                << (seven - 1) / (kappa - 1) << " (law " << law.looseness << ")");
    // What is left is of second order.
    CHECK(std::abs((kappa - 1) / (law.condition_number - 1) - 1) <= 0.6 * law.spread);
    CHECK(std::abs((seven - 1) / (kappa - 1) / law.looseness - 1) <= 0.3 * law.spread);
    // A linear sum of the layers' edges, as in Eq. (7), is not what κ does.
    if (layers == 8) CHECK(std::abs((kappa - 1) / (law.looseness * (law.condition_number - 1)) - 1) > 0.1);
    // Equal c_l: both sums of squares are 1² + ... + (L-1)².
    double exact = 0;
    for (std::size_t j = 1; j < layers; ++j) exact += static_cast<double>(j * j);
    auto const depth = static_cast<double>(layers);
    CHECK(std::abs(theory::wide_limit(c).spread - 2 / depth * 2 * std::sqrt(16.0 / 1500) * std::sqrt(exact)) <= 1e-12);
  }
  gaussian_chain deep = theory::kaiming(16, 1u << 20, 16, 400);
  deep.first_variance = deep.middle_variance;
  CHECK(std::abs(theory::wide_limit(deep).looseness - 2 / std::sqrt(3.0)) <= 3e-3);
  CHECK(theory::wide_limit(theory::kaiming(20, 40, 10, 20)).condition_number ==
        std::numeric_limits<double>::infinity());
}

TEST_CASE("The Lyapunov slope: the smaller of k and d decides") {
  // d = k = 6, m = 60, all layers N(0, 1/m): 0.0885 in the reference, and 0.0345 for the smaller side 3.
  CHECK(std::abs(theory::lyapunov_slope_t::between_exponents(60, 6) - 0.0885) <= 5e-5);
  CHECK(std::abs(theory::lyapunov_slope_t::between_exponents(60, 3) - 0.0345) <= 5e-5);
  CHECK(theory::lyapunov_slope_t::between_exponents(60, 1) == 0);
  // ψ(3/2) - ψ(1) = 2 - 2 ln 2 exactly.
  CHECK(std::abs(theory::lyapunov_slope_t::between_exponents(3, 2) - (2 - 2 * std::log(2.0))) <= 1e-14);
  auto const measured = [](std::size_t d, std::size_t k) {
    std::array<double, 2> medians{};
    std::array<std::size_t, 2> const depths{60, 200};
    for (std::size_t i = 0; i < 2; ++i) {
      gaussian_chain c = theory::kaiming(d, 40, k, depths[i]);
      c.first_variance = 1.0 / 40;
      std::vector<double> logs;
      for (std::uint64_t seed = 0; seed < 15; ++seed) {
        auto const layers = draw(c, 1000 * depths[i] + seed);
        // A_l and B_l by running products, scaled alike: κ of their sum alone matters.
        std::vector<matrix<double>> left(depths[i]), right(depths[i]);
        auto suffix = unit(k);
        for (std::size_t l = depths[i]; l-- > 0;) {
          left[l] = theory::detail::product(false, true, suffix, suffix);
          if (l > 0) suffix = theory::detail::product(false, false, suffix, layers[l]);
        }
        auto prefix = unit(d);
        auto g = zeros<double>(k * d, k * d);
        for (std::size_t l = 0; l < depths[i]; ++l) {
          right[l] = theory::detail::product(true, false, prefix, prefix);
          for (std::size_t a = 0; a < k; ++a)
            for (std::size_t b = 0; b < k; ++b)
              for (std::size_t p = 0; p < d; ++p)
                for (std::size_t q = 0; q < d; ++q) g(a * d + p, b * d + q) += left[l](a, b) * right[l](p, q);
          prefix = theory::detail::product(false, false, layers[l], prefix);
        }
        auto const e = lapack::symmetric_eigenvalues(g);
        logs.push_back(std::log(e(0) / e(e.size() - 1)));
      }
      std::nth_element(logs.begin(), logs.begin() + 7, logs.end());
      medians[i] = logs[7];
    }
    return (medians[1] - medians[0]) / static_cast<double>(depths[1] - depths[0]);
  };
  double const square = measured(5, 5), flat_one = measured(5, 2);
  double const five = theory::lyapunov_slope(theory::kaiming(5, 40, 5, 60)).value;
  double const two = theory::lyapunov_slope(theory::kaiming(5, 40, 2, 60)).value;
  INFO(square << " (" << five << "), " << flat_one << " (" << two << ")");
  CHECK(std::abs(square / five - 1) <= 0.15);
  CHECK(std::abs(flat_one - two) <= 0.03);  // terms of order 1/√L add to it
  CHECK(flat_one < 0.6 * five);             // max(k, d) would be `five`
  CHECK_THROWS_AS(theory::lyapunov_slope_t::between_exponents(5, 6), invalid_value);
  CHECK_THROWS_AS(theory::lyapunov_slope_t::between_exponents(5, 0), invalid_value);
}

TEST_CASE("What does not fit the exact spectra is refused") {
  std::vector<double> const none, one{1};
  CHECK_THROWS_AS(theory::aligned_spectrum({}, 1, one), shape_mismatch);
  CHECK_THROWS_AS(theory::aligned_spectrum({one}, 1, none), shape_mismatch);
  CHECK_THROWS_AS(theory::aligned_spectrum({one}, 0, one), shape_mismatch);
  CHECK_THROWS_AS(theory::aligned_spectrum({{std::numeric_limits<double>::quiet_NaN()}}, 1, one), invalid_value);
  CHECK_THROWS_AS(theory::balanced_spectrum({-1}, 2, 1, one), invalid_value);
}
