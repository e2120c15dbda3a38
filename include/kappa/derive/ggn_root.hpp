#pragma once
/// \file
/// The root of a low-rank curvature matrix as an operator: a stream of back-propagated vectors beside the layers'
/// inputs, which lie in the workspace. Nothing of the size [P, columns] is formed.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/derive/context.hpp>
#include <kappa/derive/forward.hpp>
#include <kappa/derive/layer_vectors.hpp>
#include <kappa/derive/step.hpp>
#include <kappa/kernels/factors.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// The vectors of one stream of a finished derivation whose request keeps them, for some of the parameters.
template <real T, objective_type Objective, request R>
class kept_stream {
 public:
  using network = typename Objective::network;
  static constexpr stream_set streams = program<Objective, R>::streams;
  static constexpr std::size_t parameters = network::parameters.size();

  /// The parameters of `group` in `partition`; rows follow them in declaration order.
  kept_stream(context<T> const& c, std::shared_ptr<void const> owner, int index, ggn_request partition, int group)
      : at(c), memory(std::move(owner)), which(streams.at[index]) {
    for (std::size_t p = 0; p < parameters; ++p) {
      first_row[p] = none;
      if (partition.group(static_cast<int>(p)) != group) continue;
      first_row[p] = count;
      count += static_cast<std::size_t>(network::parameters[p].size());
    }
  }

  std::size_t rows() const { return count; }
  std::size_t samples() const { return at.samples; }
  std::size_t per_sample() const { return static_cast<std::size_t>(which.columns); }
  std::size_t columns() const { return samples() * per_sample(); }
  double scale() const { return at.scale; }

  /// y = factor V c, for one or more vectors c [count, columns] and y [count, rows].
  void multiply(T factor, std::span<T const> c, std::span<T> y) const {
    std::size_t const vectors = count_of(c.size(), columns(), y.size(), rows());
    each([&]<parameter_signature W>(std::size_t row, T const* a, T const* s) {
      using kernel = kernels::factors<T, W.inputs, W.outputs>;
      std::size_t const together = std::min<std::size_t>(vectors, 5);  // what is read from afar is read less often
      auto const scratch = room(kernel::apply_scratch(at.samples, W.positions, threads(), together));
      for (std::size_t i = 0; i < vectors; i += together) {
        T* const to = y.data() + i * rows() + row;
        kernel::combine(at.samples, per_sample(), W.positions, a, s, std::min(together, vectors - i),
                        c.data() + i * columns(), to, W.bias ? to + weight<W> : nullptr, rows(), scratch.get());
      }
    });
    if (factor != T(1))
      for (T& v : y) v *= factor;
  }

  /// c = factor Vᵀ x, for one or more vectors.
  void multiply_transposed(T factor, std::span<T const> x, std::span<T> c) const {
    std::size_t const vectors = count_of(c.size(), columns(), x.size(), rows());
    std::fill(c.begin(), c.end(), T(0));
    each([&]<parameter_signature W>(std::size_t row, T const* a, T const* s) {
      using kernel = kernels::factors<T, W.inputs, W.outputs>;
      auto const scratch = room(kernel::apply_scratch(at.samples, W.positions, threads()));
      for (std::size_t i = 0; i < vectors; ++i) {
        T const* const from = x.data() + i * rows() + row;
        kernel::project(at.samples, per_sample(), W.positions, a, s, from, W.bias ? from + weight<W> : nullptr,
                        c.data() + i * columns(), scratch.get());
      }
    });
    if (factor != T(1))
      for (T& v : c) v *= factor;
  }

  /// The Gram matrix of one parameter's vectors, whatever the group.
  matrix<T> gram_of(std::size_t parameter) const {
    auto g = zeros<T>(columns(), columns());
    in_network([&]<parameter_signature W>(std::size_t p, T const* a, T const* s) {
      if (p != parameter) return;
      using kernel = kernels::factors<T, W.inputs, W.outputs>;
      auto const scratch = room(kernel::gram_scratch(at.samples, per_sample(), W.positions, threads()));
      kernel::gram(at.samples, per_sample(), W.positions, a, s, W.bias, g.data(), scratch.get());
    });
    kernels::mirror(g.data(), columns());
    return g;
  }

  /// Where inputs and vectors lie, for every parameter of the group.
  layer_vectors<T> view() const {
    layer_vectors<T> all{samples(), per_sample(), {}};
    each([&]<parameter_signature W>(std::size_t row, T const* a, T const* s) {
      all.layers.push_back({static_cast<std::size_t>(W.inputs), static_cast<std::size_t>(W.outputs),
                            static_cast<std::size_t>(W.positions), W.bias, row, a, s});
    });
    return all;
  }

  /// The same for K-FAC, which sees a table by the rows that are read, one use after the other.
  layer_vectors<T> view_for_kfac() const {
    layer_vectors<T> all{samples(), per_sample(), {}};
    each([&]<parameter_signature W>(std::size_t row, T const* a, T const* s) {
      all.layers.push_back({static_cast<std::size_t>(W.inputs), static_cast<std::size_t>(W.outputs),
                            static_cast<std::size_t>(W.positions), W.bias, row, a, s});
    });
    [&]<unsigned... I>(std::integer_sequence<unsigned, I...>) { (lay_where_chosen<I>(all), ...); }
    (std::make_integer_sequence<unsigned, steps<Objective, R>::count>());
    if constexpr (std::ranges::any_of(network::parameters, &parameter::is_table))
      [&]<unsigned... I>(std::integer_sequence<unsigned, I...>) { (add_use<I>(all), ...); }
    (std::make_integer_sequence<unsigned, steps<Objective, R>::count>());
    return all;
  }

 private:
  template <unsigned Node>
  void add_use(layer_vectors<T>& all) const {
    constexpr signature s = steps<Objective, R>::signatures[Node];
    if constexpr (s.row > 0) {
      constexpr operands o = steps<Objective, R>::places[Node];
      auto const row = first_row[static_cast<std::size_t>(o.parameter)];
      auto const layer = std::ranges::find(all.layers, row, &layer_vector<T>::first_row);
      if (layer == all.layers.end()) return;
      if (layer->uses.empty())
        *layer = {static_cast<std::size_t>(s.own / s.row), static_cast<std::size_t>(s.row), 0, false, row};
      constexpr auto positions = static_cast<std::size_t>(s.positions);
      constexpr auto row_at = s.layer->template functions<T>().row_at;
      table_use<T> use{positions,
                       {},
                       at.at(o.adjoint) + static_cast<std::size_t>(which.first) * at.samples * positions *
                                              static_cast<std::size_t>(s.row)};
      for (std::size_t n = 0; n < at.samples; ++n) {
        site<T> here = site_of<T, s>(at, o, n);
        here.side.mask = nullptr;  // vectors at padding are zero
        for (std::size_t r = 0; r < positions; ++r)
          use.rows.push_back(row_at(here, at.value(o.a_value) + n * positions, static_cast<int>(r)));
      }
      layer->uses.push_back(std::move(use));
    }
  }

  template <unsigned Node>
  void lay_where_chosen(layer_vectors<T>& all) const {
    constexpr signature s = steps<Objective, R>::signatures[Node];
    if constexpr (s.chosen.rank > 0 && !s.spreads) {
      constexpr operands o = steps<Objective, R>::places[Node];
      auto const row = first_row[static_cast<std::size_t>(o.parameter)];
      auto const layer = std::ranges::find(all.layers, row, &layer_vector<T>::first_row);
      if (layer == all.layers.end()) return;
      layer->windows = static_cast<std::size_t>(s.chosen.positions());
      layer->places = at.at(o.places);
      layer->s = at.at(o.vectors) +
                 static_cast<std::size_t>(which.first) * at.samples * static_cast<std::size_t>(s.chosen.size());
    }
  }

  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  template <parameter_signature W>
  static constexpr std::size_t weight = static_cast<std::size_t>(W.inputs) * static_cast<std::size_t>(W.outputs);

  // Scratch that is not cleared.
  static std::unique_ptr<T[]> room(std::size_t elements) { return std::make_unique_for_overwrite<T[]>(elements); }

  /// How many vectors came.
  std::size_t count_of(std::size_t columns_came, std::size_t columns_wanted, std::size_t rows_came,
                       std::size_t rows_wanted) const {
    std::size_t const whole = columns_came / columns_wanted;
    if (columns_came != whole * columns_wanted || rows_came != whole * rows_wanted)
      throw shape_mismatch("a root with " + std::to_string(rows_wanted) + " rows and " +
                           std::to_string(columns_wanted) + " columns met vectors of " + std::to_string(rows_came) +
                           " and " + std::to_string(columns_came) + " elements");
    return whole;
  }

  // f.operator()<signature>(first row, inputs, vectors) for the parameters of the group.
  template <class F>
  void each(F&& f) const {
    in_network([&]<parameter_signature W>(std::size_t p, T const* a, T const* s) {
      if (first_row[p] != none) f.template operator()<W>(first_row[p], a, s);
    });
  }

  // The same with the parameter's index, for all parameters.
  template <class F>
  void in_network(F&& f) const {
    using all = steps<Objective, R>;
    [&]<unsigned... I>(std::integer_sequence<unsigned, I...>) {
      auto const one = [&]<unsigned Node>() {
        constexpr node x = network::nodes[Node];
        if constexpr (x.parameter >= 0) {
          constexpr auto p = static_cast<unsigned>(x.parameter);
          constexpr operands o = all::places[Node];
          constexpr parameter_plan where = all::plan.parameters[p];
          if constexpr (o.completes) {
            constexpr parameter_signature w = all::parameter_of(p);
            if constexpr (w.row > 0 && !R.whole_tables()) {  // there are no vectors of the whole table
              f.template operator()<w>(p, nullptr, nullptr);
              return;
            }
            T const* const a = w.packed ? at.at(where.inputs) : at.value(o.inputs);
            T const* const s = at.at(w.packed ? where.adjoints : o.vectors) +
                               static_cast<std::size_t>(which.first) * at.samples *
                                   static_cast<std::size_t>(w.positions) * static_cast<std::size_t>(w.outputs);
            f.template operator()<w>(p, a, s);
          }
        }
      };
      (one.template operator()<I>(), ...);
    }
    (std::make_integer_sequence<unsigned, all::count>());
  }

  context<T> at;
  std::shared_ptr<void const> memory;
  stream which;
  std::array<std::size_t, parameters> first_row{};
  std::size_t count = 0;
};

}  // namespace detail

/// The root V, [P_g, N K], of a mini-batch's low-rank curvature matrix V Vᵀ, or of the diagonal block of a group g of
/// parameters. Columns are (sample, root), sample-major. Applied, never formed. A cheap handle: it keeps an owning
/// workspace alive, and is valid until the next derivation into it.
template <real T, objective_type Objective, request R>
class ggn_root {
 public:
  using value_type = T;
  using vectors = detail::kept_stream<T, Objective, R>;
  static constexpr bool takes_several = true;

  /// Of request `index` among R's Gauss-Newton matrices.
  ggn_root(detail::context<T> const& c, std::shared_ptr<void const> owner, int index, int group)
      : stream(c, std::move(owner), vectors::streams.source_of(layout<Objective, R>::asked.ggn[index]),
               layout<Objective, R>::asked.ggn[index], group),
        factor(layout<Objective, R>::asked.ggn[index].source == curvature_source::empirical
                   ? static_cast<T>(1 / std::sqrt(c.scale))
                   : T(1)) {
    auto const order = columns() * columns();
    values = {c.gram + layout<Objective, R>::gram_of(index, c.capacity) + static_cast<std::size_t>(group) * order,
              order};
  }

  std::size_t rows() const { return stream.rows(); }
  std::size_t columns() const { return stream.columns(); }
  std::size_t samples() const { return stream.samples(); }
  /// ρ of the batch it comes from.
  double scale() const { return stream.scale(); }
  /// VᵀV, row-major [columns, columns].
  std::span<T const> gram() const { return values; }
  /// The part of VᵀV that comes from one parameter, counted in the whole network. Allocates.
  matrix<T> gram_of(std::size_t parameter) const {
    auto g = stream.gram_of(parameter);
    if (factor != T(1))
      for (T& v : elements(g)) v *= factor * factor;
    return g;
  }
  /// y = V c, for one or more vectors c [count, columns] and y [count, rows]. Each costs two passes over the layers'
  /// vectors and a gradient's products.
  void multiply(std::span<T const> c, std::span<T> y) const { stream.multiply(factor, c, y); }
  /// c = Vᵀ x, for one or more vectors. The same cost.
  void multiply_transposed(std::span<T const> x, std::span<T> c) const { stream.multiply_transposed(factor, x, c); }
  /// The layers' inputs and vectors that V consists of; V is `vectors_factor()` times them.
  layer_vectors<T> layer_view() const { return stream.view(); }
  T vectors_factor() const { return factor; }

 private:
  vectors stream;
  T factor;
  std::span<T const> values;
};

/// The per-sample gradients as a matrix [N, P] that is applied, never formed: row n is that of `per_sample_gradient`. A
/// cheap handle like `ggn_root`.
template <real T, objective_type Objective, request R>
class per_sample_gradients {
 public:
  using value_type = T;
  per_sample_gradients(detail::context<T> const& c, std::shared_ptr<void const> owner, ggn_request partition = {},
                       int group = 0)
      : stream(c, std::move(owner), vectors::streams.find(stream_kind::first_order), partition, group) {}

  std::size_t samples() const { return stream.samples(); }
  std::size_t parameters() const { return stream.rows(); }
  double scale() const { return stream.scale(); }
  /// c_n = <row n, x>.
  void multiply(std::span<T const> x, std::span<T> c) const { stream.multiply_transposed(T(1), x, c); }
  /// y = Σ_n c_n row n.
  void multiply_transposed(std::span<T const> c, std::span<T> y) const { stream.multiply(T(1), c, y); }
  layer_vectors<T> layer_view() const { return stream.view(); }

 private:
  using vectors = detail::kept_stream<T, Objective, R>;
  vectors stream;
};

}  // namespace kappa::inline KAPPA_ARCH
