#pragma once
/// \file
/// Block-diagonal operators: blocks of different structures side by side, or a run-time number of one structure.

#include <algorithm>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <kappa/algebra/diagonal_matrix.hpp>
#include <kappa/algebra/operator.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

template <class Blocks>
struct blocks_traits;
template <class Op, class... Ops>
struct blocks_traits<std::tuple<Op, Ops...>> {
  static_assert((std::is_same_v<value_t<Op>, value_t<Ops>> && ...),
                "block_diagonal: all blocks have one scalar type, float or double");
  using value_type = value_t<Op>;
  static constexpr bool is_singular = singular_v<Op> || (singular_v<Ops> || ...);
  static constexpr bool is_symmetric = symmetric_v<Op> && (symmetric_v<Ops> && ...);
  static constexpr bool factorisable = detail::factorisable<Op> && (detail::factorisable<Ops> && ...);
  static constexpr bool trace = has_trace<Op> && (has_trace<Ops> && ...);
  static constexpr bool diagonal = has_diagonal<Op> && (has_diagonal<Ops> && ...);
  static constexpr bool squared_norm = has_squared_norm<Op> && (has_squared_norm<Ops> && ...);
  static constexpr bool eigenvalues = has_eigenvalues<Op> && (has_eigenvalues<Ops> && ...);
  static constexpr bool top = has_top<Op> && (has_top<Ops> && ...);
};
template <class Op>
struct blocks_traits<std::vector<Op>> : blocks_traits<std::tuple<Op>> {};

template <class... Ops, class F>
void for_each_block(std::tuple<Ops...> const& blocks, F&& f) {
  std::apply([&](auto const&... block) { (f(block), ...); }, blocks);
}
template <class Op, class F>
void for_each_block(std::vector<Op> const& blocks, F&& f) {
  for (auto const& block : blocks) f(block);
}
template <class... Ops, class F>
auto map_blocks(std::tuple<Ops...> const& blocks, F&& f) {
  return std::apply([&](auto const&... block) { return std::tuple{f(block)...}; }, blocks);
}
template <class Op, class F>
auto map_blocks(std::vector<Op> const& blocks, F&& f) {
  std::vector<decltype(f(blocks.front()))> out;
  out.reserve(blocks.size());
  for (auto const& block : blocks) out.push_back(f(block));
  return out;
}

template <class T, class Factors>
struct factors_traits;
template <class T, class... F>
struct factors_traits<T, std::tuple<F...>> {
  static constexpr bool inverse_diagonal = (has_inverse_diagonal<F, T> && ...);
  static constexpr bool inverse_root = (has_inverse_root<F, T> && ...);
};
template <class T, class F>
struct factors_traits<T, std::vector<F>> : factors_traits<T, std::tuple<F>> {};

template <class T, class Factors>
class blocks_factor {
  using offers = factors_traits<T, Factors>;

 public:
  blocks_factor(Factors f, std::vector<std::size_t> sizes_) : factors(std::move(f)), sizes(std::move(sizes_)) {}
  void solve(std::span<T const> x, std::span<T> y) const {
    for_each_range([&](auto const& f, std::size_t at, std::size_t n) { f.solve(x.subspan(at, n), y.subspan(at, n)); });
  }
  void inverse_diagonal(std::span<T> y) const requires offers::inverse_diagonal {
    for_each_range([&](auto const& f, std::size_t at, std::size_t n) { f.inverse_diagonal(y.subspan(at, n)); });
  }
  void inverse_root(std::span<T const> z, std::span<T> y) const requires offers::inverse_root {
    for_each_range(
        [&](auto const& f, std::size_t at, std::size_t n) { f.inverse_root(z.subspan(at, n), y.subspan(at, n)); });
  }
  double log_det() const {
    double sum = 0;
    for_each_block(factors, [&](auto const& factor) { sum += factor.log_det(); });
    return sum;
  }

 private:
  template <class Call>
  void for_each_range(Call&& call) const {
    std::size_t at = 0, i = 0;
    for_each_block(factors, [&](auto const& factor) {
      auto const n = sizes[i++];
      call(factor, at, n);
      at += n;
    });
  }

  Factors factors;
  std::vector<std::size_t> sizes;
};

}  // namespace detail

/// diag(A₁, A₂, ...). `Blocks` is a std::tuple of operators of any structure or a std::vector of operators of one
/// structure. Damping distributes over the blocks, and every operation costs the sum of the blocks' costs.
template <class Blocks>
class block_diagonal {
  using traits = detail::blocks_traits<Blocks>;

 public:
  using value_type = typename traits::value_type;
  using T = value_type;
  static constexpr bool is_singular = traits::is_singular;
  static constexpr bool is_symmetric = traits::is_symmetric;

  explicit block_diagonal(Blocks b) : parts(std::move(b)) {
    detail::for_each_block(parts, [&](auto const& block) { total += block.size(); });
  }
  template <linear_operator... Ops>
  requires std::same_as<Blocks, std::tuple<Ops...>>
  explicit block_diagonal(Ops... ops) : block_diagonal(Blocks(std::move(ops)...)) {}

  std::size_t size() const { return total; }
  Blocks const& blocks() const { return parts; }

  void apply(std::span<T const> x, std::span<T> y) const {
    for_each_range(
        [&](auto const& block, std::size_t at, std::size_t n) { block.apply(x.subspan(at, n), y.subspan(at, n)); });
  }
  double trace() const requires traits::trace {
    double sum = 0;
    detail::for_each_block(parts, [&](auto const& block) { sum += block.trace(); });
    return sum;
  }
  void diagonal(std::span<T> y) const requires traits::diagonal {
    for_each_range([&](auto const& block, std::size_t at, std::size_t n) { block.diagonal(y.subspan(at, n)); });
  }
  double squared_norm() const requires traits::squared_norm {
    double sum = 0;
    detail::for_each_block(parts, [&](auto const& block) { sum += block.squared_norm(); });
    return sum;
  }
  vector<T> eigenvalues() const requires traits::eigenvalues {
    std::vector<T> all;
    detail::for_each_block(parts, [&](auto const& block) {
      auto const values = block.eigenvalues();
      all.insert(all.end(), values.data(), values.data() + values.size());
    });
    std::ranges::sort(all, std::greater{});
    auto out = zeros<T>(all.size());
    std::ranges::copy(all, out.data());
    return out;
  }
  /// The largest of the blocks' own.
  eigen_decomposition<T> top(std::size_t k) const requires traits::top {
    struct candidate {
      std::size_t at;
      std::vector<T> vector;
    };
    std::vector<T> values;
    std::vector<candidate> vectors;
    for_each_range([&](auto const& block, std::size_t at, std::size_t n) {
      auto const pairs = block.top(std::min(k, n));
      for (std::size_t r = 0; r < pairs.values.size(); ++r) {
        auto const* row = pairs.vectors.data() + r * n;
        values.push_back(pairs.values(r));
        vectors.push_back({at, {row, row + n}});
      }
    });
    auto const order = detail::largest<T>(values, k);
    eigen_decomposition<T> pairs{zeros<T>(order.size()), zeros<T>(order.size(), size())};
    for (std::size_t r = 0; r < order.size(); ++r) {
      auto const& [at, v] = vectors[order[r]];
      pairs.values(r) = values[order[r]];
      std::ranges::copy(v, pairs.vectors.data() + r * size() + at);
    }
    return pairs;
  }
  auto factorise(double shift) const requires traits::factorisable {
    auto factors = detail::map_blocks(parts, [&](auto const& block) { return block.factorise(shift); });
    std::vector<std::size_t> sizes;
    detail::for_each_block(parts, [&](auto const& block) { sizes.push_back(block.size()); });
    return detail::blocks_factor<T, decltype(factors)>(std::move(factors), std::move(sizes));
  }

 private:
  template <class F>
  void for_each_range(F&& f) const {
    std::size_t at = 0;
    detail::for_each_block(parts, [&](auto const& block) {
      f(block, at, static_cast<std::size_t>(block.size()));
      at += block.size();
    });
  }

  Blocks parts;
  std::size_t total = 0;
};

template <linear_operator... Ops>
block_diagonal(Ops...) -> block_diagonal<std::tuple<Ops...>>;
template <linear_operator Op>
block_diagonal(std::vector<Op>) -> block_diagonal<std::vector<Op>>;
template <linear_operator... Ops>
block_diagonal(std::tuple<Ops...>) -> block_diagonal<std::tuple<Ops...>>;

}  // namespace kappa::inline KAPPA_ARCH
