#pragma once
/// \file
/// The three operators of the network language. `f | g` applies f, then g; `f + g` adds what both make of the
/// same input; `f * g` multiplies it, element by element. Each is associative: nested uses flatten to one list.

#include <kappa/declare/term.hpp>

namespace kappa {

namespace static_detail {
// A loop over function pointers instead of a fold: compilers limit the depth of folds to 256.
template <class Builder>
using emitter = int (*)(Builder&, int);
}  // namespace static_detail

/// `f | g | ...`: composition, in the order in which data flows.
template <class... F>
struct chain : term_base<chain<F...>> {
  static constexpr int emit(auto& g, int x) {
    using builder = std::remove_reference_t<decltype(g)>;
    constexpr static_detail::emitter<builder> steps[] = {&F::emit...};
    for (auto step : steps) x = step(g, x);
    return x;
  }
};

/// `f + g + ...`: the sum of several maps of one input.
template <class... F>
struct added : term_base<added<F...>> {
  static constexpr int emit(auto& g, int x) {
    using builder = std::remove_reference_t<decltype(g)>;
    constexpr static_detail::emitter<builder> steps[] = {&F::emit...};
    int total = steps[0](g, x);
    for (unsigned i = 1; i < sizeof...(F); ++i) total = g.add(total, steps[i](g, x));
    return total;
  }
};

/// `f * g * ...`: the elementwise product of several maps of one input, a gate.
template <class... F>
struct gated : term_base<gated<F...>> {
  static constexpr int emit(auto& g, int x) {
    using builder = std::remove_reference_t<decltype(g)>;
    constexpr static_detail::emitter<builder> steps[] = {&F::emit...};
    int total = steps[0](g, x);
    for (unsigned i = 1; i < sizeof...(F); ++i) total = g.multiply(total, steps[i](g, x));
    return total;
  }
};

/// `id`: the unit of `|`; `f + id` is a residual connection.
struct id_t : term_base<id_t> {
  static constexpr int emit(auto&, int x) { return x; }
};
inline constexpr id_t id{};

namespace static_detail {
template <template <class...> class List, class F, class G>
struct joined {
  using type = List<F, G>;
};
template <template <class...> class List, class... F, class G>
struct joined<List, List<F...>, G> {
  using type = List<F..., G>;
};
template <template <class...> class List, class F, class... G>
struct joined<List, F, List<G...>> {
  using type = List<F, G...>;
};
template <template <class...> class List, class... F, class... G>
struct joined<List, List<F...>, List<G...>> {
  using type = List<F..., G...>;
};
}  // namespace static_detail

template <term F, term G>
constexpr auto operator|(F, G) {
  return typename static_detail::joined<chain, F, G>::type{};
}
template <term F, term G>
constexpr auto operator+(F, G) {
  return typename static_detail::joined<added, F, G>::type{};
}
template <term F, term G>
constexpr auto operator*(F, G) {
  return typename static_detail::joined<gated, F, G>::type{};
}

/// `residual(f)` is `id + f`.
template <term F>
constexpr auto residual(F f) {
  return id + f;
}

}  // namespace kappa
