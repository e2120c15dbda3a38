#pragma once
/// \file
/// The low-rank Gauss-Newton matrix of an objective, every source and partition, and what is derived from it, against
/// dense matrices of the reference in long double.

#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>
#include <kappa/methods/directional_newton.hpp>

#include "derive_check.hpp"

namespace kappa::test_low_rank {

namespace ref = kappa::reference;
using test_derive::agrees;
using test_derive::extended;
using test_derive::scaled;
using test_derive::widened;

inline matrix<double> narrowed(std::vector<extended> const& m, std::size_t n) {
  auto a = zeros<double>(n, n);
  for (std::size_t i = 0; i < m.size(); ++i) a.data()[i] = static_cast<double>(m[i]);
  return a;
}

/// Sample n of a batch alone.
template <class Objective>
ref::batch<extended> one_sample(ref::batch<extended> const& b, int n) {
  auto const cut = [&](auto const& v) {
    auto const size = static_cast<std::ptrdiff_t>(v.size()) / b.samples;
    return std::remove_cvref_t<decltype(v)>(v.begin() + n * size, v.begin() + (n + 1) * size);
  };
  ref::batch<extended> one{1};
  one.inputs = cut(b.inputs);
  one.labels = cut(b.labels);
  one.vectors = cut(b.vectors);
  return one;
}

inline extended dot(std::vector<extended> const& a, std::vector<extended> const& b) {
  extended total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

/// vᵀ M v.
inline extended quadratic_form(std::vector<extended> const& m, std::vector<extended> const& v) {
  extended total = 0;
  for (std::size_t i = 0; i < v.size(); ++i)
    for (std::size_t j = 0; j < v.size(); ++j) total += v[i] * m[i * v.size() + j] * v[j];
  return total;
}

/// `dense` with everything between parameters of different groups set to zero.
template <class Net>
std::vector<extended> blocks_of(std::vector<extended> dense, std::vector<int> const& group_of) {
  std::vector<int> group;
  for (std::size_t p = 0; p < Net::parameters.size(); ++p)
    group.insert(group.end(), static_cast<std::size_t>(Net::parameters[p].size()), group_of[p]);
  for (std::size_t i = 0; i < group.size(); ++i)
    for (std::size_t j = 0; j < group.size(); ++j)
      if (group[i] != group[j]) dense[i * group.size() + j] = 0;
  return dense;
}

/// A partition that puts every second parameter into a group of its own kind.
template <std::size_t... I>
constexpr auto alternating(std::index_sequence<I...>) {
  return groups<static_cast<int>(I % 2)...>;
}

template <class Entry>
void check_low_rank(Entry const& e, extended tolerance = 1e-11L) {
  using objective = typename Entry::objective;
  using net = typename objective::network;
  INFO("objective " << e.name);
  constexpr int samples = 4;
  constexpr auto parameters = static_cast<std::size_t>(net::parameter_count);
  constexpr std::size_t weights = net::parameters.size();
  static constexpr auto halves = alternating(std::make_index_sequence<weights>());

  auto const theta = ref::random_theta<net, double>(21);
  auto const wide_theta = widened(theta);
  auto const b = ref::random_batch<objective, double>(samples, 22, Entry::kind);
  auto wide = ref::random_batch<objective, extended>(samples, 22, Entry::kind);
  wide.inputs = widened(b.inputs);
  wide.vectors = widened(b.vectors);
  batch<double> const data = b.labels.empty() ? batch<double>(b.inputs, b.vectors) : batch<double>(b.inputs, b.labels);
  extended const rho = objective::scale(samples), rho_of_one = objective::scale(1);

  auto const q = derive<objective>(theta, data, gradient, ggn, ggn_from<full_root>, ggn_from<exact, per_layer>,
                                   ggn_from<exact, halves>, empirical_fisher, gradient_gram,
                                   ggn_from<monte_carlo<3>>(5), ggn_diagonal_from<full_root>,
                                   ggn_diagonal_from<empirical>, ggn_diagonal_from<monte_carlo<3>>(5),
                                   per_sample_ggn_diagonal, ekfac<expand>, ekfac<reduce_unaggregated>);

  // ---- sources ----------------------------------------------------------------------------------------------
  auto const dense = ref::ggn<objective, extended>(wide_theta, wide);
  agrees("the full root", widened(elements(to_dense(q[ggn_from<full_root>]))), dense, tolerance);
  if constexpr (std::same_as<typename objective::loss, cross_entropy_t>)
    CHECK(q[ggn_from<full_root>].root().columns() > q[ggn].root().columns());

  auto const rows = ref::per_sample_gradient<objective, extended>(wide_theta, wide);
  std::vector<extended> fisher(parameters * parameters), inner(samples * samples);
  for (std::size_t n = 0; n < samples; ++n) {
    for (std::size_t i = 0; i < parameters; ++i)
      for (std::size_t j = 0; j < parameters; ++j)
        fisher[i * parameters + j] += rows[n * parameters + i] * rows[n * parameters + j] / rho;
    for (std::size_t m = 0; m < samples; ++m)
      for (std::size_t i = 0; i < parameters; ++i)
        inner[n * samples + m] += rows[n * parameters + i] * rows[m * parameters + i];
  }
  agrees("the empirical Fisher matrix", widened(elements(to_dense(q[empirical_fisher]))), fisher, tolerance);
  agrees("the gradients' Gram matrix", widened(elements(q[gradient_gram])), inner, tolerance);
  auto const fisher_trace = [&] {
    extended total = 0;
    for (std::size_t n = 0; n < samples; ++n) total += inner[n * samples + n] / rho;
    return total;
  }();
  agrees("its Gram matrix carries the Fisher's scale", {trace(q[empirical_fisher])}, {fisher_trace}, tolerance);

  // ---- diagonals --------------------------------------------------------------------------------------------
  std::vector<extended> diagonal, fisher_diagonal;
  for (std::size_t p = 0; p < parameters; ++p) {
    diagonal.push_back(dense[p * parameters + p]);
    fisher_diagonal.push_back(fisher[p * parameters + p]);
  }
  agrees("diagonal by the full root", widened(q[ggn_diagonal_from<full_root>]), diagonal, tolerance);
  if constexpr (objective::terms == 1)  // with more, gradients of one sample's terms add up before they are squared
    agrees("diagonal of the empirical Fisher", widened(q[ggn_diagonal_from<empirical>]), fisher_diagonal, tolerance);
  std::vector<std::vector<extended>> of_sample;
  std::vector<extended> all_rows;
  for (int n = 0; n < samples; ++n) {
    of_sample.push_back(
        scaled(ref::ggn<objective, extended>(wide_theta, one_sample<objective>(wide, n)), rho / rho_of_one));
    for (std::size_t p = 0; p < parameters; ++p) all_rows.push_back(of_sample.back()[p * parameters + p]);
  }
  agrees("per-sample diagonals", widened(q[per_sample_ggn_diagonal].elements()), all_rows, tolerance);
  auto const drawn = to_dense(q[ggn_from<monte_carlo<3>>]);
  std::vector<extended> drawn_diagonal;
  for (std::size_t p = 0; p < parameters; ++p) drawn_diagonal.push_back(drawn(p, p));
  agrees("diagonal of the same draws", widened(q[ggn_diagonal_from<monte_carlo<3>>]), drawn_diagonal, tolerance);

  // ---- Gram matrices and partitions ---------------------------------------------------------------------------
  auto const root = q[ggn].root();
  std::vector<extended> columns_gram(root.columns() * root.columns()), sum_of_groups(columns_gram.size());
  {
    auto v = zeros<double>(root.columns(), parameters);
    for (std::size_t c = 0; c < root.columns(); ++c) {
      std::vector<double> unit(root.columns());
      unit[c] = 1;
      root.multiply(unit, std::span<double>(v.data() + c * parameters, parameters));
    }
    for (std::size_t c = 0; c < root.columns(); ++c)
      for (std::size_t d = 0; d < root.columns(); ++d)
        for (std::size_t p = 0; p < parameters; ++p)
          columns_gram[c * root.columns() + d] += static_cast<extended>(v(c, p)) * static_cast<extended>(v(d, p));
  }
  agrees("VᵀV", widened(root.gram()), columns_gram, tolerance);
  std::vector<int> layers, alternate;
  for (std::size_t p = 0; p < weights; ++p) {
    layers.push_back(static_cast<int>(p));
    alternate.push_back(static_cast<int>(p % 2));
  }
  auto const by_layer = q[ggn_from<exact, per_layer>];
  agrees("blocks of layers", widened(elements(to_dense(by_layer))), blocks_of<net>(dense, layers), tolerance);
  agrees("blocks of a partition", widened(elements(to_dense(q[ggn_from<exact, halves>]))),
         blocks_of<net>(dense, alternate), tolerance);
  for (std::size_t g = 0; g < by_layer.groups(); ++g) {
    auto const part = by_layer.group(g).root().gram();
    for (std::size_t i = 0; i < part.size(); ++i) sum_of_groups[i] += part[i];
  }
  agrees("Gram matrices of groups sum to the whole", sum_of_groups, widened(root.gram()), tolerance);

  // ---- directions -------------------------------------------------------------------------------------------
  constexpr std::size_t count = 3;
  auto const d = directional_derivatives_of(q, ggn, leading{count});
  auto const e_rows = directions_of(q[ggn], d);
  REQUIRE(d.count() == std::min<std::size_t>(count, rank(q[ggn])));
  auto const spectrum = lapack::symmetric_eigenvalues(narrowed(dense, parameters));
  std::vector<extended> slopes, curvatures, lambda, lambda_expected, mean_slopes, exact_slopes;
  for (std::size_t k = 0; k < d.count(); ++k) {
    std::vector<extended> direction;
    for (std::size_t p = 0; p < parameters; ++p) direction.push_back(e_rows(k, p));
    extended slope = 0;
    for (std::size_t n = 0; n < samples; ++n) {
      std::vector<extended> const row(rows.begin() + static_cast<std::ptrdiff_t>(n * parameters),
                                      rows.begin() + static_cast<std::ptrdiff_t>((n + 1) * parameters));
      slopes.push_back(samples * dot(direction, row));
      slope += dot(direction, row);
      curvatures.push_back(samples * quadratic_form(of_sample[n], direction));
    }
    exact_slopes.push_back(slope);
    mean_slopes.push_back(d.mean_slopes()(k));
    lambda.push_back(d.mean_curvatures()(k));
    lambda_expected.push_back(spectrum(k));
    agrees("a direction's curvature", {quadratic_form(dense, direction)}, {spectrum(k)}, tolerance);
  }
  auto const transposed = [](matrix<double> const& m) {
    std::vector<extended> v;
    for (std::size_t k = 0; k < m.shape(1); ++k)
      for (std::size_t n = 0; n < m.shape(0); ++n) v.push_back(m(n, k));
    return v;
  };
  agrees("slopes per sample", transposed(d.slopes), slopes, 100 * tolerance);
  agrees("curvatures per sample", transposed(d.curvatures), curvatures, 100 * tolerance);
  agrees("mean of the slopes = eᵀ∇L", mean_slopes, exact_slopes, 100 * tolerance);
  agrees("mean of the curvatures = λ", lambda, lambda_expected, 100 * tolerance);

  // ---- Newton steps -------------------------------------------------------------------------------------------
  auto const per_direction = [](directional_derivatives<double> const& of) {
    auto delta = zeros<double>(of.count());
    for (std::size_t k = 0; k < of.count(); ++k) delta(k) = 0.1 * static_cast<double>(k + 1);
    return delta;
  };
  auto const step = directional_newton_step_of(q, ggn, leading{count}, per_direction);
  std::vector<extended> expected(parameters);
  for (std::size_t k = 0; k < d.count(); ++k)
    for (std::size_t p = 0; p < parameters; ++p)
      expected[p] -= exact_slopes[k] / (lambda_expected[k] + 0.1L * static_cast<extended>(k + 1)) *
                     static_cast<extended>(e_rows(k, p));
  agrees("damped Newton step", widened(elements(step.step)), expected, 100 * tolerance);

  // With all directions and the same damping it is the projection's solve, (G + δ I)⁻¹ Π ∇L, group by group.
  auto const whole_step = directional_newton_step_of(
      q, ggn_from<exact, per_layer>, [](double) { return true; }, constant_damping{0.5});
  for (std::size_t g = 0; g < by_layer.groups(); ++g) {
    auto const at = by_layer.indices_of(g);
    std::vector<double> own_gradient, own_step;
    for (std::size_t i : at) {
      own_gradient.push_back(q[gradient][i]);
      own_step.push_back(whole_step.step(i));
    }
    // (G + δ) s + Π ∇L = 0, and G s sees only the range: G (G + δ) s = -G ∇L.
    auto const of_step = apply(by_layer.group(g), std::span<double const>(own_step));
    auto const left = apply(by_layer.group(g), of_step);
    auto const right = apply(by_layer.group(g), std::span<double const>(own_gradient));
    std::vector<extended> l, r;
    for (std::size_t i = 0; i < at.size(); ++i) {
      l.push_back(static_cast<extended>(left(i)) + 0.5L * static_cast<extended>(of_step(i)));
      r.push_back(-static_cast<extended>(right(i)));
    }
    if (test_derive::largest(r) > 0) agrees("Newton step of a group", l, r, 1e4L * tolerance);
  }

  // ---- EKFAC: the diagonal of the exact block in the factors' bases ---------------------------------------------
  auto const check_ekfac = [&](char const* what, auto const& got, ref::sharing how) {
    auto const factors = ref::kfac<objective, extended>(wide_theta, wide, how, ref::source::exact);
    std::size_t compared = 0;
    for (std::size_t p = 0; p < weights; ++p) {
      INFO(what << ", parameter " << p);
      auto const in = static_cast<std::size_t>(factors[p].inputs), out = static_cast<std::size_t>(factors[p].outputs);
      auto const u_a = lapack::symmetric_eigen(narrowed(factors[p].a, in));
      auto const u_b = lapack::symmetric_eigen(narrowed(factors[p].b, out));
      if (u_b.values(0) <= 0) continue;  // a layer without influence on the output
      auto const block = ref::block<net, extended>(dense, static_cast<int>(p));
      // Only distinct eigenvalues have their own vectors; compare the moments along those.
      auto const alone = [](eigen_decomposition<double> const& basis, std::size_t i) {
        double const least = 1e-6 * basis.values(0);
        return basis.values(i) > least && (i == 0 || basis.values(i - 1) - basis.values(i) > least) &&
               (i + 1 == basis.values.size() || basis.values(i) - basis.values(i + 1) > least);
      };
      auto const& moments = got.blocks()[p].block().basis_eigenvalues();
      std::vector<extended> mine, theirs;
      for (std::size_t i = 0; i < out; ++i)
        for (std::size_t j = 0; j < in; ++j) {
          if (!alone(u_b, i) || !alone(u_a, j)) continue;
          std::vector<extended> u;
          for (std::size_t r = 0; r < out; ++r)
            for (std::size_t c = 0; c < in; ++c)
              u.push_back(static_cast<extended>(u_b.vectors(i, r)) * static_cast<extended>(u_a.vectors(j, c)));
          mine.push_back(moments(i, j));
          theirs.push_back(quadratic_form(block, u));
        }
      if (!mine.empty()) agrees("EKFAC's moments", mine, theirs, 1e-8L);
      compared += mine.size();
      agrees("EKFAC's trace", {trace(got.blocks()[p])}, {[&] {
               extended total = 0;
               for (std::size_t i = 0; i < in * out; ++i) total += block[i * in * out + i];
               return total;
             }()},
             100 * tolerance);
    }
    CHECK(compared > 0);
  };
  check_ekfac("expand", q[ekfac<expand>], ref::sharing::expand);
  check_ekfac("reduce", q[ekfac<reduce_unaggregated>], ref::sharing::reduce);
}

}  // namespace kappa::test_low_rank
