#pragma once
/// \file
/// Where in a sequence a position is: learned vectors added to it, or fixed waves.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include <kappa/arch.hpp>
#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/declare/text.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// y = x + P for what does not depend on x: tangents and adjoints in x pass unchanged.
struct shift_rule {
  static constexpr bool keeps_positions = true;
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }

  template <class T>
  static void push(site<T> const& s, T const*, T const* dx, T* dy) {
    int const n = s.in.size();
    if (dx == nullptr) {
      std::fill_n(dy, n, T(0));
    } else {
      std::copy_n(dx, n, dy);
    }
    if (s.direction != nullptr)
      for (int i = 0; i < n; ++i) dy[i] += s.direction[i];
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    int const n = count * s.in.size();
    if (!adds) {
      std::copy_n(g, n, gx);
    } else {
      for (int i = 0; i < n; ++i) gx[i] += g[i];
    }
  }
};

struct positional_embedding_rule : shift_rule {
  static constexpr char const* name = "positional_embedding";
  static constexpr int parameters(shape const& in, layer_settings const&) { return in.size(); }
  static constexpr double initial_deviation(shape const&, layer_settings const&, int) { return 0.02; }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    for (int i = 0; i < s.in.size(); ++i) y[i] = x[i] + s.theta[i];
  }
  template <class T>
  static void weigh(site<T> const& s, T const*, int count, T const* g, T* w) {
    std::copy_n(g, count * s.in.size(), w);
  }
};

struct sinusoidal_rule : shift_rule {
  static constexpr char const* name = "sinusoidal_positions";
  static constexpr layer_fault fault_of(shape const& in, layer_settings const&) {
    if (in.rank != 2) return {"wants positions and features, rank", 2, "and not rank", in.rank};
    return {};
  }
  static constexpr std::size_t scratch(shape const& in, layer_settings const&) {
    return 4 * static_cast<std::size_t>((in.features() + 1) / 2);
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    // Waves are turned from position to position, and begun anew now and then, so that rounding does not add up.
    constexpr int turns = 16;
    using wide = std::conditional_t<sizeof(T) < sizeof(double), double, T>;  // the error of a phase grows with t
    int const d = s.in.features(), waves = (d + 1) / 2;
    T* const step_cosine = s.scratch;
    T* const step_sine = step_cosine + waves;
    T* const cosine = step_sine + waves;
    T* const sine = cosine + waves;
    auto const begin = [=](int t, T* cosines, T* sines) {
      for (int i = 0; i < waves; ++i) {
        wide const phase =
            static_cast<wide>(t) / std::pow(wide(10000), static_cast<wide>(2 * i) / static_cast<wide>(d));
        cosines[i] = static_cast<T>(std::cos(phase));
        sines[i] = static_cast<T>(std::sin(phase));
      }
    };
    begin(1, step_cosine, step_sine);
    for (int t = 0; t < s.in.extent[0]; ++t, x += d, y += d) {
      if (t % turns == 0) {
        begin(t, cosine, sine);
      } else {
        for (int i = 0; i < waves; ++i) {
          T const c = cosine[i] * step_cosine[i] - sine[i] * step_sine[i];
          sine[i] = sine[i] * step_cosine[i] + cosine[i] * step_sine[i];
          cosine[i] = c;
        }
      }
      for (int i = 0; i < d / 2; ++i) {
        y[2 * i] = x[2 * i] + sine[i];
        y[2 * i + 1] = x[2 * i + 1] + cosine[i];
      }
      if (d % 2 != 0) y[d - 1] = x[d - 1] + sine[waves - 1];
    }
  }
};

}  // namespace detail

/// `positional_embedding<>`: y = x + P with a learned P of x's own shape, such as [T, d].
/// Parameters: P, row by row, drawn with deviation 0.02. A name shares them: `positional_embedding<"P">`.
template <text Name = text{}>
struct positional_embedding_t : term_base<positional_embedding_t<Name>> {
  static constexpr text name = Name;
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::positional_embedding_rule>, {}, name.s);
  }
};
template <text Name = text{}>
inline constexpr positional_embedding_t<Name> positional_embedding{};

/// `sinusoidal_positions`: [T, d] plus fixed waves (Vaswani et al. 2017, 3.5): sin(t / 10000^{2 i / d}) to feature
/// 2 i of position t, the cosine of the same to feature 2 i + 1. No parameters.
struct sinusoidal_positions_t : term_base<sinusoidal_positions_t> {
  static constexpr int emit(auto& g, int x) { return g.layer(x, &layer_rule_of<detail::sinusoidal_rule>, {}); }
};
inline constexpr sinusoidal_positions_t sinusoidal_positions{};

}  // namespace kappa::inline KAPPA_ARCH
