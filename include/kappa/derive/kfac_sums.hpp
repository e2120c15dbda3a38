#pragma once
/// \file
/// The sums over samples that K-FAC's factors are made of: what batches, threads and files exchange.

#include <cstddef>
#include <string>
#include <vector>

#include <kappa/tensor/array.hpp>
#include <kappa/tensor/errors.hpp>

namespace kappa::inline KAPPA_ARCH {

/// What one layer's factors are the means of: Σ a aᵀ over samples (already averaged over positions as its K-FAC says)
/// and Σ g gᵀ with the vectors of the loss itself, ρ = 1.
struct kfac_layer_sums {
  std::string title;       ///< the layer in a sentence
  matrix<double> inputs;   ///< A times `weight`, [in (+ 1), in (+ 1)]; of a table its diagonal, [1, V]
  matrix<double> outputs;  ///< B / ρ, [out, out]
  double weight = 0;  ///< what A is a mean over: N; with padding, or of a table, Σ R_n valid positions, or Σ R_n²
};

/// Sums over `samples` samples, in double: a commutative monoid under `merge`.
struct kfac_sums {
  std::size_t samples = 0;
  std::size_t batches = 0;  ///< appended so far: numbers the seeds of Monte Carlo draws
  std::vector<kfac_layer_sums> layers;
};

namespace detail {

inline void add_to(matrix<double>& to, matrix<double> const& from) {
  for (std::size_t i = 0; i < to.size(); ++i) to.data()[i] += from.data()[i];
}

/// Throws unless both are sums of the same layers.
inline void check_same_sums(kfac_sums const& x, kfac_sums const& y) {
  if (x.layers.size() != y.layers.size())
    throw shape_mismatch("K-FAC sums of " + std::to_string(x.layers.size()) + " layers were expected, " +
                         std::to_string(y.layers.size()) + " came");
  auto const said = [](kfac_layer_sums const& l) {
    bool const diagonal = l.inputs.shape(0) != l.inputs.shape(1);
    return l.title + ", factors of order " + std::to_string(l.inputs.shape(1)) +
           (diagonal ? ", diagonal, and " : " and ") + std::to_string(l.outputs.shape(0));
  };
  for (std::size_t p = 0; p < x.layers.size(); ++p)
    if (auto const expected = said(x.layers[p]), came = said(y.layers[p]); expected != came)
      throw shape_mismatch("K-FAC sums: " + expected + ", was expected, " + came + ", came");
}

}  // namespace detail

/// Adds what `from` was summed over. \throws shape_mismatch when the layers are not the same; nothing has changed.
inline void merge(kfac_sums& into, kfac_sums const& from) {
  detail::check_same_sums(into, from);
  for (std::size_t p = 0; p < into.layers.size(); ++p) {
    detail::add_to(into.layers[p].inputs, from.layers[p].inputs);
    detail::add_to(into.layers[p].outputs, from.layers[p].outputs);
    into.layers[p].weight += from.layers[p].weight;
  }
  into.samples += from.samples;
  into.batches += from.batches;
}

}  // namespace kappa::inline KAPPA_ARCH
