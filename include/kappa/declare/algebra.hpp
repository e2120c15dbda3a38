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
struct chain_t : term_base<chain_t<F...>> {
  static constexpr int emit(auto& g, int x) {
    using builder = std::remove_reference_t<decltype(g)>;
    constexpr static_detail::emitter<builder> steps[] = {&F::emit...};
    for (auto step : steps) x = step(g, x);
    return x;
  }
};

/// `f + g + ...`: the sum of several maps of one input.
template <class... F>
struct added_t : term_base<added_t<F...>> {
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
struct gated_t : term_base<gated_t<F...>> {
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
  return typename static_detail::joined<chain_t, F, G>::type{};
}
template <term F, term G>
constexpr auto operator+(F, G) {
  return typename static_detail::joined<added_t, F, G>::type{};
}
template <term F, term G>
constexpr auto operator*(F, G) {
  return typename static_detail::joined<gated_t, F, G>::type{};
}

namespace static_detail {
// Whether only one of two operands is a term, or in a traced function a variable.
template <class F, class G>
constexpr bool mismatched() {
  return term<F> != term<G> || std::same_as<F, variable> != std::same_as<G, variable>;
}

// One sentence about it. The operand that fits comes back, so that no second error follows.
template <class F, class G>
constexpr auto refuse_operand(F const& f, G const& g) {
  static_assert(
      term<F> && term<G>,
      "kappa: one side of this |, + or * is not a term of a network. A loss goes into `objective`, a network "
      "N joins as `N::declaration{}`, a factor is `scale<...>`; in a traced function a term is called, `dense<64>(x)`");
  if constexpr (std::same_as<F, variable> || (term<F> && !std::same_as<G, variable>)) {
    return f;
  } else {
    return g;
  }
}
}  // namespace static_detail

template <class F, class G>
requires(static_detail::mismatched<F, G>()) constexpr auto operator|(F const& f, G const& g) {
  return static_detail::refuse_operand(f, g);
}
template <class F, class G>
requires(static_detail::mismatched<F, G>()) constexpr auto operator+(F const& f, G const& g) {
  return static_detail::refuse_operand(f, g);
}
template <class F, class G>
requires(static_detail::mismatched<F, G>()) constexpr auto operator*(F const& f, G const& g) {
  return static_detail::refuse_operand(f, g);
}

/// `residual(f)` is `id + f`.
template <term F>
constexpr auto residual(F f) {
  return id + f;
}

}  // namespace kappa
