#pragma once
/// \file
/// The quantities that can be asked of an objective, as empty or nearly empty values. Every quantity carries the
/// scale ρ of its objective L = ρ Σ_n Σ_m ℓ(f_nm, y_nm).

#include <concepts>
#include <cstdint>
#include <span>
#include <type_traits>

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
  expand,    ///< a position counts like a sample: for a loss at every position
  reduce,    ///< positions are aggregated first: for a loss after an aggregation over positions
  automatic  ///< for each parameter the one whose setting its network is: see plan/aggregation.hpp
};
/// The vectors whose outer products make a curvature matrix, and which travel backward for it.
enum class curvature_source {
  exact,         ///< the columns of the loss Hessian's root, as few as there can be: the Gauss-Newton matrix
  full_root,     ///< the same matrix from a root of C columns per loss term
  random_signs,  ///< that root's columns, added up over a sample's loss terms with random signs: as many columns as one
                 ///< loss term has, and the Gauss-Newton matrix in expectation; itself where there is one term
  monte_carlo,   ///< gradients at targets drawn from the model: the Gauss-Newton matrix in expectation
  empirical,     ///< the gradient at the actual targets: the empirical Fisher matrix, which is not the Fisher matrix
  forward_only   ///< no vectors: K-FAC with B = I, whatever the loss and its scale
};
struct expand_t {
  static constexpr kfac_mode mode = kfac_mode::expand;
};
/// Refused by derive for a network whose shared positions all come to the loss one by one.
struct reduce_t {
  static constexpr kfac_mode mode = kfac_mode::reduce;
  static constexpr bool wants_aggregation = true;
};
/// Reduce whatever the network: to measure how far off it is.
struct reduce_unaggregated_t {
  static constexpr kfac_mode mode = kfac_mode::reduce;
};
/// Reduce for the parameters whose positions become one on every way to the loss, expand for the others.
struct automatic_t {
  static constexpr kfac_mode mode = kfac_mode::automatic;
};
inline constexpr expand_t expand{};
inline constexpr reduce_t reduce{};
inline constexpr reduce_unaggregated_t reduce_unaggregated{};
inline constexpr automatic_t automatic{};
struct exact_t {
  static constexpr curvature_source source = curvature_source::exact;
  static constexpr int samples = 0;
};
struct full_root_t {
  static constexpr curvature_source source = curvature_source::full_root;
  static constexpr int samples = 0;
};
struct empirical_t {
  static constexpr curvature_source source = curvature_source::empirical;
  static constexpr int samples = 0;
};
template <int Samples>
struct monte_carlo_t {
  static_assert(Samples >= 1, "kappa: monte_carlo wants at least one sample");
  static constexpr curvature_source source = curvature_source::monte_carlo;
  static constexpr int samples = Samples;
};
template <int Draws>
struct random_signs_t {
  static_assert(Draws >= 1, "kappa: random_signs wants at least one draw");
  static constexpr curvature_source source = curvature_source::random_signs;
  static constexpr int samples = Draws;
};
struct forward_only_t {
  static constexpr curvature_source source = curvature_source::forward_only;
  static constexpr int samples = 0;
};
inline constexpr exact_t exact{};
inline constexpr full_root_t full_root{};
inline constexpr empirical_t empirical{};
inline constexpr forward_only_t forward_only{};
/// Draws of the signs of a sample's loss terms.
template <int Draws>
inline constexpr random_signs_t<Draws> random_signs{};
/// Draws per sample and loss term.
template <int Samples>
inline constexpr monte_carlo_t<Samples> monte_carlo{};

/// What a bias is to K-FAC.
struct joint_bias_t {
  static constexpr bool separate = false;
};
struct separate_bias_t {
  static constexpr bool separate = true;
};
/// The last column of [W b], whose input is one: one block B ⊗ A for both.
inline constexpr joint_bias_t joint_bias{};
/// A parameter of its own: a block B ⊗ A_ww for the weight and a block B for the bias, and nothing between them.
inline constexpr separate_bias_t separate_bias{};

namespace static_detail {
// A source for quantities that are made of vectors.
template <class Source>
struct vectors_of {
  static constexpr bool has_vectors = Source::source != curvature_source::forward_only;
  static_assert(has_vectors, "kappa: forward_only has no vectors, so it is a source of K-FAC's factors alone");
  using type = std::conditional_t<has_vectors, Source, exact_t>;  // so that no second error follows
};
template <auto Source>
using vectors_of_t = typename vectors_of<std::remove_cvref_t<decltype(Source)>>::type;
}  // namespace static_detail

/// Which parameters share a block of a low-rank curvature matrix.
enum class partition_kind { whole, per_layer, by_index };
/// One block: the whole matrix.
struct whole_t {
  static constexpr partition_kind kind = partition_kind::whole;
  static constexpr int const* group_of = nullptr;
  static constexpr int count = 1, length = 0;
};
/// A block for every parameter (weight with its bias).
struct per_layer_t {
  static constexpr partition_kind kind = partition_kind::per_layer;
  static constexpr int const* group_of = nullptr;
  static constexpr int count = 0, length = 0;
};
/// A partition of one's own: the group of every parameter, in declaration order, `groups<0, 0, 1>`. Groups are
/// numbered from 0 without gaps.
template <int... Group>
struct groups_t {
  static constexpr partition_kind kind = partition_kind::by_index;
  static constexpr int length = sizeof...(Group);
  static constexpr int table[length > 0 ? length : 1] = {Group...};
  static constexpr int const* group_of = table;
  static constexpr int count = [] {
    int most = -1;
    for (int g : {Group..., -1}) most = g > most ? g : most;
    return most + 1;
  }();
  static constexpr bool no_gaps = [] {
    for (int wanted = 0; wanted < count; ++wanted) {
      bool found = false;
      for (int g : table) found |= g == wanted;
      if (!found) return false;
    }
    return ((Group >= 0) && ...);
  }();
  static_assert(no_gaps, "kappa: groups are numbered from 0 without gaps");
};
inline constexpr whole_t whole{};
inline constexpr per_layer_t per_layer{};
template <int... Group>
inline constexpr groups_t<Group...> groups{};

/// The generalized Gauss-Newton matrix ρ Σ_n Σ_m J_nmᵀ ∇²ℓ_nm J_nm = V Vᵀ as an operator of low rank, from any source
/// of vectors, whole or as the diagonal blocks of a partition of the parameters.
template <class Source, class Partition>
struct ggn_from_t : quantity_tag {
  std::uint64_t seed = 0;
  using partition = Partition;
  static constexpr curvature_source source = Source::source;
  static constexpr int samples = Source::samples;
  /// The same with the seed of its draws; only Monte Carlo has any.
  constexpr ggn_from_t operator()(std::uint64_t s) const { return {{}, s}; }
};
/// `ggn_from<monte_carlo<1>>(seed)`, `ggn_from<exact, per_layer>`, `ggn_from<full_root>`, `ggn_from<exact, groups<0, 0,
/// 1>>`. Monte Carlo draws of equal number are shared with K-FAC's.
template <auto Source, auto Partition = whole>
inline constexpr ggn_from_t<static_detail::vectors_of_t<Source>, std::remove_cvref_t<decltype(Partition)>> ggn_from{};
using ggn_t = ggn_from_t<exact_t, whole_t>;
/// Exact and whole.
inline constexpr ggn_t ggn{};
/// ρ Σ_n g_n g_nᵀ with g_n the gradient of sample n's losses at the actual targets, as an operator of low rank with a
/// column per sample.
using empirical_fisher_t = ggn_from_t<empirical_t, whole_t>;
inline constexpr empirical_fisher_t empirical_fisher{};

/// The per-sample gradients as an operator [N, P] that is applied, never formed.
struct per_sample_gradient_operator_t : quantity_tag {};
inline constexpr per_sample_gradient_operator_t per_sample_gradient_operator{};

/// Inner products of the rows of `per_sample_gradient`, [N, N], without forming them.
struct gradient_gram_t : quantity_tag {};
inline constexpr gradient_gram_t gradient_gram{};

/// The diagonal of the generalized Gauss-Newton matrix, [P], from any source of vectors.
template <class Source>
struct ggn_diagonal_from_t : quantity_tag {
  std::uint64_t seed = 0;
  static constexpr curvature_source source = Source::source;
  static constexpr int samples = Source::samples;
  constexpr ggn_diagonal_from_t operator()(std::uint64_t s) const { return {{}, s}; }
};
/// `ggn_diagonal_from<monte_carlo<1>>(seed)`.
template <auto Source>
inline constexpr ggn_diagonal_from_t<static_detail::vectors_of_t<Source>> ggn_diagonal_from{};
using ggn_diagonal_t = ggn_diagonal_from_t<exact_t>;
/// Exact.
inline constexpr ggn_diagonal_t ggn_diagonal{};
/// Row n is sample n's own part of `ggn_diagonal`: [N, P]; the rows sum to it.
struct per_sample_ggn_diagonal_t : quantity_tag {};
inline constexpr per_sample_ggn_diagonal_t per_sample_ggn_diagonal{};

/// K-FAC: one block B ⊗ A per dense parameter, in homogeneous coordinates when it has a bias; with `separate_bias` two
/// blocks. A table of which positions read rows, as an embedding's, is a dense layer over one-hot rows, expanded in
/// every mode: A is the diagonal matrix of the rows' frequencies. Call it with a seed for sources that draw:
/// `kfac<expand, monte_carlo<1>>(seed)`. Requests with the same number of draws share their draws, and the first one's
/// seed.
template <class Mode, class Source, class Bias = joint_bias_t>
struct kfac_t : quantity_tag {
  std::uint64_t seed = 0;
  static constexpr kfac_mode mode = Mode::mode;
  static constexpr bool separate_bias = Bias::separate;
  static constexpr bool wants_aggregation = requires { Mode::wants_aggregation; };
  static constexpr curvature_source source = Source::source;
  static constexpr int samples = Source::samples;
  constexpr kfac_t operator()(std::uint64_t s) const { return {{}, s}; }
};
/// `kfac<automatic>`, `kfac<reduce, empirical>`, `kfac<expand, exact, separate_bias>`.
template <auto Mode, auto Source = exact, auto Bias = joint_bias>
inline constexpr kfac_t<std::remove_cvref_t<decltype(Mode)>, std::remove_cvref_t<decltype(Source)>,
                        std::remove_cvref_t<decltype(Bias)>>
    kfac{};

/// K-FAC's eigenbases with the second moments measured in them (EKFAC; George et al. 2018, arXiv:1806.03884): one block
/// (U_B ⊗ U_A) diag(Λ) (U_B ⊗ U_A)ᵀ per dense parameter, Λ = Σ over vectors of (U_Bᵀ T U_A)² with T the whole
/// pseudo-gradient of a column. Its two decompositions are made when it is looked up. `separate_bias` as with K-FAC.
template <class Mode, class Source, class Bias = joint_bias_t>
struct ekfac_t : quantity_tag {
  std::uint64_t seed = 0;
  using factors = kfac_t<Mode, Source, Bias>;
  static constexpr curvature_source source = Source::source;
  static constexpr int samples = Source::samples;
  constexpr ekfac_t operator()(std::uint64_t s) const { return {{}, s}; }
};
template <auto Mode, auto Source = exact, auto Bias = joint_bias>
inline constexpr ekfac_t<std::remove_cvref_t<decltype(Mode)>, static_detail::vectors_of_t<Source>,
                         std::remove_cvref_t<decltype(Bias)>>
    ekfac{};

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
