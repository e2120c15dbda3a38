#pragma once
/// \file
/// Values side by side, and the same elements under another shape.

#include <kappa/declare/shape.hpp>
#include <kappa/declare/term.hpp>

namespace kappa {

template <int Axis, class... F>
struct concatenate_t : term_base<concatenate_t<Axis, F...>> {
  static constexpr int emit(auto& g, int x) {
    using builder = std::remove_reference_t<decltype(g)>;
    constexpr int (*steps[])(builder&, int) = {&F::emit...};
    int all = steps[0](g, x);
    for (unsigned i = 1; i < sizeof...(F); ++i) all = g.concatenate(all, steps[i](g, x), Axis);
    return all;
  }
};
/// `concatenate(f, g, ...)`: what several maps make of the same input, side by side along the last axis; other extents
/// must agree. `concatenate(id, recall<"early">)` is the long skip of a U-Net.
template <term... F>
requires(sizeof...(F) >= 1) constexpr concatenate_t<-1, F...> concatenate(F...) { return {}; }
/// `concatenate_along<Axis>(f, g, ...)`: along another axis; negative ones count from the last.
template <int Axis, term... F>
requires(sizeof...(F) >= 1) constexpr concatenate_t<Axis, F...> concatenate_along(F...) { return {}; }

template <int... Extent>
struct reshape_t : term_base<reshape_t<Extent...>> {
  static_assert(sizeof...(Extent) >= 1 && sizeof...(Extent) <= 3, "kappa: reshape wants 1 to 3 extents");
  static constexpr int emit(auto& g, int x) { return g.reshape(x, shape{sizeof...(Extent), {Extent...}}); }
};
/// `reshape<Extent...>`: the same elements, row-major, under other extents. Costs nothing.
template <int... Extent>
inline constexpr reshape_t<Extent...> reshape{};

struct flatten_positions_t : term_base<flatten_positions_t> {
  static constexpr int emit(auto& g, int x) {
    if (x < 0) return g.flatten(x);  // says that there is no input
    shape const s = g.shape_of(x);
    return g.reshape(x, {2, {s.positions(), s.features()}});
  }
};
/// `flatten_positions`: [H, W, C] -> [H W, C], an image as a sequence. Costs nothing.
inline constexpr flatten_positions_t flatten_positions{};

}  // namespace kappa
