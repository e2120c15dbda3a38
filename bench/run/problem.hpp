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

/// A fully connected network and its batches, in float: ReLU and cross-entropy over classes, or tanh and the squared
/// error, each with the mean over the batch.
struct problem {
  std::string name;
  std::vector<int> widths;
  bool classifies;
  std::vector<int> batches;

  std::size_t inputs() const { return static_cast<std::size_t>(widths.front()); }
  std::size_t outputs() const { return static_cast<std::size_t>(widths.back()); }
};

inline problem small() { return {"784-128-10", {784, 128, 10}, true, {32, 128, 512}}; }
inline problem large() { return {"784-512-256-10", {784, 512, 256, 10}, true, {32, 128, 512}}; }
inline problem tiny() { return {"2-16-16-1", {2, 16, 16, 1}, false, {1, 64, 1024}}; }
inline problem control() { return {"4-32-32-2", {4, 32, 32, 2}, false, {1, 64, 1024}}; }
inline problem physics() { return {"2-50-50-50-50-1", {2, 50, 50, 50, 50, 1}, false, {1, 64, 1024}}; }

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
  for (std::size_t l = 1; l < p.widths.size(); ++l)
    count += static_cast<std::size_t>(p.widths[l]) * static_cast<std::size_t>(p.widths[l - 1] + 1);
  auto theta = uniform(1, count);
  std::size_t at = 0;
  for (std::size_t l = 1; l < p.widths.size(); ++l) {
    auto const range = static_cast<float>(std::sqrt(6.0 / p.widths[l - 1]));
    std::size_t const end = at + static_cast<std::size_t>(p.widths[l]) * static_cast<std::size_t>(p.widths[l - 1] + 1);
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

/// Multiplications and additions of one sample through the layers [first, last] of a network, all of them if first
/// is 1: 2 in out each.
inline double layer_flops(problem const& p, std::size_t first = 1) {
  double total = 0;
  for (std::size_t l = first; l < p.widths.size(); ++l) total += 2.0 * p.widths[l - 1] * p.widths[l];
  return total;
}

/// Of a gradient's products, pointwise work left out: forward, every layer's weight gradient, back to all layers but
/// the first.
inline double gradient_flops(problem const& p, std::size_t n) {
  return static_cast<double>(n) * (2 * layer_flops(p) + layer_flops(p, 2));
}

/// OMP_NUM_THREADS, which `run` sets for every contender; 1 when it is not set.
inline int threads() {
  char const* const asked = std::getenv("OMP_NUM_THREADS");
  int const count = asked ? std::atoi(asked) : 1;
  return count > 0 ? count : 1;
}

}  // namespace bench
