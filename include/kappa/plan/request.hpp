#pragma once
/// \file
/// The set of quantities asked for, as one value, and the streams of vectors that must travel backward for it.

#include <kappa/plan/quantity.hpp>

namespace kappa {

/// One K-FAC among the requested quantities.
struct kfac_request {
  kfac_mode mode = kfac_mode::expand;
  kfac_source source = kfac_source::exact;
  int samples = 0;
  constexpr bool operator==(kfac_request const&) const = default;
};

/// A set of quantities. Two derivations with equal requests are the same derivation.
struct request {
  static constexpr int kfac_capacity = 8;
  bool loss_value = false;
  bool gradient = false;
  bool per_sample_gradient = false;
  bool per_sample_gradient_norms = false;
  bool gradient_variance = false;
  bool ggn = false;
  bool ggn_diagonal = false;
  bool ggn_vector_product = false;
  bool hessian_vector_product = false;
  int kfacs = 0;
  kfac_request kfac[kfac_capacity]{};

  constexpr bool operator==(request const&) const = default;

  constexpr int find(kfac_request const& k) const {
    for (int i = 0; i < kfacs; ++i)
      if (kfac[i] == k) return i;
    return -1;
  }
  constexpr bool any_kfac(kfac_mode m) const {
    for (int i = 0; i < kfacs; ++i)
      if (kfac[i].mode == m) return true;
    return false;
  }
  /// How many directions are pushed forward: first the one of the Gauss-Newton product, then the Hessian's.
  constexpr int directions() const { return (ggn_vector_product ? 1 : 0) + (hessian_vector_product ? 1 : 0); }
  /// Whether some quantity is quadratic in the back-propagated vectors, so that a tied weight must see the
  /// vectors of all its uses together.
  constexpr bool quadratic() const {
    return per_sample_gradient_norms || gradient_variance || ggn || ggn_diagonal || kfacs > 0;
  }

  template <class Q>
  constexpr void include() {
    if constexpr (requires { Q::mode; }) {
      kfac_request const k{Q::mode, Q::source, Q::samples};
      if (find(k) < 0) kfac[kfacs++] = k;
    } else {
      loss_value |= std::same_as<Q, loss_value_t>;
      gradient |= std::same_as<Q, gradient_t>;
      per_sample_gradient |= std::same_as<Q, per_sample_gradient_t>;
      per_sample_gradient_norms |= std::same_as<Q, per_sample_gradient_norms_t>;
      gradient_variance |= std::same_as<Q, gradient_variance_t>;
      ggn |= std::same_as<Q, ggn_t>;
      ggn_diagonal |= std::same_as<Q, ggn_diagonal_t>;
      ggn_vector_product |= std::same_as<Q, ggn_vector_product_t>;
      hessian_vector_product |= std::same_as<Q, hessian_vector_product_t>;
    }
  }
};

/// The request of a list of quantities, whatever their order. At most eight different K-FACs.
template <class... Quantities>
constexpr request request_of() {
  request r;
  (r.include<static_detail::key_of_t<std::remove_cvref_t<Quantities>>>(), ...);
  return r;
}

/// What a stream of back-propagated vectors holds per sample.
enum class stream_kind {
  first_order,  ///< ρ ∇ℓ, one column
  ggn_product,  ///< ρ ∇²ℓ J v, one column
  hessian,      ///< the tangent of the gradient column along v
  monte_carlo,  ///< √(ρ/S) times the gradient at a drawn target, S columns
  root          ///< √ρ times the columns of the loss Hessian's root
};

struct stream {
  stream_kind kind = stream_kind::first_order;
  int columns = 0;
  int first = 0;  ///< columns of the streams before it
  constexpr bool operator==(stream const&) const = default;
};

/// The streams of one backward sweep. At every node their vectors lie one stream after the other, so that one
/// product takes all of them through a layer.
struct stream_set {
  static constexpr int capacity = 4 + request::kfac_capacity;
  int count = 0;
  int columns = 0;  ///< of all streams together
  stream at[capacity]{};

  constexpr bool operator==(stream_set const&) const = default;
  constexpr void include(stream_kind kind, int n) {
    at[count++] = {kind, n, columns};
    columns += n;
  }
  /// The index of the stream of a kind (and of that many columns), or -1.
  constexpr int find(stream_kind kind, int n = 0) const {
    for (int i = 0; i < count; ++i)
      if (at[i].kind == kind && (n == 0 || at[i].columns == n)) return i;
    return -1;
  }
  /// The stream a K-FAC takes its vectors from.
  constexpr int source_of(kfac_request const& k) const {
    if (k.source == kfac_source::exact) return find(stream_kind::root);
    if (k.source == kfac_source::empirical) return find(stream_kind::first_order);
    return find(stream_kind::monte_carlo, k.samples);
  }
};

/// The streams a request needs; `root_columns` are those of the exact root, per sample.
constexpr stream_set streams_of(request const& r, int root_columns) {
  stream_set s;
  bool actual_targets = false;
  bool roots = r.ggn || r.ggn_diagonal;
  for (int i = 0; i < r.kfacs; ++i) {
    actual_targets |= r.kfac[i].source == kfac_source::empirical;
    roots |= r.kfac[i].source == kfac_source::exact;
  }
  if (r.gradient || r.per_sample_gradient || r.per_sample_gradient_norms || r.gradient_variance ||
      r.hessian_vector_product || actual_targets)
    s.include(stream_kind::first_order, 1);
  if (r.ggn_vector_product) s.include(stream_kind::ggn_product, 1);
  if (r.hessian_vector_product) s.include(stream_kind::hessian, 1);
  for (int i = 0; i < r.kfacs; ++i)
    if (r.kfac[i].source == kfac_source::monte_carlo && s.find(stream_kind::monte_carlo, r.kfac[i].samples) < 0)
      s.include(stream_kind::monte_carlo, r.kfac[i].samples);
  if (roots) s.include(stream_kind::root, root_columns);
  return s;
}

}  // namespace kappa
