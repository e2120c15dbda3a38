// The embedded data set: the same bits for a seed, whatever the thread count; values in [0, 1]; hard for a linear
// classifier, and not for a small network.

#include "../../examples/common/strokes.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

using namespace kappa;

namespace {

std::uint64_t hash(strokes::image const& picture) {  // FNV-1a
  std::uint64_t h = 0xCBF29CE484222325U;
  for (auto const pixel : picture)
    for (int shift = 0; shift < 24; shift += 8)
      h = (h ^ (static_cast<std::uint64_t>(pixel) >> shift & 0xFFU)) * 0x100000001B3U;
  return h;
}

// A network with one hidden layer of `hidden` ReLUs (0: a linear classifier), trained by plain SGD with momentum and a
// falling rate; the share of test images it gets right. Written out here, so that no code under test takes part.
double accuracy_of(std::size_t hidden, io::dataset<float> const& train, io::dataset<float> const& test, int epochs,
                   float rate) {
  std::size_t const d = train.features(), first = hidden ? hidden : 10;
  std::vector<float> w(first * d), b(first), u(10 * hidden), c(10);
  strokes::random rng(99, 0);
  auto const draw = [&](std::vector<float>& v, double scale) {
    for (auto& x : v) x = static_cast<float>(static_cast<double>(rng.normal()) / 65536.0 * scale);
  };
  if (hidden) draw(w, std::sqrt(2.0 / static_cast<double>(d)));
  if (hidden) draw(u, std::sqrt(2.0 / static_cast<double>(hidden)));
  auto vw = std::vector<float>(w.size()), vb = std::vector<float>(b.size()), vu = std::vector<float>(u.size()),
       vc = std::vector<float>(c.size());
  std::vector<float> z(first), scores(10);
  auto const forward = [&](float const* x) {
    for (std::size_t i = 0; i < first; ++i) {
      float sum = 0;
      auto const* const row = w.data() + i * d;
      for (std::size_t j = 0; j < d; ++j) sum += row[j] * x[j];
      z[i] = sum + b[i];
    }
    if (!hidden) {
      scores = z;
      return;
    }
    for (auto& v : z) v = std::max(v, 0.0F);
    for (std::size_t k = 0; k < 10; ++k) {
      scores[k] = c[k];
      for (std::size_t i = 0; i < hidden; ++i) scores[k] += u[k * hidden + i] * z[i];
    }
  };
  std::vector<float> gw(w.size()), gb(b.size()), gu(u.size()), gc(c.size());
  std::size_t const batch = 50;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    auto const order = io::shuffled_indices(train.size(), static_cast<std::uint64_t>(epoch));
    float const step = rate * (1 - static_cast<float>(epoch) / static_cast<float>(epochs)) / static_cast<float>(batch);
    for (std::size_t begin = 0; begin + batch <= order.size(); begin += batch) {
      for (auto* g : {&gw, &gb, &gu, &gc}) std::ranges::fill(*g, 0.0F);
      for (std::size_t k = begin; k < begin + batch; ++k) {
        auto const* const x = &train.inputs(order[k], 0);
        forward(x);
        auto const largest = *std::ranges::max_element(scores);
        float total = 0;
        for (auto& s : scores) total += s = std::exp(s - largest);
        for (auto& s : scores) s /= total;
        scores[static_cast<std::size_t>(train.labels(order[k]))] -= 1;
        std::vector<float> back(first);
        if (hidden) {
          for (std::size_t o = 0; o < 10; ++o) {
            gc[o] += scores[o];
            for (std::size_t i = 0; i < hidden; ++i) {
              gu[o * hidden + i] += scores[o] * z[i];
              if (z[i] > 0) back[i] += u[o * hidden + i] * scores[o];
            }
          }
        } else {
          back = scores;
        }
        for (std::size_t i = 0; i < first; ++i) {
          gb[i] += back[i];
          if (back[i] == 0) continue;
          auto* const row = gw.data() + i * d;
          for (std::size_t j = 0; j < d; ++j) row[j] += back[i] * x[j];
        }
      }
      auto const move = [&](std::vector<float>& p, std::vector<float>& v, std::vector<float> const& g) {
        for (std::size_t i = 0; i < p.size(); ++i) p[i] -= step * (v[i] = 0.9F * v[i] + g[i]);
      };
      move(w, vw, gw);
      move(b, vb, gb);
      move(u, vu, gu);
      move(c, vc, gc);
    }
  }
  std::size_t right = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    forward(&test.inputs(i, 0));
    right += std::distance(scores.begin(), std::ranges::max_element(scores)) == test.labels(i);
  }
  return static_cast<double>(right) / static_cast<double>(test.size());
}

}  // namespace

TEST_CASE("a seed gives the same bits for ever") {
  CHECK(hash(strokes::render(1, 0)) == 0x5DA15963F366AFDFU);
  CHECK(hash(strokes::render(1, 12345)) == 0xB642A257A8792DC2U);
  CHECK(hash(strokes::render(0xFFFFFFFFFFFFFFFFU, 7)) == 0x46642B69E8519228U);
  CHECK(hash(strokes::render(2, 0)) != hash(strokes::render(1, 0)));
  CHECK(hash(strokes::render(1, 10)) != hash(strokes::render(1, 0)));
}

TEST_CASE("images depend on seed and index only; float and double agree") {
  auto const old = threads();
  set_threads(1);
  auto const one = strokes::dataset<float>(300, 5);
  set_threads(3);
  auto const three = strokes::dataset<float>(300, 5);
  auto const later = strokes::dataset<double>(100, 5, 200);
  set_threads(old);
  CHECK((one.inputs == three.inputs));
  CHECK((one.labels == three.labels));
  std::size_t different = 0;
  for (std::size_t i = 0; i < 100; ++i)
    for (std::size_t j = 0; j < 784; ++j)
      different += static_cast<double>(one.inputs(i + 200, j)) != later.inputs(i, j);
  CHECK(different == 0);
  CHECK(later.labels(3) == 3);
}

TEST_CASE("values are in [0, 1], classes balanced, no two images the same") {
  auto const data = strokes::dataset<double>(1000, 3);
  CHECK(data.classes == 10);
  CHECK(data.feature_shape == std::vector<std::size_t>{28, 28});
  auto const values = elements(data.inputs);
  CHECK(*std::ranges::min_element(values) >= 0);
  CHECK(*std::ranges::max_element(values) <= 1);
  CHECK(*std::ranges::max_element(values) > 0.9);
  CHECK(std::ranges::count(elements(data.labels), 4) == 100);
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < 1000; ++i) hashes.push_back(hash(strokes::render(3, i)));
  std::ranges::sort(hashes);
  CHECK(std::ranges::adjacent_find(hashes) == hashes.end());
}

TEST_CASE("uniform and normal numbers have their moments") {
  strokes::random rng(4, 2);
  double sum = 0, squares = 0, uniform = 0;
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i) {
    auto const x = static_cast<double>(rng.normal()) / 65536;
    sum += x;
    squares += x * x;
    uniform += static_cast<double>(rng.uniform(-10, 30));
  }
  CHECK(std::abs(sum / n) < 0.015);  // five standard errors
  CHECK(std::abs(squares / n - 1) < 0.02);
  CHECK(std::abs(uniform / n - 10) < 0.2);
}

TEST_CASE("a linear classifier stays below 95 %, a small network comes above") {
  auto train = strokes::dataset<float>(10000, 1), test = strokes::dataset<float>(2000, 1, 10000);
  auto const s = io::fit_standardization(train, io::standardize::overall);
  train = io::apply(s, std::move(train));
  test = io::apply(s, std::move(test));
  auto const linear = accuracy_of(0, train, test, 8, 0.01F), network = accuracy_of(96, train, test, 6, 0.05F);
  INFO("linear " << linear << ", network " << network);
  CHECK(linear > 0.5);
  CHECK(linear < 0.95);
  CHECK(network > 0.95);
}
