// E2: pooling with uneven weights, and padding with zeros.

#include <algorithm>
#include <cmath>
#include <span>

#include <kappa/layers.hpp>

#include "failures_layers.hpp"

namespace sharing_study {

namespace {

/// Σ_r w_r x_r with w = (0.1, 0.2, 0.3, 0.4).
struct weighted_pool {
  static constexpr char const* name = "weighted_pool";
  static constexpr shape output(shape in) {
    return in.rank == 2 && in.extent[0] == 4 ? shape{1, {in.extent[1]}} : shape{};
  }
  template <class T>
  static void apply(std::span<T const> x, std::span<T> y) {
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = 0;
      for (std::size_t r = 0; r < 4; ++r) y[i] += weight<T>(r) * x[r * y.size() + i];
    }
  }
  template <class T>
  static void push(std::span<T const>, std::span<T const> dx, std::span<T> dy) {
    apply<T>(dx, dy);
  }
  template <class T>
  static void pull(std::span<T const>, std::span<T const> gy, std::span<T> gx) {
    for (std::size_t r = 0; r < 4; ++r)
      for (std::size_t i = 0; i < gy.size(); ++i) gx[r * gy.size() + i] = weight<T>(r) * gy[i];
  }
  template <class T>
  static void push_pull(std::span<T const>, std::span<T const>, std::span<T const>, std::span<T> gx) {
    std::ranges::fill(gx, T(0));
  }

 private:
  template <class T>
  static constexpr T weight(std::size_t r) {
    return static_cast<T>(r + 1) / 10;
  }
};

struct weighted_net : network<input<4, 4> | dense<3> | dense<3> | dense<2> | map<weighted_pool>> {};
struct weighted : objective<weighted_net, squared_error> {};
struct padded_net
    : network<input<8, 2> | conv<3, 3, same_padding> | conv<3, 3, same_padding> | dense<2> | mean_over_positions> {};
struct padded_reduce : objective<padded_net, squared_error> {};

}  // namespace

void failures_of_positions(experiment& e, settings const& s) {
  io::table table{"network", "variant", "layer 1", "layer 2", "layer 3"};
  failures_of_mixing(e, table, s);
  auto const uneven = errors_over_draws<weighted>(s, [](auto&, std::size_t) {});
  layers_row(table, "pooled with weights 0.1, 0.2, 0.3, 0.4", "reduce", uneven.reduce);
  layers_row(table, "pooled with weights 0.1, 0.2, 0.3, 0.4", "expand", uneven.expand);
  auto const padded = errors_over_draws<padded_reduce>(s, [](auto&, std::size_t) {});
  layers_row(table, "two convolutions padded with zeros, 1x1 head, mean", "reduce", padded.reduce);
  layers_row(table, "two convolutions padded with zeros, 1x1 head, mean", "expand", padded.expand);
  e.table(std::move(table), "Terms between positions: relative errors, mean and range over instances");
  auto const largest = [](std::vector<double> const& v) { return std::ranges::max(v); };
  std::vector<double> pooled;
  for (auto const& layer : uneven.reduce) pooled.insert(pooled.end(), layer.begin(), layer.end());
  e.in_range("weighted pooling, reduce, all layers", spread_of(pooled), 0.24, 0.33,
             "the reference's weights are one random draw, these are 0.1 to 0.4.");
  e.covers("convolutions padded with zeros, reduce in layer 1", spread_of(padded.reduce[0]), 0.11,
           "other random weights than the reference's.");
  e.exact("convolutions padded with zeros, reduce in layer 2",
          std::max(largest(padded.reduce[1]), largest(padded.reduce[2])));
}

}  // namespace sharing_study
