// Chains of convolutions against brute-force Jacobians through a forward pass written with loops over positions.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "spectral_distance.hpp"
#include "theory_brute_force.hpp"
#include "worst.hpp"

#include <kappa/theory/convolution.hpp>
#include <kappa/theory/enclosed_gauss_newton.hpp>

using namespace kappa;
using namespace kappa::brute_force;
using theory::convolution_filters;
using theory::convolution_gauss_newton;
using theory::linear_convolution_chain;

namespace {

convolution_filters random_filters(std::size_t outputs, std::size_t inputs, std::size_t taps, counter_random& random) {
  convolution_filters w{outputs, inputs, taps, {}};
  for (std::size_t i = 0; i < outputs * inputs * taps; ++i)
    w.weights.push_back(random.normal() / std::sqrt(static_cast<double>(inputs * taps)));
  return w;
}

struct instance {
  std::vector<convolution_filters> layers;
  std::size_t length = 0;
  matrix<double> x;  // [n, m_0 length]

  convolution_gauss_newton gauss_newton() const {
    return {linear_convolution_chain(layers, length), theory::covariance_of(x)};
  }
  std::vector<double> theta() const {
    std::vector<double> all;
    for (auto const& w : layers) all.insert(all.end(), w.weights.begin(), w.weights.end());
    return all;
  }
  /// All outputs of all samples; `circular`: positions wrap around and their number stays.
  auto forward(bool circular) const {
    return [this, circular](duals const& at) {
      duals outputs;
      for (std::size_t q = 0; q < x.shape(0); ++q) {
        duals z(x.data() + q * x.shape(1), x.data() + (q + 1) * x.shape(1));
        std::size_t offset = 0, positions = length;
        for (auto const& w : layers) {
          auto const d = circular ? positions : positions - w.taps + 1;
          duals y(w.outputs * d);
          for (std::size_t o = 0; o < w.outputs; ++o)
            for (std::size_t p = 0; p < d; ++p)
              for (std::size_t i = 0; i < w.inputs; ++i)
                for (std::size_t t = 0; t < w.taps; ++t)
                  y[o * d + p] += at[offset + (o * w.inputs + i) * w.taps + t] * z[i * positions + (p + t) % positions];
          offset += w.weights.size();
          positions = d;
          z = y;
        }
        outputs.insert(outputs.end(), z.begin(), z.end());
      }
      return outputs;
    };
  }
  vector<double> spectrum(bool circular = false) const {
    return brute_force::spectrum(forward(circular), theta(), x.shape(0));
  }
};

/// One to three layers, one to three channels everywhere, fewer samples than elements in half of the instances.
instance random_instance(std::uint64_t seed) {
  counter_random random(seed, 21);
  instance i;
  auto const depth = size_between(1, 3, random);
  std::size_t channels = size_between(1, 2, random), field = 1;
  auto const first = channels;
  for (std::size_t l = 0; l < depth; ++l) {
    auto const next = size_between(1, l + 1 == depth ? 2 : 3, random), taps = size_between(1, 3, random);
    i.layers.push_back(random_filters(next, channels, taps, random));
    channels = next;
    field += taps - 1;
  }
  i.length = field + random.below(4);
  i.x = gaussian(size_between(1, 2 * first * i.length, random), first * i.length, random);
  return i;
}

/// What the bounds need, in intervals, and κ(G) and λ_max(G). Filters and data are rounded to few binary digits, so
/// that composite filters and Jacobians are exact in double.
struct enclosed_convolution {
  using number = theory::interval;
  linear_convolution_chain chain;
  matrix<double> x;

  static std::vector<number> spectrum(bool transpose, matrix<double> const& m) {
    return theory::enclose_spectrum(theory::multiply(transpose, !transpose, {m, 0}, {m, 0}));
  }
  std::size_t depth() const { return chain.depth(); }
  std::size_t positions(std::size_t l) const { return chain.positions(l); }
  number samples() const { return static_cast<double>(x.shape(0)); }
  number data_largest() const { return spectrum(true, x).front() / samples(); }
  number squared_norm_above(std::size_t l) const { return spectrum(false, chain.toeplitz(l + 1, depth())).front(); }
  number squared_norm_below(std::size_t l) const { return spectrum(false, chain.toeplitz(0, l)).front(); }
  theory::enclosed_ends kernel_spectrum() const {
    auto const e = theory::enclose_spectrum({chain.kernel_gram(), 0});
    return {e.front(), e.back(), e.back(), e.size(), e.back().lower() > 0};
  }
  /// One patch a row, [n positions, m_0 R].
  matrix<double> patches() const {
    auto const channels = chain.input_channels(), field = chain.receptive_field(), length = chain.input_length();
    auto const count = length - field + 1;
    auto p = zeros<double>(x.shape(0) * count, channels * field);
    for (std::size_t q = 0; q < x.shape(0); ++q)
      for (std::size_t s = 0; s < count; ++s)
        for (std::size_t c = 0; c < channels; ++c)
          for (std::size_t t = 0; t < field; ++t) p(q * count + s, c * field + t) = x(q, c * length + s + t);
    return p;
  }
  number patch_condition() const {
    auto const e = spectrum(true, patches());
    return theory::arithmetic<number>::quotient(e.front(), e.back());
  }
  /// From the Jacobian itself, [n m_L d_L, parameters]; κ over as many eigenvalues as the kernel space has.
  std::pair<number, number> largest_and_kappa(instance const& i) const {
    auto const theta = i.theta();
    matrix<double> j;
    for (std::size_t parameter = 0; parameter < theta.size(); ++parameter) {
      duals at(theta.begin(), theta.end());
      at[parameter].d = 1;
      auto const column = i.forward(false)(at);
      if (parameter == 0) j = zeros<double>(column.size(), theta.size());
      for (std::size_t r = 0; r < column.size(); ++r) j(r, parameter) = static_cast<double>(column[r].d);
    }
    auto const e = spectrum(true, j);
    auto const order = chain.output_channels() * chain.input_channels() * chain.receptive_field();
    return {e.front() / samples(), order <= e.size() ? theory::arithmetic<number>::quotient(e.front(), e[order - 1])
                                                     : theory::arithmetic<number>::infinite()};
  }
};

}  // namespace

TEST_CASE("A layer's Toeplitz matrix does what the layer does, and composites what the layers do") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    auto const i = random_instance(seed);
    linear_convolution_chain const chain(i.layers, i.length);
    auto const theta = i.theta();
    auto const y = i.forward(false)(duals(theta.begin(), theta.end()));
    auto const all = chain.toeplitz(0, chain.depth());
    auto step = i.x;
    for (std::size_t l = 0; l < chain.depth(); ++l)
      step = theory::detail::product(false, true, step, chain.toeplitz(l, l + 1));
    auto const whole = theory::detail::product(false, true, i.x, all);
    REQUIRE(y.size() == whole.size());
    for (std::size_t j = 0; j < y.size(); ++j) {
      CHECK(std::abs(static_cast<double>(y[j].v) - whole.data()[j]) <= 1e-13);
      CHECK(std::abs(static_cast<double>(y[j].v) - step.data()[j]) <= 1e-13);
    }
  }
}

TEST_CASE("Both small matrices have the spectrum of the Gauss-Newton matrix with shared weights") {
  double in_kernel_space = 0, in_data_space = 0;
  std::array<std::uint64_t, 4> seen{};
  std::uint64_t several = 0;
  auto const tried = instances(500);
  for (std::uint64_t seed = 0; seed < tried; ++seed) {
    auto const i = random_instance(seed);
    auto const brute = i.spectrum();
    auto const g = i.gauss_newton();
    in_kernel_space = worst_of(in_kernel_space, spectral_distance(brute, g.eigenvalues()));
    in_data_space =
        worst_of(in_data_space, spectral_distance(brute, lapack::symmetric_eigenvalues(g.dense_in_data_space())));
    // Planted: weights not shared; a mean over positions instead of a sum; one layer's taps turned round; samples
    // counted twice.
    several += g.chain().positions(0) > 1;
    seen[0] += spectral_distance(brute, g.unshared().eigenvalues()) > 1e-6;
    auto average = g.eigenvalues();
    for (double& e : elements(average)) e /= static_cast<double>(g.chain().positions(g.chain().depth() - 1));
    seen[1] += spectral_distance(brute, average) > 1e-6;
    auto turned = i;
    auto& w = turned.layers.back();
    for (std::size_t o = 0; o < w.outputs; ++o)
      for (std::size_t c = 0; c < w.inputs; ++c)
        for (std::size_t t = 0; t < w.taps; ++t) w(o, c, t) = i.layers.back()(o, c, w.taps - 1 - t);
    seen[2] += spectral_distance(brute, turned.gauss_newton().eigenvalues()) > 1e-6;
    turned = i;
    for (double& e : elements(turned.x)) e *= std::sqrt(2.0);
    seen[3] += spectral_distance(brute, turned.gauss_newton().eigenvalues()) > 0.4;
  }
  CHECK(in_kernel_space <= 1e-12);
  CHECK(in_data_space <= 1e-12);
  CHECK(several >= tried / 2);
  CHECK(seen[0] >= several * 99 / 100);
  CHECK(seen[1] >= tried / 2);
  CHECK(seen[2] >= tried / 4);
  CHECK(seen[3] == tried);
}

TEST_CASE("The bounds have no violation") {
  int decided = 0, finite = 0, violated = 0, below_half = 0, without_kappa = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto const i = random_instance(1000 + seed);
    auto const g = i.gauss_newton();
    auto const brute = i.spectrum();
    double const top = brute(0), rounding = 1 + 1e-12;
    double const toeplitz = theory::convolution_top_bound(g).value, symbols = theory::symbol_top_bound(g).value;
    violated += top > toeplitz * rounding;
    violated += toeplitz > symbols * rounding;
    // G <= max_l d_l times the matrix of unshared weights, as matrices.
    auto difference = g.dense_in_data_space();
    auto const unshared = g.unshared().dense();
    double most = 0;
    for (std::size_t l = 0; l < i.layers.size(); ++l) most = std::max(most, double(g.chain().positions(l)));
    for (std::size_t e = 0; e < difference.size(); ++e) difference.data()[e] -= most * unshared.data()[e];
    violated += lapack::symmetric_eigenvalues(difference)(0) > 1e-12 * top;
    for (std::size_t e = 0; e < difference.size(); ++e) difference.data()[e] += (most - 0.5) * unshared.data()[e];
    below_half += lapack::symmetric_eigenvalues(difference)(0) > 1e-6 * top;  // half of it is not enough
    // κ by the kernel space.
    double const bound = theory::kernel_bound(g).value;
    auto const kappa = condition_of(brute, theory::ends_of(elements(brute)).rank);
    if (!kappa.decided()) continue;
    ++decided;
    if (!std::isfinite(bound)) continue;
    ++finite;
    violated += kappa.value > bound * (1 + kappa.slack);
    without_kappa += kappa.value > bound / g.patches().condition_number() * (1 + kappa.slack);
  }
  CHECK(violated == 0);
  CHECK(decided >= 400);
  CHECK(finite >= 250);
  CHECK(below_half >= 400);
  CHECK(without_kappa >= 100);  // without κ(C) it is no bound
}

TEST_CASE("The bounds are proved in interval arithmetic") {
  int tried = 0, top_proved = 0, refuted = 0, decided = 0, equalities = 0, proved = 0, planted = 0, top_planted = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    auto i = random_instance(2000 + seed);
    for (auto& w : i.layers)
      for (double& v : w.weights) v = std::round(v * 256) / 256;
    for (double& v : elements(i.x)) v = std::round(v * 256) / 256;
    enclosed_convolution const in{{i.layers, i.length}, i.x};
    auto const [largest, kappa] = in.largest_and_kappa(i);
    auto const top = theory::convolution_top_bound_t::value(in);
    ++tried;
    top_proved += largest.upper() <= top.lower();
    refuted += largest.lower() > top.upper();
    top_planted += largest.lower() > (top / static_cast<double>(in.positions(0))).upper();
    if (!std::isfinite(kappa.upper())) continue;
    auto const bound = theory::kernel_bound_t::value(in);
    if (!std::isfinite(bound.upper())) continue;
    ++decided;
    equalities += i.layers.size() == 1;
    proved += kappa.upper() <= bound.lower();
    refuted += kappa.lower() > bound.upper();
    planted += kappa.lower() > (bound / in.patch_condition()).upper();
  }
  INFO(tried << " tried, " << top_proved << " proved; " << decided << " decided, " << proved << " proved");
  CHECK(refuted == 0);
  CHECK(top_proved >= tried * 7 / 10);  // filters of one tap give equalities
  CHECK(top_planted >= tried / 10);     // without the number of positions
  CHECK(decided >= 150);
  CHECK(proved >= (decided - equalities) * 8 / 10);
  CHECK(planted >= decided / 10);  // without κ(C)
}

TEST_CASE("Two single-channel layers: the Sylvester matrix, singular when the filters share a root") {
  double worst = 0;
  int wrong_rank = 0, swapped = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    counter_random random(seed, 22);
    // Filters as products of linear factors; `shared` of them in common.
    auto const shared = random.below(3);
    std::vector<double> common{1}, first, second;
    auto const times_factor = [&](std::vector<double> const& p) {
      double const root = 0.5 + random.uniform();
      std::vector<double> q(p.size() + 1);
      for (std::size_t t = 0; t < p.size(); ++t) {
        q[t] -= root * p[t];
        q[t + 1] += p[t];
      }
      return q;
    };
    for (std::uint64_t r = 0; r < shared; ++r) common = times_factor(common);
    auto const negative = [](std::vector<double> p) {  // roots at the other side of 0: none in common
      for (std::size_t t = 1; t < p.size(); t += 2) p[t] = -p[t];
      return p;
    };
    std::vector<double> own_first{1}, own_second{1};
    for (std::uint64_t r = 0; r < 1 + random.below(2); ++r) own_first = times_factor(own_first);
    for (std::uint64_t r = 0; r < 1 + random.below(2); ++r) own_second = times_factor(own_second);
    own_second = negative(own_second);
    auto const product = [](std::vector<double> const& a, std::vector<double> const& b) {
      std::vector<double> c(a.size() + b.size() - 1);
      for (std::size_t s = 0; s < a.size(); ++s)
        for (std::size_t t = 0; t < b.size(); ++t) c[s + t] += a[s] * b[t];
      return c;
    };
    first = product(common, own_first);
    second = product(common, own_second);
    auto const s = theory::sylvester_matrix(second, first);
    auto const gram = theory::detail::product(false, true, s, s);
    instance i;
    i.layers = {{1, 1, first.size(), first}, {1, 1, second.size(), second}};
    auto const field = first.size() + second.size() - 1;
    i.length = field + 2;
    i.x = gaussian(i.length + 3, i.length, random);
    auto const m = linear_convolution_chain(i.layers, i.length).kernel_gram();
    REQUIRE(m.size() == gram.size());
    for (std::size_t e = 0; e < m.size(); ++e) worst = worst_of(worst, std::abs(m.data()[e] - gram.data()[e]));
    // Order R, less one for every shared root; and so has the Gauss-Newton matrix itself.
    auto const rank = theory::ends_of(elements(i.spectrum())).rank;
    wrong_rank += rank != field - shared;
    wrong_rank += theory::ends_of(elements(lapack::symmetric_eigenvalues(gram))).rank != field - shared;
    // The chain in the other order has the same Gram matrix.
    auto const other = theory::sylvester_matrix(first, second);
    auto const other_gram = theory::detail::product(false, true, other, other);
    for (std::size_t e = 0; e < m.size(); ++e) swapped += std::abs(m.data()[e] - other_gram.data()[e]) > 1e-12;
  }
  CHECK(worst <= 1e-12);
  CHECK(wrong_rank == 0);
  CHECK(swapped == 0);
}

TEST_CASE("Circular convolutions fall apart into frequencies") {
  double worst = 0;
  std::uint64_t seen_power = 0, seen_rotation = 0, tried = 0, deep = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    counter_random random(seed, 23);
    instance i;
    i.length = size_between(2, 5, random);
    auto const d = i.length, channels = size_between(1, 2, random), depth = size_between(1, 3, random);
    std::size_t before = channels;
    for (std::size_t l = 0; l < depth; ++l) {
      auto const next = size_between(1, 2, random);
      i.layers.push_back(random_filters(next, before, d, random));
      before = next;
    }
    // Every shift of one signal in every channel: Σ = I ⊗ a circulant matrix.
    auto const signal = gaussian(1, d, random);
    i.x = zeros<double>(channels * d, channels * d);
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t s = 0; s < d; ++s)
        for (std::size_t p = 0; p < d; ++p) i.x(c * d + s, c * d + (p + s) % d) = signal(0, p);
    std::vector<double> power(d);
    for (std::size_t j = 0; j < d; ++j) {
      double re = 0, im = 0;
      for (std::size_t p = 0; p < d; ++p) {
        double const phase = 2 * std::numbers::pi * static_cast<double>(j * p) / static_cast<double>(d);
        re += signal(0, p) * std::cos(phase);
        im += signal(0, p) * std::sin(phase);
      }
      power[j] = (re * re + im * im) / static_cast<double>(channels * d);
    }
    auto const brute = i.spectrum(true);
    worst = worst_of(worst, spectral_distance(brute, theory::circular_spectrum(i.layers, power)));
    ++tried;
    deep += depth > 1;  // one layer alone has d P(ω), in any order
    auto doubled = power;
    for (double& p : doubled) p *= 2;
    seen_power += spectral_distance(brute, theory::circular_spectrum(i.layers, doubled)) > 0.4;
    auto rotated = power;
    std::rotate(rotated.begin(), rotated.begin() + 1, rotated.end());
    seen_rotation += depth > 1 && spectral_distance(brute, theory::circular_spectrum(i.layers, rotated)) > 1e-6;
  }
  CHECK(worst <= 1e-12);
  CHECK(seen_power == tried);
  CHECK(deep >= tried / 2);
  CHECK(seen_rotation >= deep * 9 / 10);
}

TEST_CASE("The symbol's range bounds the Toeplitz matrix at every length, and is approached") {
  int violated = 0, other_way = 0;
  double largest_gap = 0;
  for (std::uint64_t seed = 0; seed < instances(500); ++seed) {
    counter_random random(seed, 24);
    auto const inputs = size_between(1, 3, random), outputs = size_between(1, inputs, random);
    auto const w = random_filters(outputs, inputs, size_between(1, 4, random), random);
    auto const range = theory::range_of_symbol(w, 512);
    for (std::size_t length : {w.taps, w.taps + 3, w.taps + 30}) {
      auto const t = theory::toeplitz(w, length);
      auto const e = lapack::symmetric_eigenvalues(theory::detail::product(false, true, t, t));
      violated += std::sqrt(e(0)) > range.largest;
      violated += e(e.size() - 1) < range.smallest * range.smallest - 1e-12 * e(0);
      if (length == w.taps + 30) {
        largest_gap = worst_of(largest_gap, range.largest / std::sqrt(e(0)) - 1);
        other_way += std::sqrt(e(0)) > 0.9 * range.largest;
      }
    }
  }
  CHECK(violated == 0);
  CHECK(other_way >= static_cast<int>(instances(500) * 9 / 10));  // a tenth less would be violated
  CHECK(largest_gap < 0.2);
  // 1 + z has a zero at ω = π, 2 + z has none: known ranges.
  auto const zero = theory::range_of_symbol({1, 1, 2, {1, 1}}), none = theory::range_of_symbol({1, 1, 2, {2, 1}});
  CHECK(zero.smallest == 0);
  CHECK(std::abs(zero.largest - 2) <= 4e-3);
  CHECK(std::abs(none.smallest - 1) <= 4e-3);
  CHECK(none.smallest <= 1);
  CHECK(none.largest >= 3);
}

TEST_CASE("More filters improve the conditioning of a shared-weight chain, longer ones do not") {
  // Two layers on white signals of 36 positions, He's weights: medians of the reference over 200 draws.
  auto const median = [](std::size_t filters, std::size_t taps) {
    auto white = zeros<double>(36, 36);
    for (std::size_t i = 0; i < 36; ++i) white(i, i) = 1;
    theory::covariance const data(white);
    std::vector<double> all;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      counter_random random(seed, 25);
      std::vector<convolution_filters> layers{random_filters(filters, 1, taps, random),
                                              random_filters(filters, filters, taps, random)};
      auto const m = linear_convolution_chain(layers, 36).kernel_gram();  // C is a multiple of I
      all.push_back(theory::condition_number(theory::ends_of(elements(lapack::symmetric_eigenvalues(m)))));
      if (seed == 0)
        CHECK(std::abs(convolution_gauss_newton({layers, 36}, data).condition_number() / all.back() - 1) <= 1e-9);
    }
    std::nth_element(all.begin(), all.begin() + 100, all.end());
    return all[100];
  };
  double const two = median(2, 7), three = median(3, 7), four = median(4, 7), five = median(5, 7);
  CHECK(std::abs(two / 259 - 1) <= 0.25);
  CHECK(std::abs(three / 98 - 1) <= 0.15);
  CHECK(std::abs(four / 59 - 1) <= 0.15);
  CHECK(std::abs(five / 40 - 1) <= 0.15);
  double const nine = median(5, 9), eleven = median(5, 11);
  CHECK(std::abs(nine / 54 - 1) <= 0.15);
  CHECK(std::abs(eleven / 76 - 1) <= 0.15);
}

TEST_CASE("What does not fit is refused with a documented exception") {
  convolution_filters const w{2, 1, 3, std::vector<double>(6, 1.0)}, v{1, 2, 2, std::vector<double>(4, 1.0)};
  using chain = linear_convolution_chain;
  CHECK_NOTHROW(chain({w, v}, 4));
  CHECK_THROWS_AS(chain({w, v}, 3), shape_mismatch);
  CHECK_THROWS_AS(chain({v, v}, 9), shape_mismatch);
  CHECK_THROWS_AS(chain({}, 9), shape_mismatch);
  CHECK_THROWS_AS(chain({{2, 1, 3, {1, 1}}}, 9), shape_mismatch);
  CHECK_THROWS_AS(chain({{1, 1, 1, {std::numeric_limits<double>::infinity()}}}, 9), invalid_value);
  CHECK_THROWS_AS(theory::toeplitz(w, 2), shape_mismatch);
  CHECK_THROWS_AS(theory::composed(w, w), shape_mismatch);
  CHECK_THROWS_AS(theory::sylvester_matrix({}, w.weights), invalid_value);
  CHECK_THROWS_AS(theory::range_of_symbol(w, 0), invalid_value);
  auto unit = zeros<double>(5, 5);
  for (std::size_t i = 0; i < 5; ++i) unit(i, i) = 1;
  CHECK_THROWS_AS(convolution_gauss_newton(chain({w, v}, 4), theory::covariance(unit)), shape_mismatch);
  convolution_filters const zero{1, 1, 2, {0, 0}};
  CHECK_THROWS_AS(convolution_gauss_newton(chain({zero, zero}, 5), theory::covariance(unit)).condition_number(),
                  singular_matrix);
  std::vector<double> const power{1, 1, 1};
  CHECK_THROWS_AS(theory::circular_spectrum({}, power), shape_mismatch);
  CHECK_THROWS_AS(theory::circular_spectrum({w, v}, power), shape_mismatch);
  std::vector<double> const negative{1, -1, 1};
  CHECK_THROWS_AS(theory::circular_spectrum({w}, negative), invalid_value);
}
