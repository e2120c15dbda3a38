#pragma once
/// \file
/// Normalisation within a sample: layer norm, root-mean-square norm, group norm. Each standardises blocks of elements,
/// z = (x - μ) / √(σ² + ε), and gives every feature a scale and a shift of its own, y = γ z + β.

#include <algorithm>
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
  static constexpr char const* name = Kind == norm_kind::layer ? "layer_norm"
                                      : Kind == norm_kind::rms ? "rms_norm"
                                                               : "group_norm";

  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    if (s[0] < 1 || s[1] < 1) return {"wants a positive epsilon, not", s[0], "over", s[1]};
    if (Kind == norm_kind::group && (s[4] < 1 || in.features() % s[4] != 0))
      return {"wants groups that divide its channels: groups", s[4], "and channels", in.features()};
    block_of_norm const b(in, s);
    if (centred && b.size() < 2) return {"wants to normalise over", 2, "elements or more and has", b.size()};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }
  static constexpr int parameters(shape const& in, layer_settings const& s) { return (s[2] + s[3]) * in.features(); }
  static constexpr double initial_mean(shape const& in, layer_settings const& s, int index) {
    return s[2] != 0 && index < in.features() ? 1 : 0;
  }
  /// z, a tangent of z, and a one for each feature where there is no scale.
  static constexpr std::size_t scratch(shape const& in, layer_settings const& s) {
    return static_cast<std::size_t>(2 * in.size() + block_of_norm(in, s).count + in.features());
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    rooms<T> const r(s);
    standardise(s, r, x);
    affine(s, r.z, r.gain, r.shift, y);
  }

  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    rooms<T> const r(s);
    standardise(s, r, x);
    tangent(s, r, dx, r.dz);
    affine(s, r.dz, r.gain, static_cast<T const*>(nullptr), dy);
    if (r.d_gain != nullptr || r.d_shift != nullptr)
      each_row(s.in, [&](int at) {
        int const features = s.in.features();
        if (r.d_gain != nullptr) store(true, features, dy + at, [&](int c) { return r.d_gain[c] * r.z[at + c]; });
        if (r.d_shift != nullptr) store(true, features, dy + at, [&](int c) { return r.d_shift[c]; });
      });
  }

  template <class T>
  static void pull(site<T> const& s, T const* x, int count, T const* g, T* gx, bool adds) {
    rooms<T> const r(s);
    standardise(s, r, x);
    for (int k = 0; k < count; ++k, g += s.in.size(), gx += s.in.size())
      for (int b = 0; b < r.block.count; ++b) project(r, b, r.gain, g, gx, adds);
  }

  template <class T>
  static void push_pull(site<T> const& s, T const* x, T const* dx, T const* g, T* gx) {
    rooms<T> const r(s);
    standardise(s, r, x);
    if (r.d_gain != nullptr)
      for (int b = 0; b < r.block.count; ++b) project(r, b, r.d_gain, g, gx, true);
    if (dx == nullptr) return;
    tangent(s, r, dx, r.dz);
    // With P h = s (h - mean h - z mean(z h)), dP h = -s mean(z dx) P h - s (dz mean(z h) + z mean(dz h)).
    for (int b = 0; b < r.block.count; ++b) {
      auto const h = [&](int i, int c) { return r.gain[c] * g[i]; };
      T const n = static_cast<T>(r.block.size()), inverse = r.inverse[b];
      T const mean = centred ? r.sum(b, h) / n : T(0);
      T const along_z = r.sum(b, [&](int i, int c) { return r.z[i] * h(i, c); }) / n;
      T const along_dz = r.sum(b, [&](int i, int c) { return r.dz[i] * h(i, c); }) / n;
      T const stretch = inverse * r.sum(b, [&](int i, int) { return r.z[i] * dx[i]; }) / n;
      r.block.rows_of(b, [&](int at, int feature, int columns) {
        store(true, columns, gx + at, [&](int c) {
          T const z = r.z[at + c];
          T const projected = r.gain[feature + c] * g[at + c] - mean - z * along_z;
          return -inverse * (stretch * projected + r.dz[at + c] * along_z + z * along_dz);
        });
      });
    }
  }

  template <class T>
  static void weigh(site<T> const& s, T const* x, int count, T const* g, T* w) {
    rooms<T> const r(s);
    if (s.set[2] != 0) standardise(s, r, x);
    int const own = parameters(s.in, s.set);
    for (int k = 0; k < count; ++k, g += s.in.size(), w += own) {
      std::fill_n(w, own, T(0));
      add_products(s, r.z, g, w);
    }
  }

  template <class T>
  static void push_weigh(site<T> const& s, T const* x, T const* dx, T const* g, T* w) {
    if (dx == nullptr || s.set[2] == 0) return;
    rooms<T> const r(s);
    standardise(s, r, x);
    tangent(s, r, dx, r.dz);
    int const features = s.in.features();
    each_row(s.in, [&](int at) { store(true, features, w, [&](int c) { return g[at + c] * r.dz[at + c]; }); });
  }

 private:
  /// Where the elements of a block lie: `rows` runs of `columns`.
  struct block_of_norm {
    int count, rows, columns, stride, step;
    bool by_groups;

    constexpr block_of_norm(shape const& in, layer_settings const& s)
        : count(Kind == norm_kind::group ? s[4] : in.positions()),
          rows(Kind == norm_kind::group ? in.positions() : 1),
          columns(Kind == norm_kind::group ? in.features() / s[4] : in.features()),
          stride(in.features()),
          step(columns),
          by_groups(Kind == norm_kind::group) {}
    constexpr int size() const { return rows * columns; }
    /// f(offset of a run, its first feature, its length).
    template <class F>
    void rows_of(int b, F&& f) const {
      for (int r = 0; r < rows; ++r) f(b * step + r * stride, by_groups ? b * columns : 0, columns);
    }
  };

  /// The scratch and the parameters of a site; null where there are none.
  template <class T>
  struct rooms {
    block_of_norm block;
    T *z, *dz, *inverse;
    T const* gain;
    T const *shift = nullptr, *d_gain = nullptr, *d_shift = nullptr;

    explicit rooms(site<T> const& s)
        : block(s.in, s.set), z(s.scratch), dz(z + s.in.size()), inverse(dz + s.in.size()), gain(s.theta) {
      int const features = s.in.features(), before_shift = s.set[2] != 0 ? features : 0;
      if (s.set[3] != 0) shift = s.theta + before_shift;
      if (s.direction != nullptr && s.set[2] != 0) d_gain = s.direction;
      if (s.direction != nullptr && s.set[3] != 0) d_shift = s.direction + before_shift;
      if (s.set[2] == 0) {
        T* const ones = inverse + block.count;
        std::fill_n(ones, features, T(1));
        gain = ones;
      }
    }
    /// Σ f(element, feature) over a block.
    template <class F>
    T sum(int b, F&& f) const {
      T total = 0;
      block.rows_of(b, [&](int at, int feature, int columns) {
        total += lane_sum<T>(columns, [&](int c) { return f(at + c, feature + c); });
      });
      return total;
    }
  };

  template <class F>
  static void each_row(shape const& in, F&& f) {
    for (int at = 0; at < in.size(); at += in.features()) f(at);
  }

  /// z and the inverse deviations, the variance from the differences to the mean.
  template <class T>
  static void standardise(site<T> const& s, rooms<T> const& r, T const* x) {
    T const epsilon = static_cast<T>(s.set[0]) / static_cast<T>(s.set[1]);
    T const n = static_cast<T>(r.block.size());
    for (int b = 0; b < r.block.count; ++b) {
      T const mean = centred ? r.sum(b, [&](int i, int) { return x[i]; }) / n : T(0);
      T const variance = r.sum(b, [&](int i, int) { return (x[i] - mean) * (x[i] - mean); }) / n;
      T const inverse = 1 / std::sqrt(variance + epsilon);
      r.inverse[b] = inverse;
      r.block.rows_of(b, [&](int at, int, int columns) {
        store(false, columns, r.z + at, [&](int c) { return (x[at + c] - mean) * inverse; });
      });
    }
  }

  /// to (+)= s (h - mean h - z mean(z h)) on block b, h = gain g.
  template <class T>
  static void project(rooms<T> const& r, int b, T const* gain, T const* g, T* to, bool adds) {
    T const n = static_cast<T>(r.block.size()), inverse = r.inverse[b];
    T const mean = centred ? r.sum(b, [&](int i, int c) { return gain[c] * g[i]; }) / n : T(0);
    T const along_z = r.sum(b, [&](int i, int c) { return gain[c] * g[i] * r.z[i]; }) / n;
    r.block.rows_of(b, [&](int at, int feature, int columns) {
      store(adds, columns, to + at,
            [&](int c) { return inverse * (gain[feature + c] * g[at + c] - mean - r.z[at + c] * along_z); });
    });
  }

  /// dz = s (dx - mean dx - z mean(z dx)); zero along a null dx.
  template <class T>
  static void tangent(site<T> const& s, rooms<T> const& r, T const* dx, T* dz) {
    if (dx == nullptr) {
      std::fill_n(dz, s.in.size(), T(0));
      return;
    }
    T const n = static_cast<T>(r.block.size());
    for (int b = 0; b < r.block.count; ++b) {
      T const inverse = r.inverse[b];
      T const mean = centred ? r.sum(b, [&](int i, int) { return dx[i]; }) / n : T(0);
      T const along_z = r.sum(b, [&](int i, int) { return dx[i] * r.z[i]; }) / n;
      r.block.rows_of(b, [&](int at, int, int columns) {
        store(false, columns, dz + at, [&](int c) { return inverse * (dx[at + c] - mean - r.z[at + c] * along_z); });
      });
    }
  }

  /// y = gain v + shift.
  template <class T>
  static void affine(site<T> const& s, T const* v, T const* gain, T const* shift, T* y) {
    int const features = s.in.features();
    each_row(s.in, [&](int at) {
      if (shift != nullptr) {
        store(false, features, y + at, [&](int c) { return gain[c] * v[at + c] + shift[c]; });
      } else {
        store(false, features, y + at, [&](int c) { return gain[c] * v[at + c]; });
      }
    });
  }

  /// w += (Σ g z, Σ g) over positions, as far as there are a scale and a shift.
  template <class T>
  static void add_products(site<T> const& s, T const* z, T const* g, T* w) {
    int const features = s.in.features();
    T* const of_shift = s.set[2] != 0 ? w + features : w;
    each_row(s.in, [&](int at) {
      if (s.set[2] != 0) store(true, features, w, [&](int c) { return g[at + c] * z[at + c]; });
      if (s.set[3] != 0) store(true, features, of_shift, [&](int c) { return g[at + c]; });
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
