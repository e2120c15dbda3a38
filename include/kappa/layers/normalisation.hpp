#pragma once
/// \file
/// Normalisation within a sample: layer norm, root-mean-square norm, group norm. Each standardises blocks of elements,
/// z = (x - μ) / √(σ² + ε), and gives every feature a scale and a shift of its own, y = γ z + β.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/layers.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/declare/text.hpp>
#include <kappa/layers/sums.hpp>

namespace kappa {

/// One option of a norm: what may stand in `layer_norm<...>`, in any order. A literal is a name.
struct norm_option {
  enum class kind { epsilon, drops_shift, drops_all, name };
  kind what;
  int numerator = 0;
  int denominator = 1;
  text name{};

  constexpr norm_option(kind k, int n, int d) : what(k), numerator(n), denominator(d) {}
  constexpr norm_option(no_bias_t) : what(kind::drops_shift) {}
  template <int N>
  constexpr norm_option(char const (&literal)[N]) : what(kind::name), name(literal) {}
  constexpr bool operator==(norm_option const&) const = default;
};

/// The ε that is added to a variance, a positive rational; 1/100000 unless said.
template <int Numerator, int Denominator>
inline constexpr norm_option norm_epsilon{norm_option::kind::epsilon, Numerator, Denominator};
/// A norm without scale and shift.
inline constexpr norm_option no_parameters{norm_option::kind::drops_all, 0, 1};

/// The options together.
struct norm_options {
  int numerator = 1, denominator = 100'000;
  bool scale = true, shift = true;
  text name{};

  constexpr void take(norm_option const& o) {
    using kind = norm_option::kind;
    switch (o.what) {
      case kind::epsilon:
        numerator = o.numerator, denominator = o.denominator;
        break;
      case kind::drops_shift:
        shift = false;
        break;
      case kind::drops_all:
        scale = shift = false;
        break;
      case kind::name:
        name = o.name;
        break;
    }
  }
  constexpr layer_settings settings(int groups) const {
    return {{numerator, denominator, scale ? 1 : 0, shift ? 1 : 0, groups}};
  }
};

template <norm_option... Options>
constexpr norm_options norm_options_of() {
  norm_options all;
  (all.take(Options), ...);
  return all;
}

}  // namespace kappa

namespace kappa::inline KAPPA_ARCH {
namespace detail {

enum class norm_kind { layer, rms, group };

struct keeps_its_positions {
  static constexpr bool keeps_positions = true;
};
struct mixes_positions {};

/// Settings: ε as a fraction, whether there is a scale, whether there is a shift, groups.
/// The Jacobian of z in x is s (I - 1 1ᵀ/n - z zᵀ/n) on each block of n elements, s = 1/√(σ² + ε); without the middle
/// term where no mean is taken. It is symmetric, so push and pull share it.
template <norm_kind Kind>
struct norm_rule : std::conditional_t<Kind == norm_kind::group, mixes_positions, keeps_its_positions> {
  static constexpr bool centred = Kind != norm_kind::rms;
  static constexpr bool by_groups = Kind == norm_kind::group;
  static constexpr char const* name = Kind == norm_kind::layer ? "layer_norm"
                                      : Kind == norm_kind::rms ? "rms_norm"
                                                               : "group_norm";

  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    if (s[0] < 1 || s[1] < 1) return {"wants a positive epsilon, not", s[0], "over", s[1]};
    if (by_groups && (s[4] < 1 || in.features() % s[4] != 0))
      return {"wants groups that divide its channels: groups", s[4], "and channels", in.features()};
    if (centred && block_size(in, s) < 2)
      return {"wants to normalise over", 2, "elements or more and has", block_size(in, s)};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }
  static constexpr int parameters(shape const& in, layer_settings const& s) { return (s[2] + s[3]) * in.features(); }
  static constexpr double initial_mean(shape const& in, layer_settings const& s, int index) {
    return s[2] != 0 && index < in.features() ? 1 : 0;
  }
  /// z, a tangent of z, one number after the other of each block, and two rows.
  static constexpr std::size_t scratch(shape const& in, layer_settings const&) {
    return static_cast<std::size_t>(2 * in.size() + per_block * blocks_of(in) + 2 * in.features());
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    room<T> const r(s);
    standardise(r, x);
    affine(r, r.z, r.shift, y);
  }

  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    room<T> const r(s);
    standardise(r, x);
    tangent(r, dx);
    affine(r, r.dz, static_cast<T const*>(nullptr), dy);
    if (r.d_gain != nullptr)
      r.rows([&](int at) { store(true, r.features, dy + at, [&](int c) { return r.d_gain[c] * r.z[at + c]; }); });
    if (r.d_shift != nullptr)
      r.rows([&](int at) { store(true, r.features, dy + at, [&](int c) { return r.d_shift[c]; }); });
  }

  template <class T>
  static void pull(site<T> const& s, T const* x, int count, T const* g, T* gx, bool adds) {
    room<T> const r(s);
    standardise(r, x);
    for (int k = 0; k < count; ++k, g += r.size, gx += r.size) project(r, r.gain, g, gx, adds);
  }

  template <class T>
  static void push_pull(site<T> const& s, T const* x, T const* dx, T const* g, T* gx) {
    room<T> const r(s);
    standardise(r, x);
    if (r.d_gain != nullptr) project(r, r.d_gain, g, gx, true);
    if (dx == nullptr) return;
    tangent(r, dx);
    // With P h = s (h - mean h - z mean(z h)), dP h = -s mean(z dx) P h - s (dz mean(z h) + z mean(dz h)).
    auto const h = [&](int i, int c) { return r.gain[c] * g[i]; };
    T *const mean = r.block(1), *const along_z = r.block(2), *const along_dz = r.block(3), *const stretch = r.block(4);
    r.means(mean, {r.inverse}, [&](int i, int c, auto const&) { return h(i, c); });
    r.means(along_z, {r.inverse}, [&](int i, int c, auto const&) { return h(i, c) * r.z[i]; });
    r.means(along_dz, {r.inverse}, [&](int i, int c, auto const&) { return h(i, c) * r.dz[i]; });
    r.means(stretch, {r.inverse}, [&](int i, int, auto const& v) { return v[0] * dx[i] * r.z[i]; });
    r.each(true, gx, {r.inverse, mean, along_z, along_dz, stretch}, [&](int i, int c, auto const& v) {
      T const projected = h(i, c) - (centred ? v[1] : T(0)) - r.z[i] * v[2];
      return -v[0] * (v[4] * projected + r.dz[i] * v[2] + r.z[i] * v[3]);
    });
  }

  template <class T>
  static void weigh(site<T> const& s, T const* x, int count, T const* g, T* w) {
    room<T> const r(s);
    bool const scales = s.set[2] != 0, shifts = s.set[3] != 0;
    if (scales) standardise(r, x);
    int const own = parameters(s.in, s.set);
    for (int k = 0; k < count; ++k, g += r.size, w += own) {
      std::fill_n(w, own, T(0));
      T* const of_shift = scales ? w + r.features : w;
      r.rows([&](int at) {
        if (scales) store(true, r.features, w, [&](int c) { return g[at + c] * r.z[at + c]; });
        if (shifts) store(true, r.features, of_shift, [&](int c) { return g[at + c]; });
      });
    }
  }

  template <class T>
  static void push_weigh(site<T> const& s, T const* x, T const* dx, T const* g, T* w) {
    if (dx == nullptr || s.set[2] == 0) return;
    room<T> const r(s);
    standardise(r, x);
    tangent(r, dx);
    r.rows([&](int at) { store(true, r.features, w, [&](int c) { return g[at + c] * r.dz[at + c]; }); });
  }

 private:
  static constexpr int per_block = 5;
  /// How many elements are standardised together.
  static constexpr int block_size(shape const& in, layer_settings const& s) {
    return by_groups ? in.size() / s[4] : in.features();
  }
  /// How many places a number of each block takes: a block is a position, or a group, whose number stands at every one
  /// of its channels, so that loops over channels read it in order.
  static constexpr int blocks_of(shape const& in) { return by_groups ? in.features() : in.positions(); }

  /// A site's scratch and parameters, null where there are none, and the loops over it.
  template <class T>
  struct room {
    int features, size, blocks, groups;
    T epsilon, per_element;
    T *z, *dz, *inverse, *part;
    T const* gain;
    T const *shift = nullptr, *d_gain = nullptr, *d_shift = nullptr;

    explicit room(site<T> const& s)
        : features(s.in.features()),
          size(s.in.size()),
          blocks(blocks_of(s.in)),
          groups(s.set[4]),
          epsilon(static_cast<T>(s.set[0]) / static_cast<T>(s.set[1])),
          per_element(T(1) / static_cast<T>(block_size(s.in, s.set))),
          z(s.scratch),
          dz(z + size),
          inverse(dz + size),
          part(inverse + per_block * blocks),
          gain(s.theta) {
      int const before_shift = s.set[2] != 0 ? features : 0;
      if (s.set[3] != 0) shift = s.theta + before_shift;
      if (s.direction != nullptr && s.set[2] != 0) d_gain = s.direction;
      if (s.direction != nullptr && s.set[3] != 0) d_shift = s.direction + before_shift;
      if (s.set[2] == 0) {
        T* const ones = part + features;
        std::fill_n(ones, features, T(1));
        gain = ones;
      }
    }
    /// Number k of each block; number 0 is the inverse deviation.
    T* block(int k) const { return inverse + k * blocks; }

    template <class F>
    void rows(F&& f) const {
      for (int at = 0; at < size; at += features) f(at);
    }
    /// to_i (+)= f(i, its feature, the numbers of its block).
    template <std::size_t N, class F>
    void each(bool adds, T* to, T const* const (&numbers)[N], F&& f) const {
      for (int at = 0, row = 0; at < size; at += features, ++row) {
        if constexpr (by_groups) {
          store(adds, features, to + at, [&](int c) { return f(at + c, c, taken(numbers, c)); });
        } else {
          store(adds, features, to + at, [&, v = taken(numbers, row)](int c) { return f(at + c, c, v); });
        }
      }
    }
    /// The mean over each block of f(element, its feature, the numbers of its block).
    template <std::size_t N, class F>
    void means(T* to, T const* const (&numbers)[N], F&& f) const {
      if constexpr (by_groups) {
        constexpr int together = 32;  // rows whose sum is taken before it meets the others': rounding errors stay small
        std::fill_n(to, features, T(0));
        for (int first = 0; first < size; first += together * features) {
          std::fill_n(part, features, T(0));
          for (int at = first; at < std::min(size, first + together * features); at += features)
            store(true, features, part, [&](int c) { return f(at + c, c, taken(numbers, c)); });
          store(true, features, to, [&](int c) { return part[c]; });
        }
        int const channels = features / groups;
        for (T* group = to; group != to + features; group += channels) {
          T const total = lane_sum<T>(channels, [&](int c) { return group[c]; });
          std::fill_n(group, channels, total * per_element);
        }
      } else {
        for (int at = 0, row = 0; at < size; at += features, ++row)
          to[row] =
              per_element * lane_sum<T>(features, [&, v = taken(numbers, row)](int c) { return f(at + c, c, v); });
      }
    }

   private:
    template <std::size_t N>
    static std::array<T, N> taken(T const* const (&numbers)[N], int i) {
      std::array<T, N> v;
      for (std::size_t k = 0; k < N; ++k) v[k] = numbers[k][i];
      return v;
    }
  };

  /// z and the inverse deviations, the variance from the differences to the mean.
  template <class T>
  static void standardise(room<T> const& r, T const* x) {
    T *const mean = r.block(1), *const variance = r.block(2);
    std::fill_n(mean, r.blocks, T(0));
    if (centred) r.means(mean, {mean}, [&](int i, int, auto const&) { return x[i]; });
    r.means(variance, {mean}, [&](int i, int, auto const& v) { return (x[i] - v[0]) * (x[i] - v[0]); });
    for (int b = 0; b < r.blocks; ++b) r.inverse[b] = 1 / std::sqrt(variance[b] + r.epsilon);
    r.each(false, r.z, {r.inverse, mean}, [&](int i, int, auto const& v) { return (x[i] - v[1]) * v[0]; });
  }

  /// to (+)= s (h - mean h - z mean(z h)), h = gain g.
  template <class T>
  static void project(room<T> const& r, T const* gain, T const* g, T* to, bool adds) {
    T *const mean = r.block(1), *const along_z = r.block(2);
    std::fill_n(mean, r.blocks, T(0));
    if (centred) r.means(mean, {r.inverse}, [&](int i, int c, auto const&) { return gain[c] * g[i]; });
    r.means(along_z, {r.inverse}, [&](int i, int c, auto const&) { return gain[c] * g[i] * r.z[i]; });
    r.each(adds, to, {r.inverse, mean, along_z},
           [&](int i, int c, auto const& v) { return v[0] * (gain[c] * g[i] - v[1] - r.z[i] * v[2]); });
  }

  /// dz = s (dx - mean dx - z mean(z dx)); zero along a null dx.
  template <class T>
  static void tangent(room<T> const& r, T const* dx) {
    if (dx == nullptr) {
      std::fill_n(r.dz, r.size, T(0));
      return;
    }
    T *const mean = r.block(1), *const along_z = r.block(2);
    std::fill_n(mean, r.blocks, T(0));
    if (centred) r.means(mean, {r.inverse}, [&](int i, int, auto const&) { return dx[i]; });
    r.means(along_z, {r.inverse}, [&](int i, int, auto const&) { return dx[i] * r.z[i]; });
    r.each(false, r.dz, {r.inverse, mean, along_z},
           [&](int i, int, auto const& v) { return v[0] * (dx[i] - v[1] - r.z[i] * v[2]); });
  }

  /// y = gain v + shift.
  template <class T>
  static void affine(room<T> const& r, T const* v, T const* shift, T* y) {
    r.rows([&](int at) {
      if (shift != nullptr) {
        store(false, r.features, y + at, [&](int c) { return r.gain[c] * v[at + c] + shift[c]; });
      } else {
        store(false, r.features, y + at, [&](int c) { return r.gain[c] * v[at + c]; });
      }
    });
  }
};

}  // namespace detail

template <norm_option... Options>
struct layer_norm_t : term_base<layer_norm_t<Options...>> {
  static constexpr norm_options options = norm_options_of<Options...>();
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::norm_rule<detail::norm_kind::layer>>, options.settings(0), options.name.s);
  }
};
/// `layer_norm<>`: at every position y = γ (x - μ) / √(σ² + ε) + β, μ and σ² the mean and the variance (over n, not n -
/// 1) of the last axis (Ba, Kiros and Hinton 2016, "Layer normalization"). Any shape; keeps it, and ragged positions.
/// Options: `norm_epsilon<1, 1000000>`, `no_bias` (no β), `no_parameters`, a name.
/// Parameters: γ [features], drawn as 1, then β [features], drawn as 0. Costs some 8 flops an element forward and 7 for
/// each vector backward.
template <norm_option... Options>
inline constexpr layer_norm_t<Options...> layer_norm{};

template <norm_option... Options>
struct rms_norm_t : term_base<rms_norm_t<Options...>> {
  static constexpr norm_options options = [] {
    norm_options o = norm_options_of<Options...>();
    o.shift = false;
    return o;
  }();
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::norm_rule<detail::norm_kind::rms>>, options.settings(0), options.name.s);
  }
};
/// `rms_norm<>`: at every position y = γ x / √(mean x² + ε) over the last axis (Zhang and Sennrich 2019, "Root mean
/// square layer normalization"). Any shape; keeps it, and ragged positions. Options: `norm_epsilon<p, q>`,
/// `no_parameters`, a name. Parameters: γ [features], drawn as 1; a shift is the term `bias` behind it.
template <norm_option... Options>
inline constexpr rms_norm_t<Options...> rms_norm{};

template <int Groups, norm_option... Options>
struct group_norm_t : term_base<group_norm_t<Groups, Options...>> {
  static constexpr norm_options options = norm_options_of<Options...>();
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::norm_rule<detail::norm_kind::group>>, options.settings(Groups),
                   options.name.s);
  }
};
/// `group_norm<G>`: y = γ (x - μ) / √(σ² + ε) + β, μ and σ² taken over all positions and the channels of one of G equal
/// groups, which are neighbours (Wu and He 2018, "Group normalization"). [H, W, C], [L, C] or [C]. Padding of a ragged
/// operand counts like data. Options as of `layer_norm`. Parameters: γ [C], drawn as 1, then β [C], drawn as 0.
template <int Groups, norm_option... Options>
inline constexpr group_norm_t<Groups, Options...> group_norm{};

template <norm_option... Options>
struct instance_norm_t : term_base<instance_norm_t<Options...>> {
  static constexpr norm_options options = norm_options_of<Options...>();
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::norm_rule<detail::norm_kind::group>>,
                   options.settings(x >= 0 ? g.shape_of(x).features() : 1), options.name.s);
  }
};
/// `instance_norm<>`: every channel by itself, over its positions: `group_norm` with as many groups as channels.
template <norm_option... Options>
inline constexpr instance_norm_t<Options...> instance_norm{};

}  // namespace kappa::inline KAPPA_ARCH
