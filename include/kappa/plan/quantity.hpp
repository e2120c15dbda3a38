#pragma once
/// \file
/// The quantities that can be asked of an objective, as empty or nearly empty values. Every quantity carries the
/// scale ρ of its objective L = ρ Σ_n Σ_m ℓ(f_nm, y_nm).

#include <concepts>
#include <cstdint>
#include <span>

namespace kappa {

struct quantity_tag {};

/// L, one number.
struct loss_value_t : quantity_tag {};
inline constexpr loss_value_t loss_value{};

/// ∇L, [P].
struct gradient_t : quantity_tag {};
inline constexpr gradient_t gradient{};

/// Row n is the gradient of sample n's own part of L, ρ Σ_m ∇ℓ_nm: [N, P]; the rows sum to the gradient.
struct per_sample_gradient_t : quantity_tag {};
inline constexpr per_sample_gradient_t per_sample_gradient{};

/// The Euclidean norms of the rows of `per_sample_gradient`, [N], without forming them.
struct per_sample_gradient_norms_t : quantity_tag {};
inline constexpr per_sample_gradient_norms_t per_sample_gradient_norms{};

/// The population variance over samples of g_n = N · row n of `per_sample_gradient`, whose mean is the gradient:
/// (1/N) Σ_n (g_n - ∇L)², [P].
struct gradient_variance_t : quantity_tag {};
inline constexpr gradient_variance_t gradient_variance{};

/// The generalized Gauss-Newton matrix ρ Σ_n Σ_m J_nmᵀ ∇²ℓ_nm J_nm = V Vᵀ as an operator of low rank, exact.
struct ggn_t : quantity_tag {};
inline constexpr ggn_t ggn{};

/// The diagonal of the generalized Gauss-Newton matrix, [P], exact.
struct ggn_diagonal_t : quantity_tag {};
inline constexpr ggn_diagonal_t ggn_diagonal{};

/// A direction v, [P], for a product with a curvature matrix. The span must stay alive during `derive`.
template <class T>
struct ggn_vector_product_along : quantity_tag {
  std::span<T const> direction;
};
/// `ggn_vector_product(v)`: the product of the generalized Gauss-Newton matrix with v, [P].
struct ggn_vector_product_t : quantity_tag {
  template <class Vector>
  constexpr auto operator()(Vector const& v) const {
    using scalar = std::remove_cvref_t<decltype(*v.data())>;
    return ggn_vector_product_along<scalar>{{}, {v.data(), v.size()}};
  }
};
inline constexpr ggn_vector_product_t ggn_vector_product{};

template <class T>
struct hessian_vector_product_along : quantity_tag {
  std::span<T const> direction;
};
/// `hessian_vector_product(v)`: the product of the Hessian of L with v, [P] (Pearlmutter 1994).
struct hessian_vector_product_t : quantity_tag {
  template <class Vector>
  constexpr auto operator()(Vector const& v) const {
    using scalar = std::remove_cvref_t<decltype(*v.data())>;
    return hessian_vector_product_along<scalar>{{}, {v.data(), v.size()}};
  }
};
inline constexpr hessian_vector_product_t hessian_vector_product{};

/// How K-FAC treats the positions that share a weight (Eschenhagen et al. 2023, Eqs. 7 and 10).
enum class kfac_mode {
  expand,  ///< a position counts like a sample: for a loss at every position
  reduce   ///< positions are aggregated first: for a loss after an aggregation over positions
};
/// The vectors that K-FAC propagates back.
enum class kfac_source {
  exact,        ///< all columns of the loss Hessian's root: "type-2", the Gauss-Newton matrix
  monte_carlo,  ///< gradients at targets drawn from the model
  empirical     ///< the gradient at the actual targets: not the Fisher matrix
};
struct expand_t {
  static constexpr kfac_mode mode = kfac_mode::expand;
};
struct reduce_t {
  static constexpr kfac_mode mode = kfac_mode::reduce;
};
inline constexpr expand_t expand{};
inline constexpr reduce_t reduce{};
struct exact_t {
  static constexpr kfac_source source = kfac_source::exact;
  static constexpr int samples = 0;
};
struct empirical_t {
  static constexpr kfac_source source = kfac_source::empirical;
  static constexpr int samples = 0;
};
template <int Samples>
struct monte_carlo_t {
  static_assert(Samples >= 1, "kappa: monte_carlo wants at least one sample");
  static constexpr kfac_source source = kfac_source::monte_carlo;
  static constexpr int samples = Samples;
};
inline constexpr exact_t exact{};
inline constexpr empirical_t empirical{};
/// Draws per sample and loss term.
template <int Samples>
inline constexpr monte_carlo_t<Samples> monte_carlo{};

/// K-FAC: one block B ⊗ A per dense parameter, in homogeneous coordinates when it has a bias. Call it with a seed
/// for Monte Carlo sources: `kfac<expand, monte_carlo<1>>(seed)`. Requests with the same number of draws share
/// their draws, and the first one's seed.
template <class Mode, class Source>
struct kfac_t : quantity_tag {
  std::uint64_t seed = 0;
  static constexpr kfac_mode mode = Mode::mode;
  static constexpr kfac_source source = Source::source;
  static constexpr int samples = Source::samples;
  constexpr kfac_t operator()(std::uint64_t s) const { return {{}, s}; }
};
template <auto Mode, auto Source = exact>
inline constexpr kfac_t<std::remove_cvref_t<decltype(Mode)>, std::remove_cvref_t<decltype(Source)>> kfac{};

namespace static_detail {
// The tag by which a quantity is looked up: a product is asked for by name, whatever its direction was.
template <class Q>
struct key_of {
  using type = Q;
};
template <class T>
struct key_of<ggn_vector_product_along<T>> {
  using type = ggn_vector_product_t;
};
template <class T>
struct key_of<hessian_vector_product_along<T>> {
  using type = hessian_vector_product_t;
};
template <class Q>
using key_of_t = typename key_of<Q>::type;
}  // namespace static_detail

/// Something that can be passed to `derive`.
template <class Q>
concept quantity = std::derived_from<std::remove_cvref_t<Q>, quantity_tag>;

}  // namespace kappa
