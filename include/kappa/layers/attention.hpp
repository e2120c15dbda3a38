#pragma once
/// \file
/// Scaled dot-product attention of many heads (Vaswani et al. 2017, "Attention is all you need", 3.2): its core
/// without parameters, and self-attention as dense layers around it.

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <kappa/arch.hpp>
#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/layers.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/declare/text.hpp>
#include <kappa/layers/rows.hpp>
#include <kappa/layers/sums.hpp>

namespace kappa {

/// One option of an attention: what may stand in `attention<...>`, in any order. A literal is a name.
struct attention_option {
  enum class kind { heads, causal, separate, drops_bias, name };
  kind what;
  int count = 0;
  text name{};

  constexpr attention_option(kind k, int n) : what(k), count(n) {}
  constexpr attention_option(no_bias_t) : what(kind::drops_bias) {}
  template <int N>
  constexpr attention_option(char const (&literal)[N]) : what(kind::name), name(literal) {}
  constexpr bool operator==(attention_option const&) const = default;
};

/// How many heads an attention has, 1 unless said; they divide its width.
template <int Count>
inline constexpr attention_option heads{attention_option::kind::heads, Count};
/// A position attends to itself and to those before it.
inline constexpr attention_option causal{attention_option::kind::causal, 1};
/// Queries, keys and values have a weight each, three parameters instead of one.
inline constexpr attention_option separate_weights{attention_option::kind::separate, 1};

/// The options together.
struct attention_options {
  int heads = 1;
  bool causal = false, separate = false, bias = true;
  text name{};

  constexpr void take(attention_option const& o) {
    using kind = attention_option::kind;
    switch (o.what) {
      case kind::heads:
        heads = o.count;
        break;
      case kind::causal:
        causal = true;
        break;
      case kind::separate:
        separate = true;
        break;
      case kind::drops_bias:
        bias = false;
        break;
      case kind::name:
        name = o.name;
        break;
    }
  }
  constexpr layer_settings settings() const { return {{heads, causal ? 1 : 0}}; }
};

template <attention_option... Options>
constexpr attention_options attention_options_of() {
  attention_options all;
  (all.take(Options), ...);
  return all;
}

}  // namespace kappa

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// [T, 3 d], rows (q, k, v), to [T, d]: y_i = Σ_j p_ij v_j of each head, p_i the softmax over j of q_i·k_j / √(d / H).
/// A head at a time; what loops over keys reads them transposed, what loops over features reads rows.
struct attention_rule {
  static constexpr char const* name = "attention";
  static constexpr bool keeps_positions = true;

  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    if (in.rank != 2) return {"wants positions and features, rank", 2, "and not rank", in.rank};
    if (in.features() % 3 != 0)
      return {"wants queries, keys and values side by side, a multiple of", 3, "features and not", in.features()};
    if (s[0] < 1) return {"wants heads, at least", 1, "and not", s[0]};
    if (in.features() / 3 % s[0] != 0)
      return {"has heads that do not divide its width: heads", s[0], "and width", in.features() / 3};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const&) {
    return {2, {in.extent[0], in.features() / 3}};
  }
  static constexpr std::size_t scratch(shape const& in, layer_settings const& s) {
    auto const t = static_cast<std::size_t>(in.extent[0]), e = static_cast<std::size_t>(in.features() / 3 / s[0]);
    return 3 * t * pitch_of(t) + 4 * t * e + 2 * t;
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    std::fill_n(y, s.out.size(), T(0));
    over_heads(s, [&](head<T> const& a, T* free) {
      T* const keys = a.transposed(a.key(x, 0), free);
      T* const p = free;
      for (std::size_t i = 0; i < a.positions; ++i)
        if (a.probabilities(a.query(x, i), keys, i, p)) a.take(i, p, a.value(x, 0), a.result(y, i));
    });
  }

  template <class T>
  static void push(site<T> const& s, T const* x, T const* dx, T* dy) {
    std::fill_n(dy, s.out.size(), T(0));
    if (dx == nullptr) return;
    over_heads(s, [&](head<T> const& a, T* free) {
      T* const keys = a.transposed(a.key(x, 0), free);
      T* const d_keys = a.transposed(a.key(dx, 0), free);
      T* const p = free;
      T* const dp = p + a.positions;
      for (std::size_t i = 0; i < a.positions; ++i) {
        if (!a.probabilities(a.query(x, i), keys, i, p)) continue;
        a.tangent_scores(a.query(x, i), a.query(dx, i), keys, d_keys, i, dp);
        a.centre(i, p, dp);
        a.take(i, dp, a.value(x, 0), a.result(dy, i));
        a.take(i, p, a.value(dx, 0), a.result(dy, i));
      }
    });
  }

  template <class T>
  static void pull(site<T> const& s, T const* x, int count, T const* g, T* gx, bool adds) {
    auto const below = static_cast<std::size_t>(s.in.size()), above = static_cast<std::size_t>(s.out.size());
    auto const vectors = static_cast<std::size_t>(count);
    if (!adds) std::fill_n(gx, vectors * below, T(0));
    over_heads(s, [&](head<T> const& a, T* free) {
      std::size_t const n = a.positions, pitch = a.pitch;
      T* const keys = a.transposed(a.key(x, 0), free);
      T* const values = a.transposed(a.value(x, 0), free);
      T* const p = free;           // of all positions, [n, n]
      T* const r = p + n * pitch;  // the adjoints of their scores
      for (std::size_t i = 0; i < n; ++i)
        if (!a.probabilities(a.query(x, i), keys, i, p + i * pitch)) std::fill_n(p + i * pitch, n, T(0));
      for (std::size_t k = 0; k < vectors; ++k, g += above, gx += below) {
        for (std::size_t i = 0; i < n; ++i) {
          a.products(a.result(g, i), values, i, r + i * pitch);
          a.centre(i, p + i * pitch, r + i * pitch);
          a.scale(i, r + i * pitch);
          a.take(i, r + i * pitch, a.key(x, 0), a.query(gx, i));
        }
        for (std::size_t j = 0; j < n; ++j) {
          a.send(j, r, a.query(x, 0), 3 * a.width, a.key(gx, j));
          a.send(j, p, a.result(g, 0), a.width, a.value(gx, j));
        }
      }
      g -= vectors * above;
      gx -= vectors * below;
    });
  }

  template <class T>
  static void push_pull(site<T> const& s, T const* x, T const* dx, T const* g, T* gx) {
    if (dx == nullptr) return;
    over_heads(s, [&](head<T> const& a, T* free) {
      std::size_t const n = a.positions, pitch = a.pitch;
      T* const keys = a.transposed(a.key(x, 0), free);
      T* const d_keys = a.transposed(a.key(dx, 0), free);
      T* const values = a.transposed(a.value(x, 0), free);
      T* const d_values = a.transposed(a.value(dx, 0), free);
      T* const all_dp = free;
      T* const all_r = all_dp + n * pitch;
      T* const all_dr = all_r + n * pitch;
      T* const p = all_dr + n * pitch;
      for (std::size_t i = 0; i < n; ++i) {
        T* const dp = all_dp + i * pitch;
        T* const r = all_r + i * pitch;
        T* const dr = all_dr + i * pitch;
        if (!a.probabilities(a.query(x, i), keys, i, p)) {
          for (T* row : {dp, r, dr}) std::fill_n(row, n, T(0));
          continue;
        }
        a.tangent_scores(a.query(x, i), a.query(dx, i), keys, d_keys, i, dp);
        a.centre(i, p, dp);
        a.products(a.result(g, i), values, i, r);
        a.products(a.result(g, i), d_values, i, dr);
        // s̄ = p (r - Σ p r), so ds̄ = dp (r - Σ p r) + p (dr - Σ (dp r + p dr)).
        T const mean = lane_sum<T>(static_cast<int>(a.reach(i)), [=](int j) { return p[j] * r[j]; });
        T const d_mean = lane_sum<T>(static_cast<int>(a.reach(i)), [=](int j) { return dp[j] * r[j] + p[j] * dr[j]; });
        for (std::size_t j = 0; j < a.reach(i); ++j) {
          T const off = r[j] - mean;
          dr[j] = dp[j] * off + p[j] * (dr[j] - d_mean);
          r[j] = p[j] * off;
        }
        a.scale(i, r);
        a.scale(i, dr);
        a.take(i, dr, a.key(x, 0), a.query(gx, i));
        a.take(i, r, a.key(dx, 0), a.query(gx, i));
      }
      for (std::size_t j = 0; j < n; ++j) {
        a.send(j, all_dr, a.query(x, 0), 3 * a.width, a.key(gx, j));
        a.send(j, all_r, a.query(dx, 0), 3 * a.width, a.key(gx, j));
        a.send(j, all_dp, a.result(g, 0), a.width, a.value(gx, j));
      }
    });
  }

 private:
  /// From row to row of a [positions, positions] matrix: not a power of two, whose columns would share a few sets of a
  /// cache.
  static constexpr std::size_t pitch_of(std::size_t positions) { return positions + 16; }

  /// One head of one sample: where its vectors lie, and sums over what its positions see.
  template <class T>
  struct head {
    std::size_t positions, pitch, width, size, first;
    T factor;
    bool is_causal;
    unsigned char const* mask;

    head(site<T> const& s, std::size_t h)
        : positions(static_cast<std::size_t>(s.in.extent[0])),
          pitch(pitch_of(positions)),
          width(static_cast<std::size_t>(s.out.features())),
          size(width / static_cast<std::size_t>(s.set[0])),
          first(h * size),
          factor(1 / std::sqrt(static_cast<T>(size))),
          is_causal(s.set[1] != 0),
          mask(s.side.mask) {}

    template <class P>
    P* query(P* x, std::size_t i) const {
      return x + 3 * width * i + first;
    }
    template <class P>
    P* key(P* x, std::size_t j) const {
      return query(x, j) + width;
    }
    template <class P>
    P* value(P* x, std::size_t j) const {
      return query(x, j) + 2 * width;
    }
    template <class P>
    P* result(P* y, std::size_t i) const {
      return y + width * i + first;
    }
    bool valid(std::size_t i) const { return mask == nullptr || mask[i] != 0; }
    /// Position i sees those before `reach(i)`.
    std::size_t reach(std::size_t i) const { return is_causal ? i + 1 : positions; }

    /// [positions, size] at `from` to [size, positions] at `free`, which moves on.
    T* transposed(T const* from, T*& free) const {
      T* const to = free;
      for (std::size_t j = 0; j < positions; ++j)
        for (std::size_t c = 0; c < size; ++c) to[c * positions + j] = from[3 * width * j + c];
      free += positions * size;
      return to;
    }
    /// r_j = u·v_j for the positions that i sees; v transposed.
    void products(T const* u, T const* v, std::size_t i, T* r) const {
      std::fill_n(r, reach(i), T(0));
      add_rows(reach(i), size, u, 1, v, positions, r);
    }
    void scale(std::size_t i, T* r) const {
      for (std::size_t j = 0; j < reach(i); ++j) r[j] *= factor;
    }
    /// v_j = p_j (v_j - Σ p v): the softmax's derivative, which is its own transpose.
    void centre(std::size_t i, T const* __restrict p, T* __restrict v) const {
      T const mean = lane_sum<T>(static_cast<int>(reach(i)), [=](int j) { return p[j] * v[j]; });
      for (std::size_t j = 0; j < reach(i); ++j) v[j] = p[j] * (v[j] - mean);
    }
    /// The derivatives of the scores of position i.
    void tangent_scores(T const* q, T const* dq, T const* keys, T const* d_keys, std::size_t i, T* ds) const {
      products(dq, keys, i, ds);
      add_rows(reach(i), size, q, 1, d_keys, positions, ds);
      scale(i, ds);
    }
    /// How position i attends to those it sees; false where i is padding.
    bool probabilities(T const* q, T const* keys, std::size_t i, T* p) const {
      if (!valid(i)) return false;
      products(q, keys, i, p);
      scale(i, p);
      std::size_t const end = reach(i);
      T top = p[i];  // i itself is seen and valid
      for (std::size_t j = 0; j < end; ++j)
        if (valid(j)) top = std::max(top, p[j]);
      for (std::size_t j = 0; j < end; ++j) p[j] = valid(j) ? std::exp(p[j] - top) : T(0);
      T const part = 1 / lane_sum<T>(static_cast<int>(end), [=](int j) { return p[j]; });
      for (std::size_t j = 0; j < end; ++j) p[j] *= part;
      return true;
    }
    /// to += Σ_j a_j x_j over what position i sees; rows of three parts.
    void take(std::size_t i, T const* a, T const* x, T* to) const { add_rows(size, reach(i), a, 1, x, 3 * width, to); }
    /// to += Σ_i a_ij x_i over those that see position j; a [positions, pitch].
    void send(std::size_t j, T const* a, T const* x, std::size_t stride, T* to) const {
      std::size_t const from = is_causal ? j : 0;
      add_rows(size, positions - from, a + from * pitch + j, pitch, x + from * stride, stride, to);
    }
  };

  /// Calls f(head, its scratch).
  template <class T, class F>
  static void over_heads(site<T> const& s, F&& f) {
    for (int h = 0; h < s.set[0]; ++h) f(head<T>(s, static_cast<std::size_t>(h)), s.scratch);
  }
};

/// A name and what is told apart behind it; no name where there is none.
template <text Name, text Part>
inline constexpr text part_of_name = [] {
  text all = Name;
  int n = 0;
  while (all.s[n] != '\0') ++n;
  for (int i = 0; n > 0 && Part.s[i] != '\0' && n < text::capacity - 1; ++i) all.s[n++] = Part.s[i];
  return all;
}();

}  // namespace detail

/// `attention_core<heads<4>, causal>`: the attention itself, [T, 3 d] -> [T, d]; a row holds the query, the key and
/// the value of a position, d features each, of which every head has d / heads. Scores are q·k / √(d / heads), their
/// softmax is over the positions seen. Where the operand is ragged, nobody attends to a masked position and its own
/// row is zero. No parameters. Costs 4 T² d flops forward, T² heads exponentials, and for each vector backward twice
/// that.
template <attention_option... Options>
struct attention_core_t : term_base<attention_core_t<Options...>> {
  static constexpr attention_options options = attention_options_of<Options...>();
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::attention_rule>, options.settings());
  }
};
template <attention_option... Options>
inline constexpr attention_core_t<Options...> attention_core{};

/// `attention<heads<4>, ...>`: self-attention of [T, d], y = core(x W_qkvᵀ + b) W_oᵀ + b_o. Options: `heads<H>`,
/// `causal`, `separate_weights`, `no_bias`, a name.
/// Parameters: a dense layer d -> 3 d (queries, keys, values one after the other), then one d -> d; with
/// `separate_weights` four layers d -> d: queries, keys, values, output. A name N calls them N.qkv or N.queries,
/// N.keys, N.values, and N.output. Costs 8 T d² flops and the core.
template <attention_option... Options>
struct attention_t : term_base<attention_t<Options...>> {
  static constexpr attention_options options = attention_options_of<Options...>();
  template <text Part>
  static constexpr text const& part = detail::part_of_name<options.name, Part>;

  static constexpr int emit(auto& g, int x) {
    int const d = x >= 0 ? g.shape_of(x).features() : 1;
    auto const dense = [&](int from, int out, text const& name) { return g.dense(from, out, options.bias, name.s); };
    int all;
    if (options.separate) {
      int const q = dense(x, d, part<".queries">), k = dense(x, d, part<".keys">), v = dense(x, d, part<".values">);
      all = g.concatenate(g.concatenate(q, k, -1), v, -1);
    } else {
      all = dense(x, 3 * d, part<".qkv">);
    }
    int const y = g.layer(all, &layer_rule_of<detail::attention_rule>, options.settings());
    return dense(y, d, part<".output">);
  }
};
namespace detail {
template <attention_option... Options>
constexpr auto checked_attention() {
  constexpr bool fits = attention_options_of<Options...>().name.s[text::capacity - 1 - 8] == '\0';
  static_assert(fits, "kappa: the name of an attention has at most 23 characters, its parts add up to 8");
  if constexpr (fits) {
    return attention_t<Options...>{};
  } else {
    return attention_t<>{};  // so that no second error follows
  }
}
}  // namespace detail
template <attention_option... Options>
inline constexpr auto attention = detail::checked_attention<Options...>();

}  // namespace kappa::inline KAPPA_ARCH
