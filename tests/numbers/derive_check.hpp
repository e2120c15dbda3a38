#pragma once
/// \file
/// Everything `derive` computes for an objective, against the reference in long double. Objectives are spread over
/// several test programs, because each costs seconds to compile.

#include <functional>
#include <type_traits>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>

#include "networks.hpp"
#include "reference.hpp"

namespace kappa::test_derive {

namespace ref = kappa::reference;
using ref::relative_error;
using extended = long double;

template <class Range>
std::vector<extended> widened(Range const& range) {
  std::vector<extended> v;
  for (auto const& e : range) v.push_back(static_cast<extended>(e));
  return v;
}

inline std::vector<extended> scaled(std::vector<extended> v, extended factor) {
  for (auto& e : v) e *= factor;
  return v;
}

/// The largest entry: 0 means that there is nothing to compare.
inline extended largest(std::vector<extended> const& v) {
  extended most = 0;
  for (extended e : v) most = std::max(most, std::abs(e));
  return most;
}

/// Checks a result, and that the same check sees a result off by a factor of 1.001: a wrong ρ, N or R would show.
inline void agrees(char const* what, std::vector<extended> const& got, std::vector<extended> const& expected,
                   extended tolerance) {
  INFO(what);
  CHECK(relative_error(got, expected) < tolerance);
  CHECK(relative_error(scaled(got, 1.001L), expected) > tolerance);
}

/// The spans of what lies beside a batch.
template <class T>
batch_side<T> spans_of(ref::side<T> const& s) {
  return {s.mask, s.adjacency, s.row_begin, s.column, s.weight, s.seed, s.statistics};
}

/// `prepare` may change a random batch before it is used: fill what lies `beside`, or the inputs with tokens.
template <class T, class Entry>
void check_objective(Entry const& e, extended tolerance = 2e-12L,
                     std::type_identity_t<std::function<void(ref::batch<T>&)>> const& prepare = {}) {
  using objective = typename Entry::objective;
  using net = typename objective::network;
  INFO("objective " << e.name);
  constexpr int samples = 3;
  constexpr auto parameters = static_cast<std::size_t>(net::parameter_count);

  auto const theta = ref::random_theta<net, T>(11);
  auto const wide_theta = widened(theta);
  auto b = ref::random_batch<objective, T>(samples, 12, Entry::kind);
  if (prepare) prepare(b);
  batch<T> data = b.labels.empty() ? batch<T>(b.inputs, b.vectors) : batch<T>(b.inputs, b.labels);
  data.side = spans_of(b.beside);
  // What the reference sees must be what derive sees: the same rounded numbers.
  ref::batch<extended> const rounded = ref::convert<extended>(b);

  auto const v = ref::random_vector<T>(net::parameter_count, 13), w = ref::random_vector<T>(net::parameter_count, 14);
  auto const q = derive<objective>(theta, data, loss_value, gradient, per_sample_gradient, per_sample_gradient_norms,
                                   gradient_variance, ggn, ggn_diagonal, ggn_vector_product(v),
                                   hessian_vector_product(w), kfac<expand>, kfac<reduce_unaggregated>,
                                   kfac<expand, empirical>, kfac<reduce_unaggregated, empirical>);

  // ---- first order ------------------------------------------------------------------------------------------
  agrees("loss", {static_cast<extended>(q[loss_value])}, {ref::loss<objective, extended>(wide_theta, rounded)},
         tolerance);
  auto const exact_gradient = ref::gradient<objective, extended>(wide_theta, rounded);
  agrees("gradient", widened(q[gradient]), exact_gradient, tolerance);
  agrees("gradient by differences", widened(q[gradient]), ref::gradient_by_differences<objective>(wide_theta, rounded),
         tolerance + 1e-12L);
  auto const rows = ref::per_sample_gradient<objective, extended>(wide_theta, rounded);
  agrees("per-sample gradient", widened(q[per_sample_gradient].elements()), rows, tolerance);

  std::vector<extended> norms(samples), variance(parameters);
  for (std::size_t n = 0; n < samples; ++n)
    for (std::size_t p = 0; p < parameters; ++p) {
      extended const row = rows[n * parameters + p];
      norms[n] += row * row;
      extended const deviation = samples * row - exact_gradient[p];
      variance[p] += deviation * deviation / samples;
    }
  for (auto& norm : norms) norm = std::sqrt(norm);
  agrees("per-sample gradient norms", widened(q[per_sample_gradient_norms]), norms, tolerance);
  agrees("gradient variance", widened(q[gradient_variance]), variance, 10 * tolerance);

  // ---- the Gauss-Newton matrix ------------------------------------------------------------------------------
  auto const dense = ref::ggn<objective, extended>(wide_theta, rounded);
  std::vector<extended> diagonal_of_dense, product(parameters);
  for (std::size_t p = 0; p < parameters; ++p) {
    diagonal_of_dense.push_back(dense[p * parameters + p]);
    for (std::size_t c = 0; c < parameters; ++c) product[p] += dense[p * parameters + c] * v[c];
  }
  agrees("ggn diagonal", widened(q[ggn_diagonal]), diagonal_of_dense, tolerance);
  agrees("ggn-vector product", widened(q[ggn_vector_product]), product, 10 * tolerance);

  auto const curvature = q[ggn];
  auto const direction = std::span<T const>(v);
  agrees("V Vᵀ v", widened(apply(curvature, direction)), product, 10 * tolerance);
  agrees("ggn to dense", widened(elements(to_dense(curvature))), dense, 10 * tolerance);

  auto as_matrix = zeros<double>(parameters, parameters);
  for (std::size_t i = 0; i < dense.size(); ++i) as_matrix.data()[i] = static_cast<double>(dense[i]);
  auto spectrum = widened(lapack::symmetric_eigenvalues(as_matrix));
  auto from_gram = widened(eigenvalues(curvature));
  spectrum.resize(std::max(from_gram.size(), spectrum.size()), 0);
  from_gram.resize(spectrum.size(), 0);
  agrees("eigenvalues from the Gram matrix", from_gram, spectrum, 10 * tolerance);

  T const damping = T(0.25);
  auto const solved = solve(curvature + damping * identity, direction);
  std::vector<extended> back(parameters);  // (dense + λ I) x must be v again
  for (std::size_t p = 0; p < parameters; ++p) {
    back[p] = damping * solved(p);
    for (std::size_t c = 0; c < parameters; ++c) back[p] += dense[p * parameters + c] * solved(c);
  }
  agrees("solve(ggn + λ I)", back, widened(v), 100 * tolerance);

  // ---- the Hessian ------------------------------------------------------------------------------------------
  agrees("hessian-vector product", widened(q[hessian_vector_product]),
         ref::hessian_times<objective>(wide_theta, rounded, widened(w)), 20 * tolerance + 1e-11L);

  // ---- K-FAC's factors --------------------------------------------------------------------------------------
  auto const factors_agree = [&](char const* what, auto const& got, ref::sharing how, ref::source from) {
    auto const expected = ref::kfac<objective, extended>(wide_theta, rounded, how, from);
    REQUIRE(got.size() == expected.size());
    for (std::size_t p = 0; p < got.size(); ++p) {
      INFO("parameter " << p);
      auto a = widened(got[p].inputs.elements());
      if (got[p].parameter.is_table()) {  // its A is diagonal
        auto const d = a;
        a.assign(d.size() * d.size(), 0);
        for (std::size_t i = 0; i < d.size(); ++i) a[i * (d.size() + 1)] = d[i];
      }
      agrees(what, a, expected[p].a, tolerance);
      if (largest(expected[p].b) == 0) {  // a layer without influence on the output
        CHECK(largest(widened(got[p].outputs.elements())) == 0);
      } else {
        agrees(what, widened(got[p].outputs.elements()), expected[p].b, tolerance);
      }
    }
  };
  factors_agree("expand", q.factors(kfac<expand>), ref::sharing::expand, ref::source::exact);
  factors_agree("reduce", q.factors(kfac<reduce_unaggregated>), ref::sharing::reduce, ref::source::exact);
  factors_agree("expand, empirical", q.factors(kfac<expand, empirical>), ref::sharing::expand, ref::source::empirical);
  factors_agree("reduce, empirical", q.factors(kfac<reduce_unaggregated, empirical>), ref::sharing::reduce,
                ref::source::empirical);
}

}  // namespace kappa::test_derive
