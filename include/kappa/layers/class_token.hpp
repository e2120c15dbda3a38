#pragma once
/// \file
/// A learned row before a sequence, where a transformer gathers what concerns the whole (Devlin et al. 2019;
/// Dosovitskiy et al. 2021).

#include <algorithm>
#include <cstddef>

#include <kappa/arch.hpp>
#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/declare/text.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// [T, d] to [T + 1, d], y = (θ, x). Setting 0 says that the operand is ragged.
struct class_token_rule {
  static constexpr char const* name = "class_token";

  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    if (in.rank != 2) return {"wants positions and features, rank", 2, "and not rank", in.rank};
    if (s[0] != 0) return {"joins a ragged value, whose mask has", in.extent[0], "positions and not", in.extent[0] + 1};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const&) {
    return {2, {in.extent[0] + 1, in.features()}};
  }
  static constexpr int parameters(shape const& in, layer_settings const&) { return in.features(); }
  static constexpr double initial_deviation(shape const&, layer_settings const&, int) { return 0.02; }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    join(s, s.theta, x, y);
  }
  template <class T>
  static void push(site<T> const& s, T const*, T const* dx, T* dy) {
    join(s, s.direction, dx, dy);
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const n = s.in.size(), d = s.in.features();
    for (int k = 0; k < count; ++k, g += n + d, gx += n)
      for (int i = 0; i < n; ++i) gx[i] = adds ? gx[i] + g[d + i] : g[d + i];
  }
  template <class T>
  static void weigh(site<T> const& s, T const*, int count, T const* g, T* w) {
    int const d = s.in.features();
    for (int k = 0; k < count; ++k, g += s.out.size(), w += d) std::copy_n(g, d, w);
  }

 private:
  /// Null stands for zeros.
  template <class T>
  static void join(site<T> const& s, T const* first, T const* rest, T* y) {
    int const n = s.in.size(), d = s.in.features();
    if (first != nullptr) {
      std::copy_n(first, d, y);
    } else {
      std::fill_n(y, d, T(0));
    }
    if (rest != nullptr) {
      std::copy_n(rest, n, y + d);
    } else {
      std::fill_n(y + d, n, T(0));
    }
  }
};

}  // namespace detail

/// `class_token<>`: [T, d] -> [T + 1, d], a learned row before the others; `first_position` reads it again. A ragged
/// value has no place for it in its mask and is refused.
/// Parameters: the row [d], drawn with deviation 0.02. A name shares it: `class_token<"class">`.
template <text Name = text{}>
struct class_token_t : term_base<class_token_t<Name>> {
  static constexpr text name = Name;
  static constexpr int emit(auto& g, int x) {
    layer_settings const is_ragged{{x >= 0 && g.is_ragged(x) ? 1 : 0}};
    return g.layer(x, &layer_rule_of<detail::class_token_rule>, is_ragged, name.s);
  }
};
template <text Name = text{}>
inline constexpr class_token_t<Name> class_token{};

}  // namespace kappa::inline KAPPA_ARCH
