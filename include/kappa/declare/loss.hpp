#pragma once
/// \file
/// What a loss is: ℓ(f, y) of one loss term, its gradient, and roots of its curvature. A loss is not a layer: the
/// Gauss-Newton matrix is Jᵀ (∇²ℓ) J, so network and loss must stay apart. The losses themselves are in
/// classification_losses.hpp, regression_losses.hpp and ignore_index.hpp.

#include <concepts>
#include <span>
#include <type_traits>

#include <kappa/arch.hpp>

namespace kappa::inline KAPPA_ARCH {

/// What a loss term is compared with: a class index, or a vector of the loss's target size.
template <class T>
struct target {
  int label = -1;
  std::span<T const> values{};
};

struct loss_tag {};

namespace detail {
// What `sample` draws from, as far as the concept knows.
struct random_source {
  double uniform();
  double normal();
};
}  // namespace detail

/// A loss ℓ(f, y) on the last axis of the output. With C = f.size() and K = root_columns(C):
/// - `value(f, y)`, and `gradient(f, y, g)`: g = ∇ℓ, [C];
/// - `root(f, y, s)`: s is [K, C], and Σ_k s_k s_kᵀ = ∇²ℓ exactly;
/// - `hessian_times(f, y, v, u)`: u = ∇²ℓ v, [C];
/// - `sample(f, random, g)`: g = -∇ log p(ỹ | f) for a target ỹ the model itself draws, so that E[g gᵀ] = ∇²ℓ, or
///   E[∇²ℓ] where ∇²ℓ depends on the target. Or `sample(f, y, random, g)`, with E[g gᵀ] = ∇²ℓ at y, for a loss that
///   is no -log p. `random` has `uniform()` in [0, 1) and `normal()`;
/// - `smallest_output`, `takes_labels`, `takes_vectors`, `name`; `fault_of(y)` says what is wrong with a vector
///   target, or nullptr.
///
/// A loss may also have
/// - `full_root_columns(C)` and `full_root(f, y, s)`: another root with more columns of the same matrix;
/// - `fisher_times(f, y, v, u)`, where ℓ is not convex in f: u = F v with the Fisher matrix F = E[∇²ℓ] over targets of
///   the model's own. Then the roots are those of F, and all Gauss-Newton quantities have F in place of ∇²ℓ;
/// - `target_size(C)`: numbers in a vector target, C without it;
/// - `outputs_for(C)`: C if it takes so many outputs, otherwise the number it would take;
/// - `ignores(label)`: whether a term with this label counts as nothing, in the domain or not;
/// - `weight(y)`: the term's weight in the reduction `weighted_mean`, 1 without it.
template <class L>
concept loss = std::is_base_of_v<loss_tag, L> && std::is_empty_v<L> &&
    requires(std::span<double const> f, target<double> y, std::span<double> g) {
  { L::value(f, y) } -> std::same_as<double>;
  L::gradient(f, y, g);
  L::root(f, y, g);
  L::hessian_times(f, y, f, g);
  { L::root_columns(2) } -> std::same_as<int>;
  { L::smallest_output } -> std::convertible_to<int>;
  { L::takes_labels } -> std::convertible_to<bool>;
  { L::takes_vectors } -> std::convertible_to<bool>;
  { L::name } -> std::convertible_to<char const*>;
  { L::fault_of(f) } -> std::same_as<char const*>;
} &&(
    requires(std::span<double const> f, std::span<double> g, detail::random_source& random) {
      L::template sample<double>(f, random, g);
    } ||
    requires(std::span<double const> f, target<double> y, std::span<double> g, detail::random_source& random) {
      L::template sample<double>(f, y, random, g);
    });

namespace detail {

/// Whether Gauss-Newton quantities have the Fisher matrix of one loss term in place of its Hessian.
template <loss L>
inline constexpr bool has_fisher = requires(std::span<double const> f, target<double> y, std::span<double> u) {
  L::fisher_times(f, y, f, u);
};

/// u = Σ_k s_k s_kᵀ v: the loss term's part of the Gauss-Newton matrix.
template <loss L, class T>
void curvature_times(std::span<T const> f, target<T> y, std::span<T const> v, std::span<T> u) {
  if constexpr (has_fisher<L>) {
    L::template fisher_times<T>(f, y, v, u);
  } else {
    L::template hessian_times<T>(f, y, v, u);
  }
}

/// Numbers in a vector target.
template <loss L>
constexpr int target_size(int outputs) {
  if constexpr (requires { L::target_size(outputs); }) {
    return L::target_size(outputs);
  } else {
    return outputs;
  }
}

/// Whether loss terms with this label count as nothing.
template <loss L>
constexpr bool ignores([[maybe_unused]] int label) {
  if constexpr (requires { L::ignores(label); }) {
    return L::ignores(label);
  } else {
    return false;
  }
}

/// A loss term's weight in `weighted_mean`.
template <loss L, class T>
T weight_of([[maybe_unused]] target<T> y) {
  if constexpr (requires { L::weight(y); }) {
    return L::weight(y);
  } else {
    return T(1);
  }
}

/// One draw of g with E[g gᵀ] as the concept says.
template <loss L, class T, class Random>
void sample_of(std::span<T const> f, [[maybe_unused]] target<T> y, Random& random, std::span<T> g) {
  if constexpr (requires { L::template sample<T>(f, y, random, g); }) {
    L::template sample<T>(f, y, random, g);
  } else {
    L::template sample<T>(f, random, g);
  }
}

}  // namespace detail
}  // namespace kappa::inline KAPPA_ARCH
