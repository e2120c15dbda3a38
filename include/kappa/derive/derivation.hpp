#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <kappa/algebra/low_rank.hpp>
#include <kappa/derive/ggn_root.hpp>
#include <kappa/derive/kfac_matrix.hpp>
#include <kappa/derive/workspace.hpp>
#include <kappa/tensor/matrix_view.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

template <class Q>
constexpr bool is_kfac = requires {
  Q::mode;
};

/// Whether a request holds a quantity.
template <request R, class Q>
constexpr bool holds = [] {
  request with = R;
  with.include<Q>();
  return with == R;
}();

template <class Q, class T, class Objective, request R>
auto result_type() {
  if constexpr (std::same_as<Q, loss_value_t>) {
    return double{};
  } else if constexpr (std::same_as<Q, per_sample_gradient_t>) {
    return matrix_view<T>{};
  } else if constexpr (std::same_as<Q, ggn_t>) {
    return std::type_identity<low_rank<ggn_root<T, Objective, R>>>{};
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
  derivation(std::shared_ptr<basic_workspace<Objective, T, R>> work, detail::context<T> const& c)
      : memory(std::move(work)), at(c), generation(memory->generation) {}

  std::size_t samples() const { return at.samples; }

  /// - loss_value: double;
  /// - gradient, gradient_variance, ggn_diagonal, ggn_vector_product, hessian_vector_product: span [P];
  /// - per_sample_gradient_norms: span [N]; per_sample_gradient: matrix_view [N, P];
  /// - ggn: low_rank, [P, P] with N · K columns in its root; kfac<...>: kfac_matrix, which copies the factors.
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

  /// The factors of a K-FAC that was derived, one pair per parameter, as views.
  template <quantity Q>
  requires detail::is_kfac<Q> std::vector<kfac_factors<T>> factors(Q const&)
  const {
    static_assert(detail::holds<R, Q>,
                  "kappa: this K-FAC was not derived: add it to the list of quantities that derive is given");
    current();
    std::vector<kfac_factors<T>> all;
    if constexpr (detail::holds<R, Q>) {
      constexpr int index = R.find({Q::mode, Q::source, Q::samples});
      for (std::size_t p = 0; p < places::parameters; ++p) {
        parameter const& w = Objective::network::parameters[p];
        auto const in = static_cast<std::size_t>(places::input_order(w));
        auto const out = static_cast<std::size_t>(w.outputs);
        all.push_back({w,
                       {at.fixed + places::input_factors_of(Q::mode) + places::input_factor[p], in, in},
                       {at.fixed + places::output_factors_of(index) + places::output_factor[p], out, out}});
      }
    }
    return all;
  }

 private:
  using places = layout<Objective, R>;

  void current() const {
    if (memory->generation != generation)
      throw invalid_value("these results are those of derivation " + std::to_string(generation) +
                          ", the workspace has since run derivation " + std::to_string(memory->generation));
  }

  template <class Q>
  auto look_up() const {
    auto const flat = [&](std::size_t offset) {
      return std::span<T const>(at.fixed + offset, places::parameter_count);
    };
    if constexpr (std::same_as<Q, loss_value_t>) {
      double total = 0;
      for (std::size_t n = 0; n < at.samples; ++n)
        total += static_cast<double>(at.per_sample[places::losses_per_sample * at.capacity + n]);
      return at.scale * total;
    } else if constexpr (std::same_as<Q, gradient_t>) {
      return flat(places::gradient);
    } else if constexpr (std::same_as<Q, gradient_variance_t>) {
      return flat(places::variance);
    } else if constexpr (std::same_as<Q, ggn_diagonal_t>) {
      return flat(places::diagonal);
    } else if constexpr (std::same_as<Q, ggn_vector_product_t>) {
      return flat(places::ggn_product);
    } else if constexpr (std::same_as<Q, hessian_vector_product_t>) {
      return flat(places::hessian_product);
    } else if constexpr (std::same_as<Q, per_sample_gradient_norms_t>) {
      return std::span<T const>(at.per_sample + places::norms_per_sample * at.capacity, at.samples);
    } else if constexpr (std::same_as<Q, per_sample_gradient_t>) {
      return matrix_view<T>{at.per_sample + places::rows_per_sample * at.capacity, at.samples, places::parameter_count};
    } else if constexpr (std::same_as<Q, ggn_t>) {
      return low_rank<ggn_root<T, Objective, R>>(ggn_root<T, Objective, R>(at, memory));
    } else {
      return kfac_matrix<T>(factors(Q{}));
    }
  }

  std::shared_ptr<basic_workspace<Objective, T, R>> memory;
  detail::context<T> at;
  std::size_t generation;
};

}  // namespace kappa::inline KAPPA_ARCH
