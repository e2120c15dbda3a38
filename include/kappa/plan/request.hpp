#pragma once
/// \file
/// The set of quantities asked for, as one value, and the streams of vectors that must travel backward for it.

#include <kappa/plan/quantity.hpp>

namespace kappa {

/// One K-FAC among the requested quantities.
struct kfac_request {
  kfac_mode mode = kfac_mode::expand;
  curvature_source source = curvature_source::exact;
  int samples = 0;
  constexpr bool operator==(kfac_request const&) const = default;
};

/// One low-rank curvature matrix among the requested quantities, with its Gram matrices.
struct ggn_request {
  curvature_source source = curvature_source::exact;
  int samples = 0;
  partition_kind partition = partition_kind::whole;
  int const* group_of = nullptr;  ///< of every parameter, for partition_kind::by_index
  int count = 1;                  ///< of groups; 0 stands for the number of parameters
  int length = 0;                 ///< of group_of
  constexpr bool operator==(ggn_request const&) const = default;

  /// How many groups there are on a network with so many parameters, and which of them a parameter is in.
  constexpr int groups(int parameters) const { return partition == partition_kind::per_layer ? parameters : count; }
  constexpr int group(int parameter) const {
    if (partition == partition_kind::whole) return 0;
    return partition == partition_kind::per_layer ? parameter : group_of[parameter];
  }
};

/// One diagonal of the Gauss-Newton matrix among the requested quantities.
struct diagonal_request {
  curvature_source source = curvature_source::exact;
  int samples = 0;
  constexpr bool operator==(diagonal_request const&) const = default;
};

/// A set of quantities. Two derivations with equal requests are the same derivation.
struct request {
  static constexpr int kfac_capacity = 8;
  static constexpr int ggn_capacity = 8;
  static constexpr int diagonal_capacity = 4;
  bool loss_value = false;
  bool gradient = false;
  bool per_sample_gradient = false;
  bool per_sample_gradient_norms = false;
  bool gradient_variance = false;
  bool per_sample_ggn_diagonal = false;
  bool per_sample_gradient_operator = false;
  bool ggn_vector_product = false;
  bool hessian_vector_product = false;
  bool ekfac = false;
  int kfacs = 0;
  kfac_request kfac[kfac_capacity]{};
  /// Which input factors: a bit for each mode, and one for each with biases apart. No array: g++ 12 takes two requests
  /// for one whose arrays differ in where a single element is.
  unsigned kfac_inputs = 0;
  int ggns = 0;
  ggn_request ggn[ggn_capacity]{};
  int diagonals = 0;
  diagonal_request diagonal[diagonal_capacity]{};

  constexpr bool operator==(request const&) const = default;

  constexpr int find(kfac_request const& k) const { return find(k, kfac, kfacs); }
  constexpr int find(ggn_request const& g) const { return find(g, ggn, ggns); }
  constexpr int find(diagonal_request const& d) const { return find(d, diagonal, diagonals); }
  /// Whether layers' inputs and vectors are read after the sweep, so that their buffers must last.
  constexpr bool keeps_vectors() const { return ggns > 0 || ekfac || per_sample_gradient_operator; }
  /// Whether some quantity wants the vectors of a convolution under a pool at all positions, most of which are zero.
  constexpr bool all_positions() const {
    return ggns > 0 || per_sample_gradient_operator || per_sample_gradient || gradient_variance;
  }
  constexpr bool any_kfac(kfac_mode m) const {
    for (int i = 0; i < kfacs; ++i)
      if (kfac[i].mode == m) return true;
    return false;
  }
  /// Whether input factors of a mode are wanted, with the bias among the inputs or as a parameter of its own.
  constexpr bool any_kfac(kfac_mode m, bool apart) const { return (kfac_inputs & input_kind(m, apart)) != 0; }
  /// How many directions are pushed forward: first the one of the Gauss-Newton product, then the Hessian's.
  constexpr int directions() const { return (ggn_vector_product ? 1 : 0) + (hessian_vector_product ? 1 : 0); }
  /// Whether some quantity is quadratic in the back-propagated vectors, so that a tied weight must see the
  /// vectors of all its uses together.
  constexpr bool quadratic() const {
    return per_sample_gradient_norms || gradient_variance || per_sample_ggn_diagonal || ggns > 0 || diagonals > 0 ||
           kfacs > 0 || per_sample_gradient_operator;
  }

  /// Whether some quantity wants the vectors of a table's elements, most of which are zero, sample by sample.
  /// Gradients, products and K-FACs do not: they need no more than the rows that were read.
  constexpr bool whole_tables() const {
    return per_sample_gradient || per_sample_gradient_norms || gradient_variance || per_sample_ggn_diagonal ||
           per_sample_gradient_operator || ggns > 0 || diagonals > 0;
  }

  /// Whether it asks for nothing but what is linear in the whole batch's vectors: what is left where samples are
  /// coupled.
  constexpr bool whole_batch_only() const {
    request left;
    left.loss_value = loss_value;
    left.gradient = gradient;
    left.ggn_vector_product = ggn_vector_product;
    left.hessian_vector_product = hessian_vector_product;
    return left == *this;
  }

  template <class Q>
  constexpr void include() {
    if constexpr (requires { Q::mode; }) {
      add({Q::mode, Q::source, Q::samples}, kfac, kfacs);
      kfac_inputs |= input_kind(Q::mode, Q::separate_bias);
    } else if constexpr (requires { typename Q::factors; }) {
      include<typename Q::factors>();
      ekfac = true;
    } else if constexpr (requires { typename Q::partition; }) {
      add(request_for<Q>(), ggn, ggns);
    } else if constexpr (std::same_as<Q, gradient_gram_t>) {
      include<empirical_fisher_t>();  // the same matrix but for its scale
    } else if constexpr (requires { Q::source; }) {
      add({Q::source, Q::samples}, diagonal, diagonals);
    } else {
      loss_value |= std::same_as<Q, loss_value_t>;
      gradient |= std::same_as<Q, gradient_t>;
      per_sample_gradient |= std::same_as<Q, per_sample_gradient_t>;
      per_sample_gradient_norms |= std::same_as<Q, per_sample_gradient_norms_t>;
      gradient_variance |= std::same_as<Q, gradient_variance_t>;
      per_sample_gradient_operator |= std::same_as<Q, per_sample_gradient_operator_t>;
      per_sample_ggn_diagonal |= std::same_as<Q, per_sample_ggn_diagonal_t>;
      ggn_vector_product |= std::same_as<Q, ggn_vector_product_t>;
      hessian_vector_product |= std::same_as<Q, hessian_vector_product_t>;
    }
  }

  /// What a quantity with a partition asks for.
  template <class Q>
  static constexpr ggn_request request_for() {
    using partition = typename Q::partition;
    return {Q::source, Q::samples, partition::kind, partition::group_of, partition::count, partition::length};
  }

 private:
  static constexpr unsigned input_kind(kfac_mode m, bool apart) {
    return 1u << (2 * static_cast<int>(m) + (apart ? 1 : 0));
  }
  template <class One>
  static constexpr int find(One const& wanted, One const* all, int count) {
    for (int i = 0; i < count; ++i)
      if (all[i] == wanted) return i;
    return -1;
  }
  template <class One>
  static constexpr void add(One const& wanted, One* all, int& count) {
    if (find(wanted, all, count) < 0) all[count++] = wanted;
  }
};

/// The request of a list of quantities. At most eight different K-FACs, eight Gauss-Newton matrices, four diagonals.
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
  root,         ///< √ρ times the columns of the loss Hessian's root
  wide_root,    ///< √ρ times the columns of its root of C columns per loss term
  random_signs  ///< for each of S draws √(ρ/S) times sums over the loss terms of the root's columns, ± each
};

struct stream {
  stream_kind kind = stream_kind::first_order;
  int columns = 0;
  int first = 0;    ///< columns of the streams before it
  int samples = 0;  ///< draws, where there are any
  constexpr bool operator==(stream const&) const = default;
};

/// The streams of one backward sweep. At every node their vectors lie one stream after the other, so that one
/// product takes all of them through a layer.
struct stream_set {
  static constexpr int capacity = 5 + request::kfac_capacity + request::ggn_capacity + request::diagonal_capacity;
  int count = 0;
  int columns = 0;  ///< of all streams together
  stream at[capacity]{};

  constexpr bool operator==(stream_set const&) const = default;
  constexpr void include(stream_kind kind, int n, int samples = 0) {
    if (find(kind, samples) >= 0) return;
    at[count++] = {kind, n, columns, samples};
    columns += n;
  }
  /// The index of the stream of a kind (and of that many draws), or -1.
  constexpr int find(stream_kind kind, int samples = 0) const {
    for (int i = 0; i < count; ++i)
      if (at[i].kind == kind && (samples == 0 || at[i].samples == samples)) return i;
    return -1;
  }
  /// The stream that a curvature matrix takes its vectors from, -1 when it takes none.
  constexpr int source_of(curvature_source source, int samples) const {
    switch (source) {
      case curvature_source::exact:
        return find(stream_kind::root);
      case curvature_source::full_root:
        return find(stream_kind::wide_root);
      case curvature_source::empirical:
        return find(stream_kind::first_order);
      case curvature_source::random_signs:
        return find(stream_kind::random_signs, samples);
      case curvature_source::forward_only:
        return -1;
      case curvature_source::monte_carlo:
        break;
    }
    return find(stream_kind::monte_carlo, samples);
  }
  constexpr int source_of(auto const& one) const { return source_of(one.source, one.samples); }
};

/// The columns per sample of the two exact roots, and the loss terms that they are of.
struct root_widths {
  int fewest = 0;
  int full = 0;
  int terms = 1;
};

/// The streams a request needs, in a fixed order of kinds.
constexpr stream_set streams_of(request const& r, root_widths roots) {
  stream_set s;
  auto const each_source = [&](auto&& f) {
    for (int i = 0; i < r.kfacs; ++i) f(r.kfac[i].source, r.kfac[i].samples);
    for (int i = 0; i < r.ggns; ++i) f(r.ggn[i].source, r.ggn[i].samples);
    for (int i = 0; i < r.diagonals; ++i) f(r.diagonal[i].source, r.diagonal[i].samples);
    if (r.per_sample_ggn_diagonal) f(curvature_source::exact, 0);
  };
  auto const wants = [&](curvature_source wanted) {
    bool found = false;
    each_source([&](curvature_source source, int) { found |= source == wanted; });
    return found;
  };
  if (r.gradient || r.per_sample_gradient || r.per_sample_gradient_norms || r.gradient_variance ||
      r.hessian_vector_product || r.per_sample_gradient_operator || wants(curvature_source::empirical))
    s.include(stream_kind::first_order, 1);
  if (r.ggn_vector_product) s.include(stream_kind::ggn_product, 1);
  if (r.hessian_vector_product) s.include(stream_kind::hessian, 1);
  each_source([&](curvature_source source, int samples) {
    if (source == curvature_source::monte_carlo) s.include(stream_kind::monte_carlo, samples, samples);
    if (source == curvature_source::random_signs)
      s.include(stream_kind::random_signs, samples * (roots.fewest / roots.terms), samples);
  });
  if (wants(curvature_source::exact)) s.include(stream_kind::root, roots.fewest);
  if (wants(curvature_source::full_root)) s.include(stream_kind::wide_root, roots.full);
  // Inputs alone want no vectors, but a backward sweep to be met on.
  if (s.count == 0 && wants(curvature_source::forward_only)) s.include(stream_kind::first_order, 1);
  return s;
}

}  // namespace kappa
