// Vectors that are zero but where a pool chose, against the same vectors written out at all positions, in long double:
// gradients, squares, norms, second moments and adjoints of patches of many shapes.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/kernels/chosen.hpp>
#include <kappa/tensor/random.hpp>

#include "worst.hpp"

namespace {

using namespace kappa;
using extended = std::vector<long double>;

/// One sample of a convolution of `outputs` channels under a pool, and its K vectors.
template <class T>
struct sample {
  patch_geometry at;
  std::size_t k, outputs, windows, positions, in;
  std::vector<T> places, vectors, inputs, weights;
  bool turned = false;  ///< the twin: what the first window chose is taken for its neighbour's

  kernels::chosen<T> chosen() const { return {k, windows, outputs, places.data(), vectors.data()}; }

  /// The vectors at all positions, [K, R, Out].
  extended spread() const {
    extended s(k * positions * outputs);
    for (std::size_t j = 0; j < k; ++j)
      for (std::size_t i = 0; i < windows; ++i)
        for (std::size_t o = 0; o < outputs; ++o) {
          auto place = static_cast<std::size_t>(places[i * outputs + o]);
          if (turned && i == 0) place = (place + 1) % positions;
          s[(j * positions + place) * outputs + o] +=
              static_cast<long double>(vectors[(j * windows + i) * outputs + o]);
        }
    return s;
  }
  /// T_k, [K, Out, In].
  extended weights_of() const {
    extended const s = spread();
    extended all(k * outputs * in);
    for (std::size_t j = 0; j < k; ++j)
      for (std::size_t r = 0; r < positions; ++r)
        for (std::size_t o = 0; o < outputs; ++o)
          for (std::size_t c = 0; c < in; ++c)
            all[(j * outputs + o) * in + c] +=
                s[(j * positions + r) * outputs + o] * static_cast<long double>(inputs[r * in + c]);
    return all;
  }
  extended image_of() const {
    extended const s = spread();
    auto const size = static_cast<std::size_t>(at.rows * at.columns * at.channels);
    extended image(k * size);
    for (std::size_t j = 0; j < k; ++j)
      for (int down = 0; down < at.down; ++down)
        for (int across = 0; across < at.across; ++across)
          for (int ky = 0; ky < at.height; ++ky)
            for (int kx = 0; kx < at.width; ++kx) {
              int const y = down * at.stride_height - at.top + ky, x = across * at.stride_width - at.left + kx;
              if (y < 0 || y >= at.rows || x < 0 || x >= at.columns) continue;
              for (int c = 0; c < at.channels; ++c)
                for (std::size_t o = 0; o < outputs; ++o)
                  image[j * size + static_cast<std::size_t>((y * at.columns + x) * at.channels + c)] +=
                      s[(j * positions + static_cast<std::size_t>(down * at.across + across)) * outputs + o] *
                      static_cast<long double>(
                          weights[o * in + static_cast<std::size_t>((ky * at.width + kx) * at.channels + c)]);
            }
    return image;
  }
};

template <class T>
sample<T> draw(std::uint64_t seed) {
  counter_random random(seed);
  auto const between = [&](int low, int high) {
    return low + static_cast<int>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  };
  sample<T> s;
  patch_geometry& g = s.at;
  g.rows = between(1, 9);
  g.columns = between(2, 9);
  g.channels = std::vector{1, 2, 3, 8, 9, 16, 17, 24}[random.below(8)];
  g.top = between(0, 2);
  g.left = between(0, 2);
  g.height = between(1, std::min(4, g.rows + g.top));
  g.width = between(1, std::min(4, g.columns + g.left));
  g.stride_height = between(1, 3);
  g.stride_width = between(1, 3);
  g.down = (g.rows + g.top + between(0, 2) - g.height) / g.stride_height + 1;
  g.across = (g.columns + g.left + between(0, 2) - g.width) / g.stride_width + 1;
  s.positions = static_cast<std::size_t>(g.down * g.across);
  s.in = static_cast<std::size_t>(g.elements());
  s.outputs = std::vector<std::size_t>{1, 3, 4, 8, 16, 17, 21}[random.below(7)];
  s.k = std::vector<std::size_t>{1, 1, 2, 4, 5, 6, 9, 11}[random.below(8)];
  // Windows of neighbours in the order of positions: any disjoint sets do.
  std::size_t const width = std::min<std::size_t>(s.positions, 1 + random.below(4));
  s.windows = s.positions / width;
  for (std::size_t i = 0; i < s.windows; ++i)
    for (std::size_t o = 0; o < s.outputs; ++o) s.places.push_back(static_cast<T>(i * width + random.below(width)));
  s.vectors.resize(s.k * s.windows * s.outputs);
  for (std::size_t e = 0; e < s.windows * s.outputs; ++e) {
    bool const rectified = random.below(3) == 0;
    for (std::size_t j = 0; j < s.k; ++j)
      s.vectors[j * s.windows * s.outputs + e] =
          rectified || random.below(5) == 0 ? T(0) : static_cast<T>(random.normal());
  }
  auto const fill = [&](std::vector<T>& v, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) v.push_back(static_cast<T>(random.normal()));
  };
  fill(s.inputs, s.positions * s.in);
  fill(s.weights, s.outputs * s.in);
  return s;
}

/// The largest difference in units of rounding at the largest magnitude.
template <class T>
double error(std::vector<T> const& got, extended const& expected) {
  REQUIRE(got.size() == expected.size());
  long double worst = 0, scale = 1;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = worst_of(worst, std::abs(static_cast<long double>(got[i]) - expected[i]));
    scale = std::max(scale, std::abs(expected[i]));
  }
  return static_cast<double>(worst / scale / static_cast<long double>(std::numeric_limits<T>::epsilon()));
}
constexpr double tolerance = 20;  // sums of up to some hundred products

template <class T>
void check(std::uint64_t seed, int& seen_twins) {
  sample<T> const s = draw<T>(seed);
  auto turned = s;
  turned.turned = true;
  bool const differs = s.spread() != turned.spread();
  seen_twins += differs ? 1 : 0;
  auto const compare = [&](std::vector<T> const& got, auto&& expected_of) {
    CHECK(error(got, expected_of(s)) < tolerance);
    if (differs) CHECK_FALSE(error(got, expected_of(turned)) < tolerance);
  };
  auto const c = s.chosen();
  std::vector<T> scratch(kernels::chosen<T>::scratch_elements(s.k, s.windows, s.outputs, s.positions),
                         std::numeric_limits<T>::quiet_NaN());
  std::size_t const weights = s.outputs * s.in, half = s.outputs / 2;

  // Two calls share the rows; results are added to.
  if (s.k == 1) {
    std::vector<T> gradient(weights, T(1));
    c.add_to(s.in, s.inputs.data(), 0, half, gradient.data(), scratch.data());
    c.add_to(s.in, s.inputs.data(), half, s.outputs, gradient.data(), scratch.data());
    compare(gradient, [&](sample<T> const& of) {
      extended all = of.weights_of();
      for (auto& v : all) v += 1;
      return all;
    });
  }

  auto const squares_of = [&](sample<T> const& of) {
    extended const all = of.weights_of();
    extended squares(weights);
    for (std::size_t e = 0; e < all.size(); ++e) squares[e % weights] += all[e] * all[e];
    return squares;
  };
  std::vector<T> squares(weights, T(0));
  c.add_squares(s.in, s.inputs.data(), 0, half, squares.data(), scratch.data());
  c.add_squares(s.in, s.inputs.data(), half, s.outputs, squares.data(), scratch.data());
  compare(squares, squares_of);
  compare(std::vector<T>{c.squared_norm(s.in, s.inputs.data(), scratch.data())}, [&](sample<T> const& of) {
    long double total = 0;
    for (auto v : squares_of(of)) total += v;
    return extended{total};
  });

  // U T for a basis U of no meaning, by columns.
  std::vector<T> basis(s.outputs * s.outputs);
  counter_random random(seed, 1);
  for (auto& v : basis) v = static_cast<T>(random.normal());
  scratch.resize(std::max(scratch.size(), kernels::chosen<T>::turning_scratch(s.k, s.windows, s.outputs)));
  std::vector<T> turned_squares(weights, T(1));
  std::size_t const column = s.in > 16 ? 16 : 0;
  c.add_turned_squares(s.in, s.inputs.data(), basis.data(), column, s.in, turned_squares.data(), scratch.data());
  c.add_turned_squares(s.in, s.inputs.data(), basis.data(), 0, column, turned_squares.data(), scratch.data());
  compare(turned_squares, [&](sample<T> const& of) {
    extended const all = of.weights_of();
    extended sums(weights, 1);
    for (std::size_t j = 0; j < s.k; ++j)
      for (std::size_t o = 0; o < s.outputs; ++o)
        for (std::size_t i = 0; i < s.in; ++i) {
          long double v = 0;
          for (std::size_t d = 0; d < s.outputs; ++d)
            v += static_cast<long double>(basis[o * s.outputs + d]) * all[(j * s.outputs + d) * s.in + i];
          sums[o * s.in + i] += v * v;
        }
    return sums;
  });

  extended biases(s.outputs);
  long double bias_norm = 0;
  extended const spread = s.spread();
  for (std::size_t j = 0; j < s.k; ++j)
    for (std::size_t o = 0; o < s.outputs; ++o) {
      long double b = 0;
      for (std::size_t r = 0; r < s.positions; ++r) b += spread[(j * s.positions + r) * s.outputs + o];
      biases[o] += b * b;
      bias_norm += b * b;
    }
  std::vector<T> bias(s.outputs, T(0));
  c.add_bias_squares(bias.data());
  CHECK(error(bias, biases) < tolerance);
  CHECK(error(std::vector<T>{c.squared_bias_norm()}, {bias_norm}) < tolerance);
  for (auto& v : biases) v += std::sqrt(v);
  if (bias_norm > 0) CHECK_FALSE(error(bias, biases) < tolerance);

  std::vector<T> moment(s.outputs * s.outputs, T(0));
  std::size_t const blocks = kernels::chosen<T>::row_blocks(s.outputs);
  c.add_second_moment(T(0.5), blocks / 2, blocks, moment.data());
  c.add_second_moment(T(0.5), 0, blocks / 2, moment.data());
  for (std::size_t o = 0; o < s.outputs; ++o)
    for (std::size_t u = o + 1; u < s.outputs; ++u) moment[o * s.outputs + u] = moment[u * s.outputs + o];
  auto const moment_of = [&](long double scale) {
    extended m(s.outputs * s.outputs);
    for (std::size_t j = 0; j < s.k * s.positions; ++j)
      for (std::size_t o = 0; o < s.outputs; ++o)
        for (std::size_t u = 0; u < s.outputs; ++u)
          m[o * s.outputs + u] += scale * spread[j * s.outputs + o] * spread[j * s.outputs + u];
    return m;
  };
  CHECK(error(moment, moment_of(0.5L)) < tolerance);
  if (bias_norm > 0) CHECK_FALSE(error(moment, moment_of(0.51L)) < tolerance);

  extended const image = s.image_of();
  bool const any = std::any_of(image.begin(), image.end(), [](long double v) { return std::abs(v) > 1e-3L; });
  for (bool add : {false, true}) {
    std::vector<T> got(image.size(), add ? T(1) : std::numeric_limits<T>::quiet_NaN());
    c.pull(s.at, s.weights.data(), got.data(), add, scratch.data());
    auto const expected = [&](long double factor) {
      extended all = image;
      for (auto& v : all) v = factor * v + (add ? 1 : 0);
      return all;
    };
    CHECK(error(got, expected(1)) < tolerance);
    if (any) CHECK_FALSE(error(got, expected(1.01L)) < tolerance);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("What a pool chose counts like the same vectors at all positions", "", float, double) {
  int twins = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    INFO("instance " << seed);
    check<TestType>(seed, twins);
  }
  CHECK(twins > 200);
}
