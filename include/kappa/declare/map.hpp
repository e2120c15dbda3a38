#pragma once
/// \file
/// A user's own layer without parameters: any differentiable map of one sample's value.

#include <concepts>
#include <span>

#include <kappa/arch.hpp>
#include <kappa/declare/algebra.hpp>
#include <kappa/declare/scalar_table.hpp>
#include <kappa/declare/shape.hpp>
#include <kappa/declare/term.hpp>

namespace kappa::inline KAPPA_ARCH {

/// A differentiable map y = m(x) of one sample's value, row-major spans of the sizes `output` states:
/// - `output(shape) -> shape`: the shape of y; rank 0 refuses the input.
/// - `apply(x, y)`: y = m(x).
/// - `push(x, dx, dy)`: dy = J(x) dx.
/// - `pull(x, gy, gx)`: gx = J(x)ᵀ gy.
/// - `push_pull(x, dx, gy, gx)`: gx = d/dε J(x + ε dx)ᵀ gy at ε = 0, what Hessian-vector products need.
/// Every function overwrites its last argument and is called for float, double and long double.
template <class M>
concept differentiable_map = requires(shape s, std::span<double const> in, std::span<double> out) {
  { M::name } -> std::convertible_to<char const*>;
  { M::output(s) } -> std::same_as<shape>;
  M::apply(in, out);
  M::push(in, in, out);
  M::pull(in, in, out);
  M::push_pull(in, in, in, out);
};

template <class T>
struct map_functions {
  void (*apply)(std::span<T const> x, std::span<T> y);
  void (*push)(std::span<T const> x, std::span<T const> dx, std::span<T> dy);
  void (*pull)(std::span<T const> x, std::span<T const> gy, std::span<T> gx);
  void (*push_pull)(std::span<T const> x, std::span<T const> dx, std::span<T const> gy, std::span<T> gx);
};

/// A differentiable map as a value, so that a graph can hold it.
struct map_rule : scalar_table<map_functions> {
  char const* name;
  shape (*output)(shape);
};

namespace detail {
template <class T, class M>
constexpr map_functions<T> map_functions_of() {
  using in = std::span<T const>;
  using out = std::span<T>;
  return {[](in x, out y) { M::apply(x, y); }, [](in x, in dx, out dy) { M::push(x, dx, dy); },
          [](in x, in gy, out gx) { M::pull(x, gy, gx); },
          [](in x, in dx, in gy, out gx) { M::push_pull(x, dx, gy, gx); }};
}
}  // namespace detail

template <differentiable_map M>
inline constexpr map_rule map_rule_of{{detail::map_functions_of<float, M>(), detail::map_functions_of<double, M>(),
                                       detail::map_functions_of<long double, M>()},
                                      M::name,
                                      [](shape s) { return M::output(s); }};

/// `map<M>`: the term of a user's differentiable map.
template <differentiable_map M>
struct map_t : term_base<map_t<M>> {
  static constexpr int emit(auto& g, int x) { return g.map(x, &map_rule_of<M>); }
};
namespace detail {
template <class M>
constexpr auto checked_map() {
  static_assert(differentiable_map<M>,
                "kappa: a map is a struct with a `name`, output(shape), apply(x, y), push(x, dx, dy), pull(x, gy, gx) "
                "and push_pull(x, dx, gy, gx), all static");
  if constexpr (differentiable_map<M>) {
    return map_t<M>{};
  } else {
    return id;
  }
}
}  // namespace detail
template <class M>
inline constexpr auto map = detail::checked_map<M>();

}  // namespace kappa::inline KAPPA_ARCH
