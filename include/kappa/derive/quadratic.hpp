#pragma once
/// \file
/// The quantities that are quadratic in the vectors at a dense layer: everything is a function of its inputs a,
/// [N, R, in], and the streams' vectors s, each [N, K, R, out], with R the positions of all uses of the weight.

#include <algorithm>
#include <array>

#include <kappa/derive/context.hpp>
#include <kappa/derive/forward.hpp>
#include <kappa/derive/step.hpp>
#include <kappa/kernels/chosen.hpp>
#include <kappa/kernels/factors.hpp>

namespace kappa::inline KAPPA_ARCH {
namespace detail {

template <class T, objective_type Objective, request R>
struct quadratic {
  using places = layout<Objective, R>;
  static constexpr stream_set streams = program<Objective, R>::streams;

  /// Copies one use's inputs and vectors between those of the weight's other uses.
  template <signature S, parameter_signature W>
  static void pack(context<T> const& c, operands const& o, parameter_plan const& p) {
    constexpr std::size_t own = static_cast<std::size_t>(S.weight_positions),
                          all = static_cast<std::size_t>(W.positions);
    constexpr std::size_t in = static_cast<std::size_t>(W.inputs), out = static_cast<std::size_t>(W.outputs);
    auto const slot = static_cast<std::size_t>(o.position);
    T const* const x = c.value(o.inputs);
    T* const packed_x = c.at(p.inputs);
    for (std::size_t n = 0; n < c.samples; ++n)
      std::copy_n(x + n * own * in, own * in, packed_x + (n * all + slot) * in);
    T const* const g = c.at(o.vectors);
    T* const packed_g = c.at(p.adjoints);
    std::size_t const vectors = c.samples * static_cast<std::size_t>(streams.columns);
    for (std::size_t k = 0; k < vectors; ++k)
      std::copy_n(g + k * own * out, own * out, packed_g + (k * all + slot) * out);
  }

  /// Adds a layer's part to every quadratic quantity. Of a convolution under a pool, Gram matrices see the chosen ones
  /// among the vectors.
  template <parameter_signature W>
  static void accumulate(context<T> const& c, std::size_t parameter, std::size_t offset, T const* a, T const* vectors,
                         [[maybe_unused]] kernels::chosen_vectors<T> of_pool = {}) {
    constexpr auto in = static_cast<std::size_t>(W.inputs), out = static_cast<std::size_t>(W.outputs);
    constexpr auto positions = static_cast<std::size_t>(W.positions);
    constexpr std::size_t weight = in * out;
    using kernel = kernels::factors<T, W.inputs, W.outputs>;
    std::size_t const n = c.samples;
    auto const bias_of = [&](T* block) { return W.bias ? block + weight : nullptr; };
    auto const stream = [&](int s) {
      return vectors + static_cast<std::size_t>(streams.at[s].first) * n * positions * out;
    };

    if constexpr (R.per_sample_gradient_norms)
      kernel::squared_norms(n, 1, positions, a, stream(streams.find(stream_kind::first_order)), W.bias,
                            c.result(places::norms_per_sample));
    if constexpr (R.gradient_variance) {
      T const* const mean = c.fixed + places::gradient + offset;
      T* const to = c.fixed + places::variance + offset;
      kernel::centred_sum_of_squares(n, positions, a, stream(streams.find(stream_kind::first_order)), mean,
                                     W.bias ? mean + weight : nullptr, static_cast<T>(n), to, bias_of(to));
    }
    if constexpr (R.per_sample_ggn_diagonal) {
      constexpr int root = streams.find(stream_kind::root);
      constexpr auto k = static_cast<std::size_t>(streams.at[root].columns);
      T* const to = c.result(places::diagonals_per_sample, places::parameter_count) + offset;
      for (std::size_t i = 0; i < n; ++i) {
        T* const row = to + i * places::parameter_count;
        kernel::sum_of_squares(1, k, positions, a + i * positions * in, stream(root) + i * k * positions * out, row,
                               bias_of(row));
      }
    }
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (diagonal<W, static_cast<int>(Index)>(c, offset, a, stream(streams.source_of(places::asked.diagonal[Index]))),
       ...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(R.diagonals)>());
    for (int i = 0; i < R.ggns; ++i) {
      int const s = streams.source_of(places::asked.ggn[i]);
      auto const k = static_cast<std::size_t>(streams.at[s].columns);
      auto const group = static_cast<std::size_t>(places::asked.ggn[i].group(static_cast<int>(parameter)));
      auto of_stream = of_pool;
      if (of_pool.windows > 0)
        of_stream.vectors += static_cast<std::size_t>(streams.at[s].first) * n * of_pool.windows * out;
      kernel::gram(n, k, positions, a, stream(s), W.bias,
                   c.gram + places::gram_of(i, c.capacity) + group * (n * k) * (n * k), c.scratch, threads(),
                   !places::writes_gram(i, static_cast<int>(parameter)),
                   places::ends_gram(i, static_cast<int>(parameter)), of_stream,
                   c.scratch + padded(kernel::gram_scratch(n, k, positions, threads())));
    }
    if constexpr (W.row == 0) {
      for_modes<W>(c, parameter, a);
      [&]<std::size_t... Index>(std::index_sequence<Index...>) {
        (output_factor<W, static_cast<int>(Index)>(c, parameter, stream), ...);
      }
      (std::make_index_sequence<static_cast<std::size_t>(R.kfacs)>());
    }
  }

  /// What sample n's vectors of stream s are at the outputs of a dense layer that a pool reads.
  template <signature S>
  static kernels::chosen<T> chosen_of(context<T> const& c, operands const& o, int s, std::size_t n) {
    constexpr auto size = static_cast<std::size_t>(S.chosen.size());
    auto const k = static_cast<std::size_t>(streams.at[s].columns);
    return {k, static_cast<std::size_t>(S.chosen.positions()), static_cast<std::size_t>(S.features_out),
            c.at(o.places) + n * size,
            c.at(o.chosen_adjoint) + (static_cast<std::size_t>(streams.at[s].first) * c.samples + n * k) * size};
  }
  /// Elements of scratch a thread needs for those.
  template <signature S>
  static constexpr std::size_t chosen_scratch() {
    if constexpr (S.chosen.rank == 0) return 0;
    std::size_t most = 1;
    for (int s = 0; s < streams.count; ++s) most = std::max(most, static_cast<std::size_t>(streams.at[s].columns));
    return padded(kernels::chosen<T>::scratch_elements(most, static_cast<std::size_t>(S.chosen.positions()),
                                                       static_cast<std::size_t>(S.features_out),
                                                       static_cast<std::size_t>(S.positions)));
  }

  /// The same for a convolution whose vectors lie where a pool chose.
  template <signature S, parameter_signature W>
  static void accumulate_chosen(context<T> const& c, operands const& o) {
    constexpr auto in = static_cast<std::size_t>(W.inputs), out = static_cast<std::size_t>(W.outputs);
    constexpr auto positions = static_cast<std::size_t>(W.positions);
    constexpr std::size_t products = in * static_cast<std::size_t>(S.chosen.size());  // of one vector
    T const* const a = c.value(o.inputs);
    auto const offset = static_cast<std::size_t>(o.offset);
    if constexpr (R.per_sample_gradient_norms)
      over_samples(c.samples, products, [&](std::size_t n, std::size_t end) {
        T* const scratch = c.scratch + thread_index() * chosen_scratch<S>();
        for (; n < end; ++n) {
          auto const vectors = chosen_of<S>(c, o, streams.find(stream_kind::first_order), n);
          T& norm = c.result(places::norms_per_sample)[n];
          norm += vectors.squared_norm(in, a + n * positions * in, scratch);
          if constexpr (W.bias) norm += vectors.squared_bias_norm();
        }
      });
    auto const add_squares = [&](int s, std::size_t n, T* to) {
      T* const scratch = c.scratch + thread_index() * chosen_scratch<S>();
      auto const vectors = chosen_of<S>(c, o, s, n);
      vectors.add_squares(in, a + n * positions * in, 0, out, to, scratch);
      if constexpr (W.bias) vectors.add_bias_squares(to + in * out);
    };
    if constexpr (R.per_sample_ggn_diagonal)
      over_samples(c.samples, products, [&](std::size_t n, std::size_t end) {
        for (; n < end; ++n)
          add_squares(
              streams.find(stream_kind::root), n,
              c.result(places::diagonals_per_sample, places::parameter_count) + n * places::parameter_count + offset);
      });
    for (int i = 0; i < R.diagonals; ++i) {
      int const s = streams.source_of(places::asked.diagonal[i]);
      T* const to = c.fixed + places::diagonal_of(i) + offset;
      parallel_ranges(out, 1 + pointwise_grain * out / (1 + c.samples * products), 1,
                      [&](std::size_t first, std::size_t last) {
                        T* const scratch = c.scratch + thread_index() * chosen_scratch<S>();
                        for (std::size_t n = 0; n < c.samples; ++n)
                          chosen_of<S>(c, o, s, n).add_squares(in, a + n * positions * in, first, last, to, scratch);
                      });
      if constexpr (W.bias)
        for (std::size_t n = 0; n < c.samples; ++n) chosen_of<S>(c, o, s, n).add_bias_squares(to + in * out);
    }
    auto const parameter = static_cast<std::size_t>(o.parameter);
    for_modes<W>(c, parameter, a);
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (chosen_output_factor<S, W, static_cast<int>(Index)>(c, o), ...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(R.kfacs)>());
  }

  /// Adds one use of a table to its K-FAC factors, which are those of a dense layer without bias whose inputs are the
  /// unit vectors of the rows read, each position counted like a sample, in every mode: A = 1/(Σ R_n) diag(how often
  /// each row is read), of which the diagonal is held, and B = Σ g gᵀ. Vectors at padding, which reads nothing, are set
  /// to zero.
  template <signature S>
  static void add_reads(context<T> const& c, operands const& o, parameter_plan const& p) {
    constexpr std::size_t positions = static_cast<std::size_t>(S.positions), row = static_cast<std::size_t>(S.row);
    constexpr std::size_t rows = static_cast<std::size_t>(S.own) / row;
    constexpr auto row_at = S.layer->template functions<T>().row_at;
    T* const vectors = c.at(o.adjoint);
    T* counts = nullptr;
    over_input_factors(c, o.parameter, [&](T* to) { counts = counts == nullptr ? to : counts; });
    if (o.begins && !c.continues) std::fill_n(counts, rows, T(0));
    for (std::size_t n = 0; n < c.samples; ++n) {
      site<T> const here = site_of<T, S>(c, o, n);
      T const* const x = c.value(o.a_value) + n * positions;
      for (std::size_t r = 0; r < positions; ++r) {
        if (int const read = row_at(here, x, static_cast<int>(r)); read >= 0) counts[read] += 1;
        if (here.side.mask == nullptr || here.side.mask[r] != 0) continue;
        for (int s = 0; s < streams.count; ++s) {
          auto const k_of_s = static_cast<std::size_t>(streams.at[s].columns);
          std::size_t const first = static_cast<std::size_t>(streams.at[s].first) * c.samples + n * k_of_s;
          for (std::size_t k = first; k < first + k_of_s; ++k)
            std::fill_n(vectors + (k * positions + r) * row, row, T(0));
        }
      }
    }
    if (o.completes && c.ends) {
      std::size_t total = c.all_samples * static_cast<std::size_t>(p.reads);
      for (std::size_t n = 0; n < c.samples && p.ragged_uses > 0; ++n) {
        unsigned char const* const mask = c.side_of(n).mask;
        for (std::size_t r = 0; r < c.side_positions; ++r)
          if (mask == nullptr || mask[r] != 0) total += static_cast<std::size_t>(p.ragged_uses);
      }
      T const factor = static_cast<T>(total > 0 ? 1 / static_cast<double>(total) : 0);
      for (std::size_t v = 0; v < rows; ++v) counts[v] *= factor;
      over_input_factors(c, o.parameter, [&](T* to) {
        if (to != counts) std::copy_n(counts, rows, to);
      });
    }
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (add_output_factor<S, static_cast<int>(Index)>(c, o), ...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(R.kfacs)>());
  }

 private:
  /// As `output_factor`.
  template <signature S, parameter_signature W, int K>
  static void chosen_output_factor(context<T> const& c, operands const& o) {
    constexpr kfac_request k = R.kfac[K];
    constexpr auto out = static_cast<std::size_t>(W.outputs);
    T* const to = c.fixed + places::output_factors_of(K) + places::output_factor[static_cast<std::size_t>(o.parameter)];
    if constexpr (k.source == curvature_source::forward_only) {
      identity(out, to);
    } else {
      constexpr int s = streams.source_of(k);
      T const factor = k.source == curvature_source::empirical ? static_cast<T>(1 / c.scale) : T(1);
      if constexpr (reduces(k.mode, W)) {
        auto const vectors = c.samples * static_cast<std::size_t>(streams.at[s].columns);
        kernels::sum_positions<T, W.outputs>(
            vectors, static_cast<std::size_t>(S.chosen.positions()),
            c.at(o.adjoint) + static_cast<std::size_t>(streams.at[s].first) * c.samples * S.chosen.size(), c.scratch);
        kernels::second_moment<T, W.outputs>(vectors, c.scratch, factor, to, false, c.continues, c.ends);
      } else {
        if (!c.continues) std::fill_n(to, out * out, T(0));
        // Long and short rows for every thread.
        std::size_t const blocks = kernels::chosen<T>::row_blocks(out), pairs = (blocks + 1) / 2;
        std::size_t const work = c.samples * static_cast<std::size_t>(streams.at[s].columns) *
                                 static_cast<std::size_t>(S.chosen.size()) * out;
        parallel_ranges(pairs, 1 + pointwise_grain * pairs / (1 + work), 1, [&](std::size_t first, std::size_t last) {
          for (std::size_t n = 0; n < c.samples; ++n) {
            auto const vectors = chosen_of<S>(c, o, s, n);
            vectors.add_second_moment(factor, first, last, to);
            vectors.add_second_moment(factor, std::max(blocks - last, last), blocks - first, to);
          }
        });
        if (c.ends) kernels::mirror(to, out);
      }
    }
  }

  /// f(where a parameter's input factor lies) for every kind that is asked for.
  template <class F>
  static void over_input_factors(context<T> const& c, int parameter, F&& f) {
    for (kfac_mode mode : {kfac_mode::expand, kfac_mode::reduce, kfac_mode::automatic})
      for (bool apart : {false, true})
        if (places::asked.any_kfac(mode, apart))
          f(c.fixed + places::input_factors_of(mode, apart) +
            places::input_factor[static_cast<std::size_t>(parameter)]);
  }

  /// B of one use of a table, added to that of the uses before.
  template <signature S, int K>
  static void add_output_factor(context<T> const& c, operands const& o) {
    constexpr kfac_request k = R.kfac[K];
    constexpr auto row = static_cast<std::size_t>(S.row), positions = static_cast<std::size_t>(S.positions);
    T* const to = c.fixed + places::output_factors_of(K) + places::output_factor[static_cast<std::size_t>(o.parameter)];
    if constexpr (k.source == curvature_source::forward_only) {
      identity(row, to);
    } else {
      constexpr stream from = streams.at[streams.source_of(k)];
      std::size_t const vectors = c.samples * positions;
      kernels::second_moment<T, S.row>(vectors * static_cast<std::size_t>(from.columns),
                                       c.at(o.adjoint) + static_cast<std::size_t>(from.first) * vectors * row,
                                       k.source == curvature_source::empirical ? static_cast<T>(1 / c.scale) : T(1), to,
                                       false, !o.begins || c.continues, c.ends);
    }
  }

  static void identity(std::size_t order, T* to) {
    std::fill_n(to, order * order, T(0));
    for (std::size_t i = 0; i < order; ++i) to[i * (order + 1)] = 1;
  }

  static constexpr bool reduces(kfac_mode m, parameter_signature const& w) {
    return w.positions > 1 && (m == kfac_mode::reduce || (m == kfac_mode::automatic && w.aggregated));
  }

  template <parameter_signature W>
  static void for_modes(context<T> const& c, std::size_t parameter, T const* a) {
    auto const one = [&]<kfac_mode Mode>(std::integral_constant<kfac_mode, Mode>) {
      constexpr bool reduced = reduces(Mode, W);
      auto const to = [&](bool apart) {
        return c.fixed + places::input_factors_of(Mode, apart) + places::input_factor[parameter];
      };
      if constexpr (R.any_kfac(Mode, false)) input_factor<W, reduced, W.bias>(c, a, to(false));
      if constexpr (R.any_kfac(Mode, true)) {
        input_factor<W, reduced, false>(c, a, to(true));
        if constexpr (W.bias) to(true)[static_cast<std::size_t>(W.inputs) * static_cast<std::size_t>(W.inputs)] = 1;
      }
    };
    one(std::integral_constant<kfac_mode, kfac_mode::expand>());
    one(std::integral_constant<kfac_mode, kfac_mode::reduce>());
    one(std::integral_constant<kfac_mode, kfac_mode::automatic>());
  }

  /// A = 1/(N R) Σ a aᵀ (expand) or 1/N Σ ā āᵀ with ā the mean over positions (reduce); a in homogeneous
  /// coordinates when there is a bias and it is not apart (reference/kfac.md, Eqs. 3 and 4).
  template <parameter_signature W, bool Reduces, bool Bias>
  static void input_factor(context<T> const& c, T const* a, T* to) {
    constexpr auto positions = static_cast<std::size_t>(W.positions);
    std::size_t const n = c.samples;
    auto const all = static_cast<double>(c.all_samples);
    if constexpr (W.ragged) {
      ragged_input_factor<W, Reduces, Bias>(c, a, to);
    } else if constexpr (!Reduces) {
      kernels::second_moment<T, W.inputs>(n * positions, a, static_cast<T>(1 / (all * static_cast<double>(positions))),
                                          to, Bias, c.continues, c.ends);
    } else {
      kernels::mean_positions<T, W.inputs>(n, positions, a, c.scratch);
      kernels::second_moment<T, W.inputs>(n, c.scratch, static_cast<T>(1 / all), to, Bias, c.continues, c.ends);
    }
  }

  /// The same without padding, the appended one included. Expand: 1/(Σ_n R_n) Σ a aᵀ over the R_n valid positions of
  /// each sample. Reduce: 1/N Σ ā āᵀ with ā the mean over valid positions, or, where the network sums them, Σ â âᵀ / Σ
  /// R_n² with â their sum (reference/kfac.md, 1.4, "ragged lengths"). Sums of homogeneous coordinates end with R_n.
  template <parameter_signature W, bool Reduces, bool Bias>
  static void ragged_input_factor(context<T> const& c, T const* a, T* to) {
    constexpr auto in = static_cast<std::size_t>(W.inputs), positions = static_cast<std::size_t>(W.positions);
    constexpr std::size_t order = in + (Bias ? 1 : 0);
    T* rows = c.scratch;
    double total = 0, squares = 0;
    for (std::size_t n = 0; n < c.samples; ++n) {
      unsigned char const* const mask = c.side_of(n).mask;
      T* const sum = rows;
      if (Reduces) std::fill_n(rows, order, T(0));
      double valid = 0;
      for (std::size_t r = 0; r < positions; ++r) {
        // Uses of one weight lie one after the other, each with all positions of the mask.
        if (mask != nullptr && mask[r % c.side_positions] == 0) continue;
        T const* const x = a + (n * positions + r) * in;
        ++valid;
        if (Reduces) {
          for (std::size_t i = 0; i < in; ++i) sum[i] += x[i];
        } else {
          std::copy_n(x, in, rows);
          if (Bias) rows[in] = 1;
          rows += order;
        }
      }
      total += valid;
      squares += valid * valid;
      if (!Reduces) continue;
      if (Bias) sum[in] = static_cast<T>(valid);
      if (!W.sums && valid > 0)
        for (std::size_t i = 0; i < order; ++i) sum[i] /= static_cast<T>(valid);
      rows += order;
    }
    double const count = !Reduces ? total : W.sums ? squares : static_cast<double>(c.samples);
    auto const height = static_cast<std::size_t>(rows - c.scratch) / order;
    kernels::second_moment<T, static_cast<int>(order)>(height, c.scratch, static_cast<T>(count > 0 ? 1 / count : 0), to,
                                                       false, false);
  }

  /// The squares of all vectors of one source.
  template <parameter_signature W, int K>
  static void diagonal(context<T> const& c, std::size_t offset, T const* a, T const* s) {
    constexpr diagonal_request d = R.diagonal[K];
    constexpr auto columns = static_cast<std::size_t>(streams.at[streams.source_of(d)].columns);
    constexpr std::size_t weight = static_cast<std::size_t>(W.inputs) * static_cast<std::size_t>(W.outputs);
    T* const to = c.fixed + places::diagonal_of(K) + offset;
    kernels::factors<T, W.inputs, W.outputs>::sum_of_squares(c.samples, columns, static_cast<std::size_t>(W.positions),
                                                             a, s, to, W.bias ? to + weight : nullptr);
  }

  /// B = Σ g gᵀ over vectors and positions (expand) or over vectors summed over positions (reduce); the identity where
  /// there are none. The streams carry √ρ; the gradient's carries ρ, hence the 1/ρ of the empirical source.
  template <parameter_signature W, int K>
  static void output_factor(context<T> const& c, std::size_t parameter, auto const& stream) {
    constexpr kfac_request k = R.kfac[K];
    T* const to = c.fixed + places::output_factors_of(K) + places::output_factor[parameter];
    if constexpr (k.source == curvature_source::forward_only) {
      identity(static_cast<std::size_t>(W.outputs), to);
    } else {
      constexpr int source = streams.source_of(k);
      constexpr auto positions = static_cast<std::size_t>(W.positions);
      constexpr auto columns = static_cast<std::size_t>(streams.at[source].columns);
      T const* const s = stream(source);
      T const factor = k.source == curvature_source::empirical ? static_cast<T>(1 / c.scale) : T(1);
      std::size_t const vectors = c.samples * columns;
      if constexpr (!reduces(k.mode, W)) {
        kernels::second_moment<T, W.outputs>(vectors * positions, s, factor, to, false, c.continues, c.ends);
      } else {
        kernels::sum_positions<T, W.outputs>(vectors, positions, s, c.scratch);
        kernels::second_moment<T, W.outputs>(vectors, c.scratch, factor, to, false, c.continues, c.ends);
      }
    }
  }
};

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
