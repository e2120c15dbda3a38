#pragma once
/// \file
/// Batch norm: every channel is standardised over samples and positions, z = (x - μ) / √(σ² + ε), and has a scale and a
/// shift of its own, y = γ z + β. Where μ and σ² come from is said by name.

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/layers/normalisation.hpp>
#include <kappa/layers/sums.hpp>

namespace kappa {

/// Where the means and variances of a batch norm come from.
enum class statistics {
  frozen,       ///< with the batch, as `side.statistics`: constants, whatever they were computed from
  of_the_batch  ///< from the batch itself, and every derivative goes through them
};

}  // namespace kappa

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// The rows of C numbers that both kinds work with, in a site's scratch: scale and shift and their directions, ones and
/// zeros where there are none, and 1/√(σ² + ε).
template <class T>
struct norm_channels {
  static constexpr int rows = 5;
  int features;
  T epsilon;
  bool scales, shifts, moves;
  T *gain, *shift, *d_gain, *d_shift, *inverse;

  explicit norm_channels(site<T> const& s)
      : features(s.in.features()),
        epsilon(static_cast<T>(s.set[0]) / static_cast<T>(s.set[1])),
        scales(s.set[2] != 0),
        shifts(s.set[3] != 0),
        moves(s.direction != nullptr),
        gain(s.scratch),
        shift(gain + features),
        d_gain(shift + features),
        d_shift(d_gain + features),
        inverse(d_shift + features) {
    int const before_shift = scales ? features : 0;
    take(gain, scales ? s.theta : nullptr, 1);
    take(shift, shifts ? s.theta + before_shift : nullptr, 0);
    take(d_gain, moves && scales ? s.direction : nullptr, 0);
    take(d_shift, moves && shifts ? s.direction + before_shift : nullptr, 0);
  }
  static constexpr std::size_t scratch(shape const& in, int more) {
    return static_cast<std::size_t>(rows + more) * static_cast<std::size_t>(in.features());
  }

 private:
  void take(T* to, T const* from, int otherwise) const {
    if (from != nullptr) {
      std::copy_n(from, features, to);
    } else {
      std::fill_n(to, features, static_cast<T>(otherwise));
    }
  }
};

/// What both kinds say of their shapes. Settings: ε as a fraction, whether there is a scale, whether there is a shift,
/// the kind.
struct batch_norm_shapes {
  static constexpr char const* name = "batch_norm";
  static constexpr bool keeps_positions = true;
  static constexpr layer_fault fault_of(shape const&, layer_settings const& s) {
    if (s[0] < 1 || s[1] < 1) return {"wants a positive epsilon, not", s[0], "over", s[1]};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const&) { return in; }
  static constexpr int normalised(shape const& in, layer_settings const&) { return in.features(); }
  static constexpr int parameters(shape const& in, layer_settings const& s) { return (s[2] + s[3]) * in.features(); }
  static constexpr double initial_mean(shape const& in, layer_settings const& s, int index) {
    return s[2] != 0 && index < in.features() ? 1 : 0;
  }
};

/// With constants for statistics: an affine map of every element by itself. Padding is an element like others.
struct frozen_batch_norm_rule : batch_norm_shapes {
  static constexpr bool reads_statistics = true;
  static constexpr std::size_t scratch(shape const& in, layer_settings const&) {
    return norm_channels<float>::scratch(in, 0);
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    channels<T> const r(s);
    each(r, s, false, y, [&](int i, int c) { return r.gain[c] * r.z(x[i], c) + r.shift[c]; });
  }
  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    channels<T> const r(s);
    each(r, s, false, dy, [&](int i, int c) { return r.d_gain[c] * r.z(x[i], c) + r.d_shift[c]; });
    if (dx != nullptr) each(r, s, true, dy, [&](int i, int c) { return r.gain[c] * r.inverse[c] * dx[i]; });
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const* g, T* gx, bool adds) {
    channels<T> const r(s);
    for (int k = 0; k < count; ++k, g += s.in.size(), gx += s.in.size())
      each(r, s, adds, gx, [&](int i, int c) { return r.gain[c] * r.inverse[c] * g[i]; });
  }
  template <class T>
  static void push_pull(site<T> const& s, T const*, T const*, T const* g, T* gx) {
    if (s.direction == nullptr) return;
    channels<T> const r(s);
    each(r, s, true, gx, [&](int i, int c) { return r.d_gain[c] * r.inverse[c] * g[i]; });
  }
  template <class T>
  static void weigh(site<T> const& s, T const* x, int count, T const* g, T* w) {
    channels<T> const r(s);
    for (int k = 0; k < count; ++k, g += s.in.size()) {
      if (r.scales) {
        std::fill_n(w, r.features, T(0));
        gather(r, s, w, [&](int i, int c) { return g[i] * r.z(x[i], c); });
        w += r.features;
      }
      if (r.shifts) {
        std::fill_n(w, r.features, T(0));
        gather(r, s, w, [&](int i, int) { return g[i]; });
        w += r.features;
      }
    }
  }
  template <class T>
  static void push_weigh(site<T> const& s, T const*, T const* dx, T const* g, T* w) {
    if (dx == nullptr || s.set[2] == 0) return;
    channels<T> const r(s);
    gather(r, s, w, [&](int i, int c) { return g[i] * r.inverse[c] * dx[i]; });
  }

 private:
  template <class T>
  struct channels : norm_channels<T> {
    T const* mean;
    explicit channels(site<T> const& s) : norm_channels<T>(s), mean(s.side.statistics + s.shift) {
      T const* const variance = mean + this->features;
      for (int c = 0; c < this->features; ++c) this->inverse[c] = 1 / std::sqrt(variance[c] + this->epsilon);
    }
    T z(T x, int c) const { return (x - mean[c]) * this->inverse[c]; }
  };
  /// to_i (+)= f(i, its channel).
  template <class T, class F>
  static void each(channels<T> const& r, site<T> const& s, bool adds, T* to, F&& f) {
    for (int at = 0; at < s.in.size(); at += r.features)
      store(adds, r.features, to + at, [&](int c) { return f(at + c, c); });
  }
  /// to_c += Σ f(i, c) over positions.
  template <class T, class F>
  static void gather(channels<T> const& r, site<T> const& s, T* to, F&& f) {
    for (int at = 0; at < s.in.size(); at += r.features)
      store(true, r.features, to, [&](int c) { return f(at + c, c); });
  }
};

/// With the batch's own statistics: the Jacobian of z in x is s (I - 1 1ᵀ/n - z zᵀ/n) on the n elements of a channel,
/// s = 1/√(σ² + ε), through all samples (Ioffe and Szegedy 2015, section 3). Padding of a ragged operand is not among
/// them: its result is zero.
struct whole_batch_norm_rule : batch_norm_shapes {
  static constexpr bool couples_samples = true;
  static constexpr std::size_t scratch(shape const& in, layer_settings const&) {
    return norm_channels<float>::scratch(in, more_rows);
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    channels<T> const r(s, x);
    r.each(false, y, [&](std::size_t i, int c) { return r.gain[c] * r.z(x[i], c) + r.shift[c]; });
  }

  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    channels<T> const r(s, x);
    r.each(false, dy, [&](std::size_t i, int c) { return r.d_gain[c] * r.z(x[i], c) + r.d_shift[c]; });
    if (dx == nullptr) return;
    tangent_means(r, x, dx);
    r.each(true, dy, [&](std::size_t i, int c) { return r.gain[c] * r.dz(x[i], dx[i], c); });
  }

  template <class T>
  static void pull(site<T> const& s, T const* x, int count, T const* g, T* gx, bool adds) {
    channels<T> const r(s, x);
    for (int k = 0; k < count; ++k, g += r.size(), gx += r.size()) project(r, r.gain, x, g, gx, adds);
  }

  template <class T>
  static void push_pull(site<T> const& s, T const* x, T const* dx, T const* g, T* gx) {
    channels<T> const r(s, x);
    if (r.moves) project(r, r.d_gain, x, g, gx, true);
    if (dx == nullptr) return;
    // With P h = s (h - mean h - z mean(z h)), dP h = -s (mean(z dx) P h + dz mean(z h) + z mean(dz h)).
    tangent_means(r, x, dx);
    T *const mean = r.row(2), *const along_z = r.row(3), *const along_dz = r.row(4);
    auto const h = [&](std::size_t i, int c) { return r.gain[c] * g[i]; };
    r.means(mean, h);
    r.means(along_z, [&](std::size_t i, int c) { return h(i, c) * r.z(x[i], c); });
    r.means(along_dz, [&](std::size_t i, int c) { return h(i, c) * r.dz(x[i], dx[i], c); });
    r.each(true, gx, [&](std::size_t i, int c) {
      T const z = r.z(x[i], c), projected = h(i, c) - mean[c] - z * along_z[c];
      T const stretch = r.inverse[c] * r.dx_along_z[c];
      return -r.inverse[c] * (stretch * projected + r.dz(x[i], dx[i], c) * along_z[c] + z * along_dz[c]);
    });
  }

  template <class T>
  static void weigh(site<T> const& s, T const* x, int count, T const* g, T* w) {
    channels<T> const r(s, x);
    for (int k = 0; k < count; ++k, g += r.size()) {
      if (r.scales) {
        r.sums(w, [&](std::size_t i, int c) { return g[i] * r.z(x[i], c); });
        w += r.features;
      }
      if (r.shifts) {
        r.sums(w, [&](std::size_t i, int) { return g[i]; });
        w += r.features;
      }
    }
  }

  template <class T>
  static void push_weigh(site<T> const& s, T const* x, T const* dx, T const* g, T* w) {
    if (dx == nullptr || s.set[2] == 0) return;
    channels<T> const r(s, x);
    tangent_means(r, x, dx);
    T* const total = r.row(2);
    r.sums(total, [&](std::size_t i, int c) { return g[i] * r.dz(x[i], dx[i], c); });
    for (int c = 0; c < r.features; ++c) w[c] += total[c];
  }

 private:
  static constexpr int more_rows = 7;  // the mean, five sums, and a part of a sum

  /// The batch's channels with their statistics, and the loops over it.
  template <class T>
  struct channels : norm_channels<T> {
    std::size_t rows, rows_of_mask;  ///< all positions of the batch, and how many share an entry of the mask
    unsigned char const* mask;
    T per_element = 0;
    T *mean, *dx_mean, *dx_along_z;

    channels(site<T> const& s, T const* x)
        : norm_channels<T>(s),
          rows(s.samples * static_cast<std::size_t>(s.in.positions())),
          rows_of_mask(static_cast<std::size_t>(s.in.positions() / s.in.extent[0])),
          mask(s.in.rank > 1 ? s.side.mask : nullptr),
          mean(this->inverse + this->features),
          dx_mean(row(0)),
          dx_along_z(row(1)) {
      std::size_t valid = rows;
      if (mask != nullptr) {
        valid = 0;
        for (std::size_t i = 0; i < rows; ++i) valid += is_valid(i) ? 1 : 0;
      }
      per_element = T(1) / static_cast<T>(std::max<std::size_t>(valid, 1));
      means(mean, [&](std::size_t i, int) { return x[i]; });
      means(this->inverse, [&](std::size_t i, int c) { return (x[i] - mean[c]) * (x[i] - mean[c]); });
      for (int c = 0; c < this->features; ++c) this->inverse[c] = 1 / std::sqrt(this->inverse[c] + this->epsilon);
    }

    std::size_t size() const { return rows * static_cast<std::size_t>(this->features); }
    /// Row k of those for sums.
    T* row(int k) const { return mean + (1 + k) * this->features; }
    T z(T x, int c) const { return (x - mean[c]) * this->inverse[c]; }
    /// The tangent of z, once its means are taken.
    T dz(T x, T dx, int c) const { return this->inverse[c] * (dx - dx_mean[c] - z(x, c) * dx_along_z[c]); }

    /// to_i (+)= f(i, its channel), zero at padding.
    template <class F>
    void each(bool adds, T* to, F&& f) const {
      auto const wide = static_cast<std::size_t>(this->features);
      for (std::size_t i = 0, at = 0; i < rows; ++i, at += wide) {
        if (is_valid(i)) {
          store(adds, this->features, to + at, [&](int c) { return f(at + static_cast<std::size_t>(c), c); });
        } else if (!adds) {
          std::fill_n(to + at, wide, T(0));
        }
      }
    }
    /// to_c = Σ f(i, c) over what is no padding.
    template <class F>
    void sums(T* to, F&& f) const {
      constexpr std::size_t together = 32;  // rows whose sum is taken before it meets the others': errors stay small
      auto const wide = static_cast<std::size_t>(this->features);
      T* const part = row(more_rows - 2);
      std::fill_n(to, wide, T(0));
      for (std::size_t first = 0; first < rows; first += together) {
        std::fill_n(part, wide, T(0));
        for (std::size_t i = first; i < std::min(rows, first + together); ++i)
          if (is_valid(i))
            store(true, this->features, part,
                  [&, at = i * wide](int c) { return f(at + static_cast<std::size_t>(c), c); });
        store(true, this->features, to, [&](int c) { return part[c]; });
      }
    }
    template <class F>
    void means(T* to, F&& f) const {
      sums(to, f);
      for (int c = 0; c < this->features; ++c) to[c] *= per_element;
    }

   private:
    bool is_valid(std::size_t i) const { return mask == nullptr || mask[i / rows_of_mask] != 0; }
  };

  /// to (+)= s (h - mean h - z mean(z h)), h = gain g.
  template <class T>
  static void project(channels<T> const& r, T const* gain, T const* x, T const* g, T* to, bool adds) {
    T *const mean = r.row(2), *const along_z = r.row(3);
    r.means(mean, [&](std::size_t i, int c) { return gain[c] * g[i]; });
    r.means(along_z, [&](std::size_t i, int c) { return gain[c] * g[i] * r.z(x[i], c); });
    r.each(adds, to,
           [&](std::size_t i, int c) { return r.inverse[c] * (gain[c] * g[i] - mean[c] - r.z(x[i], c) * along_z[c]); });
  }

  template <class T>
  static void tangent_means(channels<T> const& r, T const* x, T const* dx) {
    r.means(r.dx_mean, [&](std::size_t i, int) { return dx[i]; });
    r.means(r.dx_along_z, [&](std::size_t i, int c) { return dx[i] * r.z(x[i], c); });
  }
};

}  // namespace detail

template <statistics From, norm_option... Options>
struct batch_norm_t : term_base<batch_norm_t<From, Options...>> {
  static constexpr norm_options options = norm_options_of<Options...>();
  static constexpr int emit(auto& g, int x) {
    constexpr layer_rule const* rule = From == statistics::frozen ? &layer_rule_of<detail::frozen_batch_norm_rule>
                                                                  : &layer_rule_of<detail::whole_batch_norm_rule>;
    return g.layer(x, rule, options.settings(static_cast<int>(From)), options.name.s);
  }
};
/// `batch_norm<statistics::frozen>`, `batch_norm<statistics::of_the_batch>`: y = γ (x - μ) / √(σ² + ε) + β, one μ and
/// σ² for each feature of the last axis, over all samples and positions (Ioffe and Szegedy 2015, "Batch
/// normalization"); σ² is over n, not n - 1. Any shape; keeps it, and ragged positions.
///
/// - `frozen`: μ and σ² come with the batch (`batch_side::statistics`) and are constants: an evaluation with running
///   averages, or a training step whose `batch_statistics` are not differentiated through. Every quantity holds.
/// - `of_the_batch`: computed from the batch, and derivatives go through them, as where PyTorch trains. A sample's loss
///   then depends on the other samples, so of all quantities `loss_value`, `gradient`, `ggn_vector_product` and
///   `hessian_vector_product` are left; others are a compile error. One thread; padding is not among what is averaged.
///
/// Networks that differ in this choice only have the same parameters. Options as of `layer_norm`: `norm_epsilon<p, q>`,
/// `no_bias`, `no_parameters`, a name. Parameters: γ [features], drawn as 1, then β [features], drawn as 0.
template <statistics From, norm_option... Options>
inline constexpr batch_norm_t<From, Options...> batch_norm{};

}  // namespace kappa::inline KAPPA_ARCH
