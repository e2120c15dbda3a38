#pragma once
/// \file
/// Embeddings: a learned vector for each token of a vocabulary.

#include <algorithm>
#include <cstddef>

#include <kappa/arch.hpp>
#include <kappa/declare/layer_rule.hpp>
#include <kappa/declare/term.hpp>
#include <kappa/declare/text.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// [T] token indices to [T, d], y_t = E[x_t]. A step function of x: only the table has a derivative.
struct embedding_rule {
  static constexpr char const* name = "embedding";
  static constexpr bool keeps_positions = true;

  static constexpr layer_fault fault_of(shape const& in, layer_settings const& s) {
    if (in.rank != 1) return {"wants token indices, rank", 1, "and not rank", in.rank};
    if (s[0] < 1) return {"wants a vocabulary of at least", 1, "and not", s[0]};
    if (s[1] < 1) return {"wants at least", 1, "feature and not", s[1]};
    return {};
  }
  static constexpr shape output(shape const& in, layer_settings const& s) { return {2, {in.extent[0], s[1]}}; }
  static constexpr int parameters(shape const&, layer_settings const& s) { return s[0] * s[1]; }
  static constexpr int row(shape const&, layer_settings const& s) { return s[1]; }
  static constexpr double initial_deviation(shape const&, layer_settings const&, int) { return 1; }

  /// The first position whose value is no token: what is refused before a batch is derived.
  template <class T>
  static input_fault fault_of_input(site<T> const& s, T const* x) {
    for (int t = 0; t < s.in.extent[0]; ++t)
      if (valid(s, t) && token(s, x, t) < 0) return {t, "a token from 0 to", s.set[0] - 1};
    return {};
  }

  template <class T>
  static void apply(site<T> const& s, T const* x, T* y) {
    look_up(s, x, s.theta, y);
  }
  template <class T>
  static void push(site<T> const& s, T const* x, T const*, T* dy) {
    look_up(s, x, s.direction, dy);
  }
  template <class T>
  static void pull(site<T> const& s, T const*, int count, T const*, T* gx, bool adds) {
    if (!adds) std::fill_n(gx, count * s.in.size(), T(0));
  }
  template <class T>
  static void weigh(site<T> const& s, T const* x, int count, T const* g, T* w) {
    auto const d = static_cast<std::size_t>(s.set[1]);
    std::size_t const own = static_cast<std::size_t>(s.set[0]) * d;
    std::fill_n(w, static_cast<std::size_t>(count) * own, T(0));
    for (int k = 0; k < count; ++k, w += own)
      for (int t = 0; t < s.in.extent[0]; ++t, g += d) {
        int const row = row_at(s, x, t);
        if (row < 0) continue;
        T* const to = w + static_cast<std::size_t>(row) * d;
        for (std::size_t c = 0; c < d; ++c) to[c] += g[c];
      }
  }
  template <class T>
  static int row_at(site<T> const& s, T const* x, int t) {
    return valid(s, t) ? token(s, x, t) : -1;
  }

 private:
  template <class T>
  static bool valid(site<T> const& s, int t) {
    return s.side.mask == nullptr || s.side.mask[t] != 0;
  }
  /// The row of the table, or -1 for what is no row.
  template <class T>
  static int token(site<T> const& s, T const* x, int t) {
    if (!(x[t] >= 0 && x[t] < static_cast<T>(s.set[0]))) return -1;
    int const row = static_cast<int>(x[t]);
    return static_cast<T>(row) == x[t] ? row : -1;
  }
  template <class T>
  static void look_up(site<T> const& s, T const* x, T const* table, T* y) {
    int const d = s.set[1];
    for (int t = 0; t < s.in.extent[0]; ++t, y += d) {
      int const row = table != nullptr ? row_at(s, x, t) : -1;
      if (row < 0) {
        std::fill_n(y, d, T(0));
      } else {
        std::copy_n(table + static_cast<std::size_t>(row) * static_cast<std::size_t>(d), d, y);
      }
    }
  }
};

}  // namespace detail

/// `embedding<Vocabulary, Features>`: [T] -> [T, Features], y_t = E[x_t]; the inputs are token indices from 0, held in
/// the scalar type. What the mask of a ragged value hides has a row of zeros. What else is no index is refused with the
/// batch where the layer reads the network's input; behind other layers it has a row of zeros too.
/// Parameters: the table E [Vocabulary, Features], row by row; they are drawn with deviation 1. Gradients, products and
/// K-FAC cost the rows that are read; per-sample quantities and `ggn` hold the whole table for each sample and column,
/// which is meant for small vocabularies. Two embeddings of one name are one table:
/// `embedding<100, 16, "tokens">`.
template <int Vocabulary, int Features, text Name = text{}>
struct embedding_t : term_base<embedding_t<Vocabulary, Features, Name>> {
  static constexpr text name = Name;
  static constexpr int emit(auto& g, int x) {
    return g.layer(x, &layer_rule_of<detail::embedding_rule>, {{Vocabulary, Features}}, name.s);
  }
};
template <int Vocabulary, int Features, text Name = text{}>
inline constexpr embedding_t<Vocabulary, Features, Name> embedding{};

}  // namespace kappa::inline KAPPA_ARCH
