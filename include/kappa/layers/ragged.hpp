#pragma once
/// \file
/// Sequences and graphs of different sizes in one batch: the leading axis holds padding at its places of the batch's
/// mask, and these layers see what is valid.

#include <algorithm>
#include <cstddef>

#include <kappa/arch.hpp>
#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

template <class T>
bool is_valid(site<T> const& s, int position) {
  return s.side.mask == nullptr || s.side.mask[position] != 0;
}

/// Zeroes padding; any rank.
struct masked_rule {
  static constexpr char const* name = "masked";
  static constexpr bool linear = true;
  static constexpr bool keeps_positions = true;
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    int const row = s.in.size() / s.in.extent[0];
    for (int t = 0; t < s.in.extent[0]; ++t, x += row, y += row) {
      if (is_valid(s, t)) {
        std::copy_n(x, row, y);
      } else {
        std::fill_n(y, row, T(0));
      }
    }
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const row = s.in.size() / s.in.extent[0];
    for (int k = 0; k < count; ++k, g += s.in.size(), gx += s.in.size()) {
      if (!adds) {
        apply(s, g, gx);
        continue;
      }
      for (int t = 0; t < s.in.extent[0]; ++t)
        if (is_valid(s, t))
          for (int c = t * row; c < (t + 1) * row; ++c) gx[c] += g[c];
    }
  }
};

/// Which valid positions of [T, d] a read-out takes, and with what weight.
enum class read_out { sum, mean, first, last };

/// [T, d] to [d], y = Σ_t w_t x_t over a range of positions, w zero at padding.
template <read_out How>
struct read_out_rule {
  static constexpr char const* name = How == read_out::sum     ? "masked_sum_over_positions"
                                      : How == read_out::mean  ? "masked_mean_over_positions"
                                      : How == read_out::first ? "first_position"
                                                               : "last_valid_position";
  static constexpr bool linear = true;
  static constexpr bool sums_positions = How == read_out::sum;

  static constexpr layer_fault fault_of(shape const& in, layer_settings const&) {
    if (in.rank != 2) return {"wants positions and features, rank", 2, "and not rank", in.rank};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const&) { return {1, {in.features()}}; }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    int const d = s.in.features();
    taken<T> const what(s);
    std::fill_n(y, d, T(0));
    for (int t = what.first; t < what.last; ++t) {
      if (!is_valid(s, t)) continue;
      for (int c = 0; c < d; ++c) y[c] += x[t * d + c];
    }
    for (int c = 0; c < d; ++c) y[c] *= what.weight;
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const d = s.in.features();
    taken<T> const what(s);
    if (!adds) std::fill_n(gx, count * s.in.size(), T(0));
    for (int k = 0; k < count; ++k, g += d, gx += s.in.size())
      for (int t = what.first; t < what.last; ++t) {
        if (!is_valid(s, t)) continue;
        for (int c = 0; c < d; ++c) gx[t * d + c] += what.weight * g[c];
      }
  }

 private:
  /// Positions [first, last) and their weight.
  template <class T>
  struct taken {
    int first = 0;
    int last;
    T weight = 1;

    explicit taken(site<T> const& s) : last(s.in.extent[0]) {
      if constexpr (How == read_out::first) last = 1;
      if constexpr (How == read_out::last) {
        while (last > 0 && !is_valid(s, last - 1)) --last;
        first = std::max(0, last - 1);
      }
      if constexpr (How == read_out::mean) {
        int valid = 0;
        for (int t = 0; t < last; ++t) valid += is_valid(s, t) ? 1 : 0;
        weight = valid > 0 ? 1 / static_cast<T>(valid) : T(0);
      }
    }
  };
};

}  // namespace detail

/// `ragged`: says of its operand, most often the input, that its leading axis holds padding where the mask of the batch
/// (`batch_side::mask`, [N, positions]) is zero. Without a mask every position is valid. What belongs to positions
/// stays ragged; activations, dense layers, `+` and `|` act on padding too, and what mixes positions leaves it out.
struct ragged_t : term_base<ragged_t> {
  static constexpr int emit(auto& g, int x) { return g.ragged(x); }
};
inline constexpr ragged_t ragged{};

/// `masked`: the same value with zeros at padding. Linear, without parameters.
struct masked_t : term_base<masked_t> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<detail::masked_rule>, {}); }
};
inline constexpr masked_t masked{};

namespace detail {
template <read_out How>
struct read_out_t : term_base<read_out_t<How>> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<read_out_rule<How>>, {}); }
};
}  // namespace detail

/// `masked_sum_over_positions`: [T, d] -> [d], the sum over valid positions; zero where all are padding.
inline constexpr detail::read_out_t<detail::read_out::sum> masked_sum_over_positions{};
/// `masked_mean_over_positions`: [T, d] -> [d], the sum over valid positions divided by their number; zero where all
/// are padding.
inline constexpr detail::read_out_t<detail::read_out::mean> masked_mean_over_positions{};
/// `last_valid_position`: [T, d] -> [d], the row of the last valid position; zero where all are padding.
inline constexpr detail::read_out_t<detail::read_out::last> last_valid_position{};
/// `first_position`: [T, d] -> [d], the first row, such as that of a `class_token`; zero where it is padding.
inline constexpr detail::read_out_t<detail::read_out::first> first_position{};

/// `sum_over_nodes`, `mean_over_nodes`: [nodes, d] -> [d], read-outs of a graph whose padding the mask tells.
inline constexpr detail::read_out_t<detail::read_out::sum> sum_over_nodes{};
inline constexpr detail::read_out_t<detail::read_out::mean> mean_over_nodes{};

}  // namespace kappa::inline KAPPA_ARCH
