#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <kappa/derive/context.hpp>
#include <kappa/derive/step.hpp>
#include <kappa/kernels/factors.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The root V, [P, N K], of a mini-batch's Gauss-Newton matrix V Vᵀ. V is never formed: it is applied from the
/// layers' inputs and back-propagated vectors, which lie in the workspace. Columns are (sample, root), sample-major.
/// A cheap handle: it keeps an owning workspace alive, and is valid until the next derivation into it.
template <real T, objective_type Objective, request R>
class ggn_root {
 public:
  using value_type = T;

  ggn_root(detail::context<T> const& c, std::shared_ptr<void const> owner) : at(c), memory(std::move(owner)) {}

  std::size_t rows() const { return static_cast<std::size_t>(Objective::parameter_count); }
  std::size_t columns() const { return at.samples * static_cast<std::size_t>(Objective::root_columns); }
  /// VᵀV, row-major [columns, columns].
  std::span<T const> gram() const { return {at.gram, columns() * columns()}; }

  /// The part of VᵀV that comes from one parameter: the Gram matrix of its diagonal block of V Vᵀ. Allocates.
  matrix<T> gram_of(std::size_t parameter) const {
    auto g = zeros<T>(columns(), columns());
    each<stream_kind::root>([&]<detail::parameter_signature W>(std::size_t offset, T const* a, T const* s) {
      if (Objective::network::parameters[parameter].offset != static_cast<int>(offset)) return;
      using kernel = kernels::factors<T, W.inputs, W.outputs>;
      std::vector<T> scratch(kernel::gram_scratch(at.samples, per_sample, W.positions, threads()));
      kernel::gram(at.samples, per_sample, W.positions, a, s, W.bias, g.data(), scratch.data());
    });
    kernels::mirror(g.data(), columns());
    return g;
  }

  /// y = V c. Costs two passes over the layers' vectors and one gradient's products.
  void multiply(std::span<T const> c, std::span<T> y) const {
    std::fill(y.begin(), y.end(), T(0));
    each<stream_kind::root>([&]<detail::parameter_signature W>(std::size_t offset, T const* a, T const* s) {
      using kernel = kernels::factors<T, W.inputs, W.outputs>;
      std::vector<T> scratch(kernel::apply_scratch(at.samples, W.positions, threads()));
      T* const to = y.data() + offset;
      kernel::combine(at.samples, per_sample, W.positions, a, s, c.data(), to, W.bias ? to + weight<W> : nullptr,
                      scratch.data());
    });
  }

  /// c = Vᵀ x.
  void multiply_transposed(std::span<T const> x, std::span<T> c) const { project<stream_kind::root>(per_sample, x, c); }

  /// c_n = <row n of per_sample_gradient, x>, [N], without forming the rows; for derivations with a gradient.
  void multiply_gradients(std::span<T const> x, std::span<T> c) const { project<stream_kind::first_order>(1, x, c); }

 private:
  static constexpr std::size_t per_sample = static_cast<std::size_t>(Objective::root_columns);
  template <detail::parameter_signature W>
  static constexpr std::size_t weight = static_cast<std::size_t>(W.inputs) * static_cast<std::size_t>(W.outputs);

  template <stream_kind Kind>
  void project(std::size_t columns_per_sample, std::span<T const> x, std::span<T> c) const {
    std::fill(c.begin(), c.end(), T(0));
    each<Kind>([&]<detail::parameter_signature W>(std::size_t offset, T const* a, T const* s) {
      using kernel = kernels::factors<T, W.inputs, W.outputs>;
      std::vector<T> scratch(kernel::apply_scratch(at.samples, W.positions, threads()));
      T const* const from = x.data() + offset;
      kernel::project(at.samples, columns_per_sample, W.positions, a, s, from, W.bias ? from + weight<W> : nullptr,
                      c.data(), scratch.data());
    });
  }

  // Calls f.operator()<signature>(offset, inputs, the stream's vectors) for every parameter.
  template <stream_kind Kind, class F>
  void each(F&& f) const {
    using network = typename Objective::network;
    using all = detail::steps<Objective, R>;
    static_assert(program<Objective, R>::streams.find(Kind) >= 0, "kappa: derive the gradient together with ggn");
    constexpr stream wanted = program<Objective, R>::streams.at[program<Objective, R>::streams.find(Kind)];
    [&]<unsigned... I>(std::integer_sequence<unsigned, I...>) {
      auto const one = [&]<unsigned Node>() {
        constexpr node x = network::nodes[Node];
        if constexpr (x.op == operation::dense) {
          constexpr auto parameter = static_cast<unsigned>(x.parameter);
          constexpr detail::operands o = all::places[Node];
          constexpr parameter_plan p = all::plan.parameters[parameter];
          if constexpr (o.completes) {
            constexpr detail::parameter_signature w = all::parameter_of(parameter);
            T const* const a = w.packed ? at.at(p.inputs) : at.value(o.a_value);
            T const* const s = at.at(w.packed ? p.adjoints : o.adjoint) +
                               static_cast<std::size_t>(wanted.first) * at.samples *
                                   static_cast<std::size_t>(w.positions) * static_cast<std::size_t>(w.outputs);
            f.template operator()<w>(static_cast<std::size_t>(o.offset), a, s);
          }
        }
      };
      (one.template operator()<I>(), ...);
    }
    (std::make_integer_sequence<unsigned, all::count>());
  }

  detail::context<T> at;
  std::shared_ptr<void const> memory;
};

}  // namespace kappa::inline KAPPA_ARCH
