#pragma once
/// \file
/// The problems that kappa and its peers are timed on: sizes, and data that every language draws alike. Standard
/// library only. `problem.py` says the same in Python.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace bench {

/// A layer of weight [out, in] that is shared over positions.
struct layer_size {
  int in, out, positions = 1;

  double multiplications() const { return static_cast<double>(in) * out * positions; }
};

/// A network and its batches, in float: ReLU and cross-entropy over classes, or tanh and the squared error, each with
/// the mean over the batch. Fully connected, layer by layer from width to width, unless `shared` lists the layers.
struct problem {
  std::string name;
  std::vector<int> widths;
  bool classifies;
  std::vector<int> batches;
  std::vector<layer_size> shared{};

  std::size_t inputs() const { return static_cast<std::size_t>(widths.front()); }
  std::size_t outputs() const { return static_cast<std::size_t>(widths.back()); }
  std::vector<layer_size> layers() const {
    if (!shared.empty()) return shared;
    std::vector<layer_size> all;
    for (std::size_t l = 1; l < widths.size(); ++l) all.push_back({widths[l - 1], widths[l]});
    return all;
  }
};

inline problem small() { return {"784-128-10", {784, 128, 10}, true, {32, 128, 512}}; }
inline problem large() { return {"784-512-256-10", {784, 512, 256, 10}, true, {32, 128, 512}}; }
inline problem tiny() { return {"2-16-16-1", {2, 16, 16, 1}, false, {1, 64, 1024}}; }
inline problem control() { return {"4-32-32-2", {4, 32, 32, 2}, false, {1, 64, 1024}}; }
inline problem physics() { return {"2-50-50-50-50-1", {2, 50, 50, 50, 50, 1}, false, {1, 64, 1024}}; }
/// conv 16 of 5 x 5, max pool 2, conv 32 of 5 x 5, max pool 2, dense, on images of 28 x 28.
inline problem convolutions() {
  return {"convolutions", {784, 10}, true, {128}, {{25, 16, 576}, {400, 32, 64}, {512, 10}}};
}
/// Two dense layers over 32 positions of 64 features, their mean, dense.
inline problem positions() { return {"positions", {2048, 10}, true, {128}, {{64, 128, 32}, {128, 64, 32}, {64, 10}}}; }
/// Attention of 4 heads over 32 positions of 64 features, their mean, dense.
inline problem attention() { return {"attention", {2048, 10}, true, {128}, {{64, 192, 32}, {64, 64, 32}, {64, 10}}}; }

/// The i-th number of a stream: an integer hash, the same wherever there are 32 bits.
constexpr std::uint32_t hashed(std::uint32_t stream, std::uint32_t i) {
  std::uint32_t x = i + stream * 0x9e3779b9u;
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

/// `count` numbers in [-1, 1).
inline std::vector<float> uniform(std::uint32_t stream, std::size_t count) {
  std::vector<float> all(count);
  for (std::size_t i = 0; i < count; ++i)
    all[i] = static_cast<float>(hashed(stream, static_cast<std::uint32_t>(i)) / 2147483648.0 - 1.0);
  return all;
}

/// Per layer the weight [out, in] and the bias [out], in the range that keeps a ReLU network's activations level.
inline std::vector<float> parameters(problem const& p) {
  std::size_t count = 0;
  for (layer_size const& l : p.layers()) count += static_cast<std::size_t>(l.out) * static_cast<std::size_t>(l.in + 1);
  auto theta = uniform(1, count);
  std::size_t at = 0;
  for (layer_size const& l : p.layers()) {
    auto const range = static_cast<float>(std::sqrt(6.0 / l.in));
    std::size_t const end = at + static_cast<std::size_t>(l.out) * static_cast<std::size_t>(l.in + 1);
    for (; at < end; ++at) theta[at] *= range;
  }
  return theta;
}

inline std::vector<float> inputs(problem const& p, std::size_t n) { return uniform(2, n * p.inputs()); }
inline std::vector<float> targets(problem const& p, std::size_t n) { return uniform(3, n * p.outputs()); }
inline std::vector<int> labels(problem const& p, std::size_t n) {
  std::vector<int> all(n);
  for (std::size_t i = 0; i < n; ++i)
    all[i] = static_cast<int>(hashed(3, static_cast<std::uint32_t>(i)) % static_cast<std::uint32_t>(p.outputs()));
  return all;
}

/// The norm by which contenders show that they computed the same gradient.
template <class Range>
double norm(Range const& values) {
  double total = 0;
  for (float v : values) total += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(total);
}

/// Multiplications and additions of one sample through all layers, or without the first: 2 in out for each position.
/// What has no parameters is left out: pools, scores of an attention.
inline double layer_flops(problem const& p, bool without_first = false) {
  double total = 0;
  for (layer_size const& l : p.layers()) total += 2 * l.multiplications();
  return without_first ? total - 2 * p.layers().front().multiplications() : total;
}

/// Of a gradient's products, pointwise work left out: forward, every layer's weight gradient, back to all layers but
/// the first.
inline double gradient_flops(problem const& p, std::size_t n) {
  return static_cast<double>(n) * (2 * layer_flops(p) + layer_flops(p, true));
}

/// OMP_NUM_THREADS, which `run` sets for every contender; 1 when it is not set.
inline int threads() {
  char const* const asked = std::getenv("OMP_NUM_THREADS");
  int const count = asked ? std::atoi(asked) : 1;
  return count > 0 ? count : 1;
}

}  // namespace bench
