#pragma once
/// \file
/// A user's own layer without parameters: any differentiable map of one sample's value.

#include <concepts>
#include <span>

#include <kappa/arch.hpp>
#include <kappa/declare/algebra.hpp>
#include <kappa/declare/layer_rule.hpp>
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

namespace detail {
/// A user's map as a rule: it overwrites, so what must be added is gathered in scratch.
template <class M>
struct map_layer {
  static constexpr char const* name = M::name;
  static constexpr shape output(shape in, layer_settings const&) { return M::output(in); }
  static constexpr layer_fault fault_of(shape in, layer_settings const&) {
    if (M::output(in).rank > 0) return {};
    return {"does not take a value of rank", in.rank, "and", in.size(), " elements"};
  }
  static constexpr std::size_t scratch(shape in, layer_settings const&) { return static_cast<std::size_t>(in.size()); }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    M::apply(below(s, x), above(s, y));
  }
  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    M::push(below(s, x), below(s, dx), above(s, dy));
  }
  template <class T>
  static void pull(site<T> const& s, T const* x, int count, T const* g, T* gx, bool adds) {
    for (int k = 0; k < count; ++k, g += s.out.size(), gx += s.in.size()) {
      if (adds) {
        M::pull(below(s, x), above(s, g), below(s, s.scratch));
        add(s, gx);
      } else {
        M::pull(below(s, x), above(s, g), below(s, gx));
      }
    }
  }
  template <class T>
  static void push_pull(site<T> const& s, T const* x, T const* dx, T const* g, T* gx) {
    M::push_pull(below(s, x), below(s, dx), above(s, g), below(s, s.scratch));
    add(s, gx);
  }

 private:
  template <class T>
  static std::span<T> below(site<std::remove_const_t<T>> const& s, T* x) {
    return {x, static_cast<std::size_t>(s.in.size())};
  }
  template <class T>
  static std::span<T> above(site<std::remove_const_t<T>> const& s, T* y) {
    return {y, static_cast<std::size_t>(s.out.size())};
  }
  template <class T>
  static void add(site<T> const& s, T* gx) {
    for (int e = 0; e < s.in.size(); ++e) gx[e] += s.scratch[e];
  }
};
}  // namespace detail

/// `map<M>`: the term of a user's differentiable map.
template <differentiable_map M>
struct map_t : term_base<map_t<M>> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<detail::map_layer<M>>, {}); }
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
