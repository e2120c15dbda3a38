#pragma once
/// \file
/// The terms that hold parameters or change shapes: input, dense, flatten, scale, and the aggregations over
/// positions.

#include <kappa/declare/shape.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/declare/text.hpp>

namespace kappa {

/// `input<Extent...>`: where a network starts; one sample has these extents, rank 1 to 3.
template <int... Extent>
struct input_t : term_base<input_t<Extent...>> {
  static constexpr int emit(auto& g, int x) { return g.input(x, shape{sizeof...(Extent), {Extent...}}); }
};
namespace static_detail {
template <int... Extent>
constexpr auto checked_input() {
  constexpr bool fits = sizeof...(Extent) >= 1 && sizeof...(Extent) <= 3;
  static_assert(fits, "kappa: input wants 1 to 3 extents");
  if constexpr (fits) {
    return input_t<Extent...>{};
  } else {
    return input_t<1, 1, 1>{};  // so that no second error follows
  }
}
}  // namespace static_detail
template <int... Extent>
inline constexpr auto input = static_detail::checked_input<Extent...>();

/// Asks `dense` for a layer without bias.
struct no_bias_t {};
inline constexpr no_bias_t no_bias{};

/// What may follow the width in `dense<Out, ...>`: a name, `no_bias`, or both.
struct dense_option {
  text name{};
  bool drops_bias = false;

  constexpr dense_option(no_bias_t) : drops_bias(true) {}
  template <int N>
  constexpr dense_option(char const (&literal)[N]) : name(literal) {}
  constexpr bool operator==(dense_option const&) const = default;
};

/// `dense<Out>`: y = W x + b on the last axis, the same W and b at every leading position. Two dense terms of
/// one name are one matrix.
template <int Out, text Name, bool Bias>
struct dense_t : term_base<dense_t<Out, Name, Bias>> {
  static constexpr text name = Name;
  static constexpr int emit(auto& g, int x) { return g.dense(x, Out, Bias, name.s); }
};

namespace static_detail {
template <dense_option... Options>
constexpr text option_name() {
  text name;
  ((Options.name.empty() ? void() : void(name = Options.name)), ...);
  return name;
}
}  // namespace static_detail

/// A dense layer of `Out` features: `dense<64>`, `dense<64, "E">`, `dense<64, no_bias>`, `dense<64, "E", no_bias>`.
template <int Out, dense_option... Options>
inline constexpr dense_t<Out, static_detail::option_name<Options...>(), !(Options.drops_bias || ...)> dense{};

/// `flatten`: one axis of all elements, row-major. Costs nothing: the data stay where they are.
struct flatten_t : term_base<flatten_t> {
  static constexpr int emit(auto& g, int x) { return g.flatten(x); }
};
inline constexpr flatten_t flatten{};

/// `scale<Numerator, Denominator>`: multiplication by a fixed rational.
template <int Numerator, int Denominator>
struct scale_t : term_base<scale_t<Numerator, Denominator>> {
  static constexpr int emit(auto& g, int x) { return g.scale(x, Numerator, Denominator); }
};
namespace static_detail {
template <int Numerator, int Denominator>
constexpr auto checked_scale() {
  static_assert(Denominator > 0, "kappa: scale wants a positive denominator");
  return scale_t<Numerator, Denominator>{};
}
}  // namespace static_detail
template <int Numerator, int Denominator = 1>
inline constexpr auto scale = static_detail::checked_scale<Numerator, Denominator>();

/// `mean_over_positions`: the average over the leading axes, [positions, features] -> [features]. As the third
/// argument of `objective` it is the reduction that averages the loss over samples and positions.
struct mean_over_positions_t : term_base<mean_over_positions_t> {
  static constexpr int emit(auto& g, int x) { return g.aggregate(x, true); }
};
inline constexpr mean_over_positions_t mean_over_positions{};

/// `sum_over_positions`: the sum over the leading axes, [positions, features] -> [features].
struct sum_over_positions_t : term_base<sum_over_positions_t> {
  static constexpr int emit(auto& g, int x) { return g.aggregate(x, false); }
};
inline constexpr sum_over_positions_t sum_over_positions{};

}  // namespace kappa
