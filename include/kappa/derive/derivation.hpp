#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <kappa/algebra/low_rank.hpp>
#include <kappa/derive/ekfac_matrix.hpp>
#include <kappa/derive/ggn_root.hpp>
#include <kappa/derive/grouped_ggn.hpp>
#include <kappa/derive/kfac_matrix.hpp>
#include <kappa/derive/nearest_kfac.hpp>
#include <kappa/derive/workspace.hpp>
#include <kappa/tensor/matrix_view.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

template <class Q>
constexpr bool is_kfac = requires {
  Q::mode;
};
template <class Q>
constexpr bool is_ekfac = requires {
  typename Q::factors;
};
template <class Q>
constexpr bool is_ggn = requires {
  typename Q::partition;
};
template <class Q>
constexpr bool is_diagonal = requires {
  Q::source;
}
&&!is_kfac<Q> && !is_ekfac<Q> && !is_ggn<Q>;

/// Whether a request holds a quantity.
template <request R, class Q>
constexpr bool holds = [] {
  if (std::same_as<Q, per_sample_gradient_operator_t>)  // needs no more than what others keep as well
    return R.keeps_vectors() && streams_of(R, {1, 1}).find(stream_kind::first_order) >= 0;
  request with = R;
  with.include<Q>();
  return with == R;
}();

template <class Q, class T, class Objective, request R>
auto result_type() {
  if constexpr (std::same_as<Q, loss_value_t>) {
    return double{};
  } else if constexpr (std::same_as<Q, per_sample_gradient_t> || std::same_as<Q, per_sample_ggn_diagonal_t>) {
    return matrix_view<T>{};
  } else if constexpr (std::same_as<Q, gradient_gram_t>) {
    return matrix<T>{};
  } else if constexpr (std::same_as<Q, per_sample_gradient_operator_t>) {
    return std::type_identity<per_sample_gradients<T, Objective, R>>{};
  } else if constexpr (is_ggn<Q>) {
    if constexpr (Q::partition::kind == partition_kind::whole) {
      return std::type_identity<low_rank<ggn_root<T, Objective, R>>>{};
    } else {
      return std::type_identity<grouped_ggn<T, Objective, R>>{};
    }
  } else if constexpr (is_ekfac<Q>) {
    return std::type_identity<ekfac_matrix<T>>{};
  } else if constexpr (is_kfac<Q>) {
    return std::type_identity<kfac_matrix<T>>{};
  } else {
    return std::span<T const>{};
  }
}
template <class R>
struct unwrapped {
  using type = R;
};
template <class R>
struct unwrapped<std::type_identity<R>> {
  using type = R;
};
template <class Q, class T, class Objective, request R>
using result_t = typename unwrapped<decltype(result_type<Q, T, Objective, R>())>::type;

}  // namespace detail

/// The results of one `derive`, looked up by quantity: `q[gradient]`. Asking for what was not derived does not
/// compile. Spans and views show the workspace's memory: of an owning derivation as long as it lives, of a
/// workspace of one's own until the next derivation into it; looking up after that throws invalid_value.
template <objective_type Objective, real T, request R>
class derivation {
 public:
  /// Of what `run(workspace)` returns, a context; built in its place, because a copy costs a tenth of a small network.
  template <class Run>
  derivation(std::shared_ptr<basic_workspace<Objective, T, R>> work, Run&& run)
      : memory(std::move(work)), at(run(*memory)), generation(memory->generation) {}

  std::size_t samples() const { return at.samples; }

  /// - loss_value: double;
  /// - gradient, gradient_variance, ggn_diagonal, ggn_vector_product, hessian_vector_product: span [P];
  /// - per_sample_gradient_norms: span [N]; per_sample_gradient, per_sample_ggn_diagonal: matrix_view [N, P];
  /// - gradient_gram: matrix [N, N], a copy;
  /// - ggn, ggn_from<source>, empirical_fisher: low_rank, [P, P] with N · K columns in its root;
  /// - ggn_from<source, partition>: grouped_ggn, a low_rank for every group of parameters;
  /// - per_sample_gradient_operator: per_sample_gradients, [N, P];
  /// - kfac<...>: kfac_matrix, which copies the factors; ekfac<...>: ekfac_matrix, which decomposes them.
  template <quantity Q>
  detail::result_t<static_detail::key_of_t<Q>, T, Objective, R> operator[](Q const&) const {
    using key = static_detail::key_of_t<Q>;
    static_assert(detail::holds<R, key>,
                  "kappa: this quantity was not derived: add it to the list of quantities that derive is given");
    if constexpr (!detail::holds<R, key>) {
      __builtin_unreachable();
    } else {
      current();
      return look_up<key>();
    }
  }

  /// The factors of a K-FAC that was derived, one pair per parameter, as views; with `separate_bias` a pair for each
  /// weight and one for its bias, whose input factor is the number one. Of a table A is its diagonal, [1, V].
  template <quantity Q>
  requires detail::is_kfac<Q> std::vector<kfac_factors<T>> factors(Q const&)
  const {
    static_assert(detail::holds<R, Q>,
                  "kappa: this K-FAC was not derived: add it to the list of quantities that derive is given");
    current();
    std::vector<kfac_factors<T>> all;
    if constexpr (detail::holds<R, Q>) {
      constexpr int index = R.find({Q::mode, Q::source, Q::samples});
      std::size_t p = 0;
      T const *a = nullptr, *b = nullptr;
      for (kfac_block const& block : blocks_of(Q::separate_bias)) {
        auto const in = static_cast<std::size_t>(block.parameter.inputs + (block.parameter.bias ? 1 : 0));
        std::size_t const rows = block.parameter.is_table() ? 1 : in;
        auto const out = static_cast<std::size_t>(block.parameter.outputs);
        if (block.part != kfac_part::bias_alone) {
          a = at.fixed + places::input_factors_of(Q::mode, Q::separate_bias) + places::input_factor[p];
          b = at.fixed + places::output_factors_of(index) + places::output_factor[p];
          ++p;
        }
        all.push_back({block.parameter, {a, rows, in}, {b, out, out}, block.part});
        a += in * in;  // a weight's is followed by its bias's
      }
    }
    return all;
  }

  /// The second moments Λ [out, in (+ 1)] of the vectors of an EKFAC that was derived, in bases of one's own: those of
  /// an earlier moment, for example. Row i of `left[p]` [out, out] and of `right[p]` [in (+ 1), in (+ 1)] is a basis
  /// vector of parameter p; of a table E [V, d], Λ is [d, V] and `right[p]` has no rows, [0, V], which stands for the
  /// natural basis. \throws shape_mismatch when a basis does not fit.
  template <quantity Q>
  requires detail::is_ekfac<Q> std::vector<matrix<T>> second_moments(Q const&, std::vector<matrix<T>> const& left,
                                                                     std::vector<matrix<T>> const& right)
  const {
    static_assert(detail::holds<R, Q>,
                  "kappa: this EKFAC was not derived: add it to the list of quantities that derive is given");
    current();
    if constexpr (detail::holds<R, Q>) {
      auto const vectors = ekfac_vectors<Q>();
      detail::require_length("the list of left bases", vectors.layers.size(), left.size());
      detail::require_length("the list of right bases", vectors.layers.size(), right.size());
      for (std::size_t p = 0; p < vectors.layers.size(); ++p) {
        auto const& l = vectors.layers[p];
        auto const out = lapack::detail::order_of(left[p]), in = detail::basis_order(right[p]);
        detail::require_length("a basis vector of the left basis", l.outputs, out);
        if (detail::is_natural(right[p]) != !l.uses.empty())
          throw shape_mismatch(std::string("a right basis ") +
                               (l.uses.empty() ? "with rows" : "without rows, [0, V],") + " was expected, one " +
                               (l.uses.empty() ? "without" : "with") + " rows came");
        detail::require_length("a basis vector of the right basis", l.inputs + (l.bias ? 1 : 0), in);
      }
      return detail::second_moments_in(left, right, vectors, ekfac_scale<Q>());
    } else {
      return {};
    }
  }

  /// The Kronecker-factored blocks that are nearest, in the Frobenius norm, to those of the matrix whose vectors an
  /// EKFAC keeps (the Gauss-Newton matrix, for an exact one): no K-FAC is nearer. By power iteration on the vectors,
  /// 4 · out · in · (out + in) flops a vector and iteration, so for comparison rather than for training.
  /// \throws not_converged naming the layer.
  template <quantity Q>
  requires detail::is_ekfac<Q> kfac_matrix<T> nearest_kfac(Q const&, nearest_kronecker_options o = {})
  const {
    static_assert(detail::holds<R, Q>,
                  "kappa: this EKFAC was not derived: add it to the list of quantities that derive is given");
    current();
    if constexpr (detail::holds<R, Q>) {
      return detail::nearest_kfac_of<T>(blocks_of(Q::factors::separate_bias), ekfac_vectors<Q>(), ekfac_scale<Q>(), o);
    } else {
      return kfac_matrix<T>({});
    }
  }

  /// The per-sample gradients on the parameters of group `group` of a Gauss-Newton quantity's partition: what
  /// `per_sample_gradient_operator` gives for all of them. Held by derivations of that quantity, and of a gradient or
  /// empirical quantity beside a Gauss-Newton matrix.
  template <quantity Q>
  requires detail::is_ggn<Q> per_sample_gradients<T, Objective, R> gradients_of(Q const&, int group)
  const {
    static_assert(detail::holds<R, per_sample_gradient_operator_t>,
                  "kappa: per-sample gradients were not kept: derive per_sample_gradient_operator as well");
    current();
    return {at, memory, request::request_for<Q>(), group};
  }

 private:
  using places = layout<Objective, R>;

  void current() const {
    if (memory->generation != generation)
      throw invalid_value("these results are those of derivation " + std::to_string(generation) +
                          ", the workspace has since run derivation " + std::to_string(memory->generation));
  }

  static std::vector<kfac_block> blocks_of(bool biases_apart) {
    return detail::kfac_blocks(Objective::network::parameters, biases_apart);
  }

  // A view lists layers in the order of nodes; tied weights make that another one than the parameters'.
  static layer_vectors<T> in_parameter_order(layer_vectors<T> v) {
    std::ranges::sort(v.layers, {}, &layer_vector<T>::first_row);
    return v;
  }

  template <class Q>
  layer_vectors<T> ekfac_vectors() const {
    constexpr int source = places::streams.source_of(Q::source, Q::samples);
    auto all = in_parameter_order(detail::kept_stream<T, Objective, R>(at, memory, source, {}, 0).view_for_kfac());
    if constexpr (Q::factors::separate_bias) all = detail::with_separate_biases(all);
    return all;
  }
  template <class Q>
  T ekfac_scale() const {
    return Q::source == curvature_source::empirical ? static_cast<T>(1 / at.scale) : T(1);
  }

  template <class Q>
  auto look_up() const {
    auto const flat = [&](std::size_t offset) {
      return std::span<T const>(at.fixed + offset, places::parameter_count);
    };
    if constexpr (std::same_as<Q, loss_value_t>) {
      double total = 0;
      for (std::size_t n = 0; n < at.samples; ++n)
        total += static_cast<double>(at.result(places::losses_per_sample)[n]);
      return at.scale * total;
    } else if constexpr (std::same_as<Q, gradient_t>) {
      return flat(places::gradient);
    } else if constexpr (std::same_as<Q, gradient_variance_t>) {
      return flat(places::variance);
    } else if constexpr (detail::is_diagonal<Q>) {
      constexpr int index = R.find(diagonal_request{Q::source, Q::samples});
      return flat(places::diagonal_of(index));
    } else if constexpr (std::same_as<Q, ggn_vector_product_t>) {
      return flat(places::ggn_product);
    } else if constexpr (std::same_as<Q, hessian_vector_product_t>) {
      return flat(places::hessian_product);
    } else if constexpr (std::same_as<Q, per_sample_gradient_norms_t>) {
      return std::span<T const>(at.result(places::norms_per_sample), at.samples);
    } else if constexpr (std::same_as<Q, per_sample_gradient_t>) {
      return matrix_view<T>{at.result(places::rows_per_sample), at.samples, places::parameter_count};
    } else if constexpr (std::same_as<Q, per_sample_ggn_diagonal_t>) {
      return matrix_view<T>{at.result(places::diagonals_per_sample), at.samples, places::parameter_count};
    } else if constexpr (std::same_as<Q, gradient_gram_t>) {
      // Kept at the empirical Fisher matrix's scale.
      constexpr int index = R.find(request::request_for<empirical_fisher_t>());
      auto const fisher = ggn_root<T, Objective, R>(at, memory, index, 0);
      auto g = zeros<T>(at.samples, at.samples);
      std::ranges::transform(fisher.gram(), g.data(), [&](T v) { return static_cast<T>(at.scale) * v; });
      return g;
    } else if constexpr (std::same_as<Q, per_sample_gradient_operator_t>) {
      return per_sample_gradients<T, Objective, R>(at, memory);
    } else if constexpr (detail::is_ggn<Q>) {
      constexpr int index = R.find(request::request_for<Q>());
      if constexpr (Q::partition::kind == partition_kind::whole) {
        return low_rank<ggn_root<T, Objective, R>>(ggn_root<T, Objective, R>(at, memory, index, 0));
      } else {
        return grouped_ggn<T, Objective, R>(at, memory, index);
      }
    } else if constexpr (detail::is_ekfac<Q>) {
      return detail::ekfac_from(factors(typename Q::factors{}), ekfac_vectors<Q>(), ekfac_scale<Q>());
    } else {
      return kfac_matrix<T>(factors(Q{}));
    }
  }

  std::shared_ptr<basic_workspace<Objective, T, R>> memory;
  detail::context<T> at;
  std::size_t generation;
};

}  // namespace kappa::inline KAPPA_ARCH
