#pragma once
/// \file
/// The backward step of each kind of node: all streams at once through the adjoint of its map, and the quantities
/// that are linear in the vectors.

#include <algorithm>

#include <kappa/derive/forward.hpp>
#include <kappa/derive/quadratic.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

/// What the backward steps share: the request, its streams, and where things lie.
template <class T, objective_type Objective, request R>
struct backward {
  using places = layout<Objective, R>;
  using q = quadratic<T, Objective, R>;
  static constexpr stream_set streams = program<Objective, R>::streams;
  static constexpr std::size_t columns = static_cast<std::size_t>(streams.columns);
  static constexpr bool hessian = R.hessian_vector_product;

  static constexpr std::size_t first_of(stream_kind kind) {
    return static_cast<std::size_t>(streams.at[streams.find(kind)].first);
  }
  /// The rows of `size` elements of a stream of one column, [N, size].
  static T* stream_at(context<T> const& c, int adjoint, stream_kind kind, std::size_t size) {
    return c.at(adjoint) + first_of(kind) * c.samples * size;
  }
  /// The direction the Hessian's tangents follow, and where its column of a tangent buffer begins.
  static constexpr int hessian_direction = R.ggn_vector_product ? 1 : 0;
  static T* hessian_tangent(context<T> const& c, int tangent, std::size_t size) {
    return c.at(tangent) + static_cast<std::size_t>(hessian_direction) * c.samples * size;
  }

  /// Calls f(n, offset) for every (stream, sample, column): `offset` counts vectors of one sample's size.
  template <class F>
  static void over_vectors(context<T> const& c, std::size_t elements, F&& f) {
    over_samples(c.samples, elements * columns, [&](std::size_t i, std::size_t end) {
      for (; i < end; ++i)
        for (int s = 0; s < streams.count; ++s) {
          auto const k_of_s = static_cast<std::size_t>(streams.at[s].columns);
          std::size_t const first = static_cast<std::size_t>(streams.at[s].first) * c.samples + i * k_of_s;
          for (std::size_t k = 0; k < k_of_s; ++k) f(i, first + k);
        }
    });
  }

  /// What arrives at an operand: written or added.
  template <contribution How>
  static void put(T& at, T v) {
    if constexpr (How == contribution::add) {
      at += v;
    } else {
      at = v;
    }
  }

  /// g = φ' ∘ g on rows [first, last) of all streams' rows of `Features` elements, [stream, N, K, positions].
  template <activation_rule const* Rule, int Features, int Positions>
  static void mask_rows(context<T> const& c, T const* v, T* g, std::size_t first, std::size_t last) {
    std::size_t row = first;
    for (int s = 0; s < streams.count && row < last; ++s) {
      std::size_t const begin = static_cast<std::size_t>(streams.at[s].first) * c.samples * Positions;
      auto const k_of_s = static_cast<std::size_t>(streams.at[s].columns);
      std::size_t const end = std::min(last, begin + c.samples * k_of_s * Positions);
      if (k_of_s == 1 && row < end) {  // row for row the same as the values
        derivative_times<T, Rule>(v + (row - begin) * Features, g + row * Features, g + row * Features,
                                  (end - row) * Features);
        row = end;
      }
      for (; row < end; ++row) {
        std::size_t const local = row - begin;
        std::size_t const sample = local / (k_of_s * Positions);
        T const* const v_row = v + (sample * Positions + local % Positions) * Features;
        derivative_times<T, Rule>(v_row, g + row * Features, g + row * Features, Features);
      }
    }
  }

  template <signature S>
  static void dense(context<T> const& c, operands const& o) {
    constexpr int in = S.features_in, out = S.features_out;
    constexpr std::size_t weight = static_cast<std::size_t>(in) * out;
    using kernel = product_of<T, in, out>;
    std::size_t const rows = c.samples * S.positions;
    T const* const x = c.value(o.a_value);
    auto const bias_of = [&](T* block) { return S.bias ? block + weight : nullptr; };
    if constexpr (S.unreached) std::fill_n(c.at(o.adjoint), columns * rows * out, T(0));
    if constexpr (S.chosen.rank > 0 && !S.spreads) {
      chosen_gradients<S>(c, o);
      if constexpr (S.to_a != contribution::none) pull_chosen<S>(c, o);
      return;
    }

    if constexpr (places::keeps_gradient) {
      T* const dw = c.fixed + places::gradient + o.offset;
      kernel::weight_gradient(rows, stream_at(c, o.adjoint, stream_kind::first_order, S.size()), x, dw, bias_of(dw),
                              c.scratch, S.tied || c.continues);
    }
    if constexpr (R.ggn_vector_product) {
      T* const dw = c.fixed + places::ggn_product + o.offset;
      kernel::weight_gradient(rows, stream_at(c, o.adjoint, stream_kind::ggn_product, S.size()), x, dw, bias_of(dw),
                              c.scratch, S.tied || c.continues);
    }
    if constexpr (hessian) {
      T* const dw = c.fixed + places::hessian_product + o.offset;
      kernel::weight_gradient(rows, stream_at(c, o.adjoint, stream_kind::hessian, S.size()), x, dw, bias_of(dw),
                              c.scratch, S.tied || c.continues);
      if constexpr (S.a_active)
        kernel::weight_gradient(rows, stream_at(c, o.adjoint, stream_kind::first_order, S.size()),
                                hessian_tangent(c, o.a_tangent, S.operand_size()), dw, nullptr, c.scratch);
    }
    if constexpr (R.per_sample_gradient) {
      T* const first_row = c.result(places::rows_per_sample, places::parameter_count) + o.offset;
      kernels::factors<T, in, out>::outer(c.samples, S.positions, x,
                                          stream_at(c, o.adjoint, stream_kind::first_order, S.size()), first_row,
                                          bias_of(first_row), places::parameter_count, S.tied);
    }

    if constexpr (S.to_a != contribution::none && S.chosen.rank > 0) {
      pull_chosen<S>(c, o);
    } else if constexpr (S.to_a != contribution::none && S.below.rank > 0) {
      pull_through_patches<S>(c, o);
    } else if constexpr (S.to_a != contribution::none) {
      T* const below = c.at(o.a_adjoint);
      auto const pull_then = [&](auto&& epilogue) {
        kernel::pull(columns * rows, c.at(o.adjoint), c.theta + o.offset, below, S.to_a == contribution::add, c.scratch,
                     epilogue);
      };
      if constexpr (S.has_mask) {
        T const* const v = c.value(o.mask_value);
        pull_then([=, &c](std::size_t first, std::size_t last) {
          mask_rows<S.mask, in, S.positions>(c, v, below, first, last);
        });
      } else {
        pull_then(kernels::no_epilogue{});
      }
      if constexpr (hessian)
        kernel::pull(rows, stream_at(c, o.adjoint, stream_kind::first_order, S.size()),
                     c.direction[hessian_direction] + o.offset,
                     stream_at(c, o.a_adjoint, stream_kind::hessian, S.operand_size()), true, c.scratch,
                     kernels::no_epilogue{});
    }
  }

  /// Elements of scratch a thread needs for that: the product's own, and one vector of patches.
  template <signature S>
  static constexpr std::size_t patches_scratch() {
    constexpr std::size_t own = padded(product_of<T, S.features_in, S.features_out>::scratch_elements(1));
    // Constants, because of what `stored` is for.
    constexpr std::size_t patches = S.below.rank > 0 ? padded(static_cast<std::size_t>(S.in.size())) : 0;
    return patches > 0 ? own + patches : 0;
  }

  /// The adjoint of a convolution, a vector at a time: its patches stay in the second-level cache.
  template <signature S>
  static void pull_through_patches(context<T> const& c, operands const& o) {
    using kernel = product_of<T, S.features_in, S.features_out>;
    constexpr std::size_t size = static_cast<std::size_t>(S.size()), below = static_cast<std::size_t>(S.below.size());
    constexpr std::size_t own = padded(kernel::scratch_elements(1));
    constexpr auto pull = S.layer->template functions<T>().pull;
    site<T> here;
    here.in = stored<S>.below;
    here.out = stored<S>.in;
    here.set = stored<S>.set;
    here.shift = o.shift;
    over_vectors(c, size * static_cast<std::size_t>(S.features_in), [&](std::size_t, std::size_t k) {
      T* const scratch = c.scratch + thread_index() * patches_scratch<S>();
      T* const patches = scratch + own;
      kernel::pull(S.positions, c.at(o.adjoint) + k * size, c.theta + o.offset, patches, false, scratch);
      pull(here, nullptr, 1, patches, c.at(o.below_adjoint) + k * below, S.to_a == contribution::add);
    });
  }

  template <signature S>
  static void chosen_gradients(context<T> const& c, operands const& o) {
    constexpr auto in = static_cast<std::size_t>(S.features_in), out = static_cast<std::size_t>(S.features_out);
    constexpr auto positions = static_cast<std::size_t>(S.positions), size = static_cast<std::size_t>(S.chosen.size());
    auto const add = [&](stream_kind kind, std::size_t to) {
      T* const dw = c.fixed + to + o.offset;
      if (!c.continues) std::fill_n(dw, in * out + (S.bias ? out : 0), T(0));
      T const* const x = c.value(o.a_value);
      parallel_ranges(out, 1 + (std::size_t{1} << 18) / (c.samples * size * in / out), 1,
                      [&](std::size_t first, std::size_t last) {
                        T* const scratch = c.scratch + thread_index() * q::template chosen_scratch<S>();
                        for (std::size_t n = 0; n < c.samples; ++n)
                          q::template chosen_of<S>(c, o, streams.find(kind), n)
                              .add_to(in, x + n * positions * in, first, last, dw, scratch);
                      });
      if constexpr (S.bias)
        kernels::add_column_sums<T, S.features_out>(c.samples * static_cast<std::size_t>(S.chosen.positions()),
                                                    stream_at(c, o.adjoint, kind, size), dw + in * out);
    };
    if constexpr (places::keeps_gradient) add(stream_kind::first_order, places::gradient);
    if constexpr (R.ggn_vector_product) add(stream_kind::ggn_product, places::ggn_product);
  }

  /// The adjoint of a convolution that a pool reads, straight to the image.
  template <signature S>
  static void pull_chosen(context<T> const& c, operands const& o) {
    constexpr auto below = static_cast<std::size_t>(S.below.size()), size = static_cast<std::size_t>(S.chosen.size());
    constexpr auto patches = S.layer->patches;
    static constexpr patch_geometry geometry = patches(S.below, S.set);
    over_samples(c.samples, columns * size * static_cast<std::size_t>(S.features_in),
                 [&](std::size_t n, std::size_t end) {
                   T* const scratch = c.scratch + thread_index() * q::template chosen_scratch<S>();
                   for (; n < end; ++n)
                     for (int s = 0; s < streams.count; ++s) {
                       std::size_t const first = static_cast<std::size_t>(streams.at[s].first) * c.samples +
                                                 n * static_cast<std::size_t>(streams.at[s].columns);
                       q::template chosen_of<S>(c, o, s, n)
                           .pull(geometry, c.theta + o.offset, c.at(o.below_adjoint) + first * below,
                                 S.to_a == contribution::add, scratch);
                     }
                 });
  }

  template <signature S>
  static void activation(context<T> const& c, operands const& o) {
    constexpr std::size_t size = static_cast<std::size_t>(S.size());
    constexpr std::size_t tile = 256;
    T* const from = c.at(o.adjoint);
    T* const to = c.at(o.a_adjoint);
    if constexpr (S.act->kind == activation_kind::identity) {
      if constexpr (S.to_a != contribution::alias)
        over_vectors(c, size, [=](std::size_t, std::size_t k) {
          for (std::size_t e = k * size; e < (k + 1) * size; ++e) put<S.to_a>(to[e], from[e]);
        });
    } else {
      T const* const v = c.value(o.mask_value);
      T* const extra = hessian ? stream_at(c, o.a_adjoint, stream_kind::hessian, size) : nullptr;
      T const* const first_order = hessian ? stream_at(c, o.adjoint, stream_kind::first_order, size) : nullptr;
      T const* const ds = hessian ? hessian_tangent(c, o.a_tangent, size) : nullptr;
      // φ'' ∘ ds ∘ δ needs δ before it is masked and belongs to the Hessian's stream after that is: per sample.
      over_samples(c.samples, size * columns, [=, &c](std::size_t i, std::size_t end) {
        T curved[tile];
        T masked[tile];
        for (; i < end; ++i)
          for (std::size_t e = 0; e < size; e += tile) {
            std::size_t const count = std::min(tile, size - e);
            T const* const v_tile = v + i * size + e;
            if constexpr (hessian) {
              second_derivative<T, S.act>(v_tile, curved, count);
              for (std::size_t t = 0; t < count; ++t) curved[t] *= ds[i * size + e + t] * first_order[i * size + e + t];
            }
            for (int s = 0; s < streams.count; ++s) {
              auto const k_of_s = static_cast<std::size_t>(streams.at[s].columns);
              for (std::size_t k = 0; k < k_of_s; ++k) {
                std::size_t const at =
                    (static_cast<std::size_t>(streams.at[s].first) * c.samples + i * k_of_s + k) * size + e;
                if constexpr (S.to_a == contribution::add) {
                  derivative_times<T, S.act>(v_tile, from + at, masked, count);
                  for (std::size_t t = 0; t < count; ++t) to[at + t] += masked[t];
                } else {
                  derivative_times<T, S.act>(v_tile, from + at, to + at, count);
                }
              }
            }
            if constexpr (hessian)
              for (std::size_t t = 0; t < count; ++t) extra[i * size + e + t] += curved[t];
          }
      });
    }
  }

  /// A layer's adjoint, and the vectors of its own parameters, [S.own] for each vector: sample by sample, or, where the
  /// rule couples samples, for the batch at once. Then streams have one column, and own parameters one vector.
  template <signature S>
  static void layer(context<T> const& c, operands const& o) {
    constexpr std::size_t size = static_cast<std::size_t>(S.size());
    constexpr std::size_t below = static_cast<std::size_t>(S.operand_size());
    constexpr std::size_t own = static_cast<std::size_t>(S.own);
    [[maybe_unused]] constexpr layer_functions<T> functions = S.layer->template functions<T>();
    constexpr bool to_a = S.to_a != contribution::none;
    [[maybe_unused]] auto const from_sample = [&](site<T> here, std::size_t i) {
      T const* const x = c.value(o.a_value) + i * below;
      for (int s = 0; s < streams.count; ++s) {
        int const k = streams.at[s].columns;
        std::size_t const at =
            static_cast<std::size_t>(streams.at[s].first) * c.samples + i * static_cast<std::size_t>(k);
        T const* const g = c.at(o.adjoint) + at * size;
        if constexpr (to_a) functions.pull(here, x, k, g, c.at(o.a_adjoint) + at * below, S.to_a == contribution::add);
        if constexpr (own > 0 && S.whole) functions.weigh(here, x, k, g, c.at(o.vectors) + at * own);
      }
      if constexpr (hessian) {
        T const* const dx = S.a_active ? hessian_tangent(c, o.a_tangent, below) + i * below : nullptr;
        T const* const g = stream_at(c, o.adjoint, stream_kind::first_order, size) + i * size;
        if constexpr (own > 0) here.direction = c.direction[hessian_direction] + o.offset;
        if constexpr (to_a && functions.push_pull != nullptr)
          functions.push_pull(here, x, dx, g, stream_at(c, o.a_adjoint, stream_kind::hessian, below) + i * below);
        if constexpr (own > 0 && S.whole && functions.push_weigh != nullptr)
          functions.push_weigh(here, x, dx, g, stream_at(c, o.vectors, stream_kind::hessian, own) + i * own);
      }
    };
    if constexpr (S.unreached) {
      if constexpr (S.whole) std::fill_n(c.at(o.vectors), columns * c.samples * own, T(0));
      if constexpr (S.row > 0) std::fill_n(c.at(o.adjoint), columns * c.samples * size, T(0));
    } else if constexpr (S.layer->couples_samples) {
      from_sample(site_of_batch<T, S>(c, o), 0);
    } else if constexpr (to_a || (own > 0 && S.whole)) {
      over_samples(c.samples, std::max(size, below) * columns, [&](std::size_t i, std::size_t end) {
        for (; i < end; ++i) from_sample(site_of<T, S>(c, o, i), i);
      });
    }
    if constexpr (own > 0) own_parameters<S>(c, o);
  }

  /// Adds a stream's vectors, [N, positions, S.row], to the rows of a table that the positions read.
  template <signature S>
  static void add_to_rows(context<T> const& c, operands const& o, T const* g, T* table) {
    constexpr int positions = S.positions, row = S.row;
    constexpr auto row_at = S.layer->template functions<T>().row_at;
    for (std::size_t i = 0; i < c.samples; ++i) {
      site<T> const here = site_of<T, S>(c, o, i);
      T const* const x = c.value(o.a_value) + i * static_cast<std::size_t>(positions);
      for (int r = 0; r < positions; ++r, g += row) {
        int const read = row_at(here, x, r);
        if (read < 0) continue;
        T* const to = table + static_cast<std::size_t>(read) * row;
        for (int e = 0; e < row; ++e) to[e] += g[e];
      }
    }
  }

  /// The linear quantities of a layer's own parameters: sums of its vectors over samples.
  template <signature S>
  static void own_parameters(context<T> const& c, operands const& o) {
    constexpr std::size_t own = static_cast<std::size_t>(S.own);
    constexpr bool together = S.layer->couples_samples && !S.unreached;
    [[maybe_unused]] std::size_t const vectors = together ? 1 : c.samples;
    auto const sum_of = [&](stream_kind kind, std::size_t to, bool adds) {
      T* const total = c.fixed + to + o.offset;
      if (!adds) std::fill_n(total, own, T(0));
      if constexpr (S.row > 0) {
        add_to_rows<S>(c, o, stream_at(c, o.adjoint, kind, static_cast<std::size_t>(S.size())), total);
      } else {
        T const* const rows = stream_at(c, o.vectors, kind, own);
        for (std::size_t i = 0; i < vectors; ++i)
          for (std::size_t e = 0; e < own; ++e) total[e] += rows[i * own + e];
      }
    };
    if constexpr (places::keeps_gradient) sum_of(stream_kind::first_order, places::gradient, S.tied || c.continues);
    if constexpr (R.ggn_vector_product) sum_of(stream_kind::ggn_product, places::ggn_product, S.tied || c.continues);
    if constexpr (hessian) sum_of(stream_kind::hessian, places::hessian_product, S.tied || c.continues);
    if constexpr (R.per_sample_gradient) {
      T const* const rows = stream_at(c, o.vectors, stream_kind::first_order, own);
      for (std::size_t i = 0; i < c.samples; ++i) {
        T* const row =
            c.result(places::rows_per_sample, places::parameter_count) + i * places::parameter_count + o.offset;
        for (std::size_t e = 0; e < own; ++e)
          if constexpr (S.tied) {
            row[e] += rows[i * own + e];
          } else {
            row[e] = rows[i * own + e];
          }
      }
    }
  }

  /// Splits the vectors of a concatenation among its operands.
  template <signature S>
  static void part(context<T> const& c, operands const& o) {
    constexpr blocks x = blocks_of(S);
    auto const give = [&]<contribution How>(std::size_t begin, std::size_t size, int place,
                                            std::integral_constant<contribution, How>) {
      if constexpr (How != contribution::none)
        over_vectors(c, static_cast<std::size_t>(S.size()), [&](std::size_t, std::size_t k) {
          T const* from = c.at(o.adjoint) + k * x.count * (x.a + x.b) + begin;
          T* to = c.at(place) + k * x.count * size;
          for (std::size_t block = 0; block < x.count; ++block, from += x.a + x.b, to += size)
            for (std::size_t e = 0; e < size; ++e) put<How>(to[e], from[e]);
        });
    };
    give(0, x.a, o.a_adjoint, std::integral_constant<contribution, S.to_a>());
    give(x.a, x.b, o.b_adjoint, std::integral_constant<contribution, S.to_b>());
  }

  /// g_a (=, +=) g ∘ value, and for the Hessian's stream g_a += δ ∘ tangent of that value.
  template <contribution How, std::size_t Size, bool OtherActive>
  static void gate(context<T> const& c, operands const& o, int to_place, int other_value, int other_tangent) {
    T* const from = c.at(o.adjoint);
    T* const to = c.at(to_place);
    T const* const other = c.value(other_value);
    over_vectors(c, Size, [=](std::size_t i, std::size_t k) {
      for (std::size_t e = 0; e < Size; ++e) put<How>(to[k * Size + e], from[k * Size + e] * other[i * Size + e]);
    });
    if constexpr (hessian && OtherActive) {
      T const* const first_order = stream_at(c, o.adjoint, stream_kind::first_order, Size);
      T const* const d_other = hessian_tangent(c, other_tangent, Size);
      T* const h = stream_at(c, to_place, stream_kind::hessian, Size);
      for (std::size_t e = 0; e < c.samples * Size; ++e) h[e] += first_order[e] * d_other[e];
    }
  }

  /// g_a (=, +=) factor g, broadcast over `Positions`.
  template <contribution How, std::size_t Size, std::size_t Positions>
  static void spread(context<T> const& c, T const* from, T* to, T factor) {
    over_vectors(c, Size * Positions, [=](std::size_t, std::size_t k) {
      for (std::size_t r = 0; r < Positions; ++r)
        for (std::size_t e = 0; e < Size; ++e)
          put<How>(to[(k * Positions + r) * Size + e], factor * from[k * Size + e]);
    });
  }

  /// One node's backward step.
  template <signature S>
  static void step(context<T> const& c, operands const& o) {
    constexpr std::size_t size = static_cast<std::size_t>(S.size());
    if constexpr (S.op == operation::dense) {
      dense<S>(c, o);
    } else if constexpr (S.op == operation::activation) {
      if constexpr (S.to_a != contribution::none && !S.skips_mask) activation<S>(c, o);
    } else if constexpr (S.op == operation::layer) {
      if constexpr (!(S.chooses && !S.spreads) && (S.to_a != contribution::none || S.own > 0)) layer<S>(c, o);
    } else if constexpr (S.op == operation::concatenate) {
      part<S>(c, o);
    } else if constexpr (S.op == operation::multiply) {
      if constexpr (S.to_a != contribution::none)
        gate<S.to_a, size, S.b_active>(c, o, o.a_adjoint, o.b_value, o.b_tangent);
      if constexpr (S.to_b != contribution::none)
        gate<S.to_b, size, S.a_active>(c, o, o.b_adjoint, o.a_value, o.a_tangent);
    } else if constexpr (S.op == operation::add) {
      // The copy comes before the alias: what shares the buffer may change it later.
      if constexpr (S.to_b == contribution::write || S.to_b == contribution::add)
        spread<S.to_b, size, 1>(c, c.at(o.adjoint), c.at(o.b_adjoint), T(1));
      if constexpr (S.to_a == contribution::write || S.to_a == contribution::add)
        spread<S.to_a, size, 1>(c, c.at(o.adjoint), c.at(o.a_adjoint), T(1));
    } else if constexpr (S.op == operation::scale) {
      if constexpr (S.to_a != contribution::none)
        spread<S.to_a, size, 1>(c, c.at(o.adjoint), c.at(o.a_adjoint), T(S.numerator) / T(S.denominator));
    } else if constexpr (S.op == operation::reshape) {
      if constexpr (S.to_a == contribution::write || S.to_a == contribution::add)
        spread<S.to_a, size, 1>(c, c.at(o.adjoint), c.at(o.a_adjoint), T(1));
    } else if constexpr (S.op == operation::mean_positions || S.op == operation::sum_positions) {
      constexpr std::size_t positions = static_cast<std::size_t>(S.operand_positions);
      constexpr T factor = S.op == operation::mean_positions ? T(1) / T(positions) : T(1);
      if constexpr (S.to_a != contribution::none)
        spread<S.to_a, size, positions>(c, c.at(o.adjoint), c.at(o.a_adjoint), factor);
    }
  }
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
