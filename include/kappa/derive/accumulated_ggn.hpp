#pragma once
/// \file
/// The low-rank curvature matrix of more samples than one batch holds: exactly, by appending every batch's columns to
/// the root, or truncated to a fixed rank with a bound on what was lost.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <kappa/algebra/block_krylov.hpp>
#include <kappa/algebra/low_rank.hpp>
#include <kappa/derive/derive.hpp>

namespace kappa::inline KAPPA_ARCH {

namespace detail {

/// One batch's layers, owned.
template <real T>
struct owned_layers {
  std::vector<std::vector<T>> storage;
  layer_vectors<T> view;

  explicit owned_layers(layer_vectors<T> const& from) : view(from) {
    for (auto& layer : view.layers) {
      auto const rows = from.samples * layer.positions;
      storage.emplace_back(layer.a, layer.a + rows * layer.inputs);
      layer.a = storage.back().data();
      storage.emplace_back(layer.s, layer.s + rows * from.per_sample * layer.outputs);
      layer.s = storage.back().data();
    }
  }
};

/// y += factor X c over one batch's columns c.
template <real T>
void add_columns(layer_vectors<T> const& x, T factor, T const* c, std::span<T> y) {
  std::vector<T> u, w;
  for (auto const& l : x.layers) {
    std::size_t const row = l.positions * l.outputs, rows = x.samples * l.positions;
    u.assign(x.samples * row, T(0));
    for (std::size_t n = 0; n < x.samples; ++n)
      for (std::size_t k = 0; k < x.per_sample; ++k) {
        T const weight = factor * c[n * x.per_sample + k];
        T const* const from = l.s + (n * x.per_sample + k) * row;
        for (std::size_t e = 0; e < row; ++e) u[n * row + e] += weight * from[e];
      }
    T* const to = y.data() + l.first_row;
    lapack::gemm(true, false, l.outputs, l.inputs, rows, T(1), u.data(), l.a, T(1), to);
    if (l.bias)
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t o = 0; o < l.outputs; ++o) to[l.inputs * l.outputs + o] += u[r * l.outputs + o];
  }
}

/// c = factor Xᵀ y over one batch's columns.
template <real T>
void project_columns(layer_vectors<T> const& x, T factor, std::span<T const> y, T* c) {
  std::fill(c, c + x.columns(), T(0));
  std::vector<T> z;
  for (auto const& l : x.layers) {
    std::size_t const row = l.positions * l.outputs, rows = x.samples * l.positions;
    T const* const from = y.data() + l.first_row;
    z.resize(rows * l.outputs);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t o = 0; o < l.outputs; ++o) z[r * l.outputs + o] = l.bias ? from[l.inputs * l.outputs + o] : T(0);
    lapack::gemm(false, true, rows, l.outputs, l.inputs, T(1), l.a, from, T(1), z.data());
    for (std::size_t n = 0; n < x.samples; ++n)
      for (std::size_t k = 0; k < x.per_sample; ++k) {
        T const* const s = l.s + (n * x.per_sample + k) * row;
        T total = 0;
        for (std::size_t e = 0; e < row; ++e) total += s[e] * z[n * row + e];
        c[n * x.per_sample + k] += factor * total;
      }
  }
}

}  // namespace detail

/// The root [P, Σ N_b K] of all batches appended so far: columns in the order they came. Owns what it needs.
template <real T>
class appended_root {
 public:
  using value_type = T;
  using batches = std::vector<std::shared_ptr<detail::owned_layers<T> const>>;

  appended_root(batches all, std::vector<T> batch_factors, matrix<T> g, std::size_t parameters)
      : parts(std::move(all)),
        factors(std::move(batch_factors)),
        values(std::make_shared<matrix<T> const>(std::move(g))),
        count(parameters) {}

  std::size_t rows() const { return count; }
  std::size_t columns() const { return values->shape(0); }
  matrix<T> const& gram() const { return *values; }
  /// y = V c, for one or more vectors c [count, columns] and y [count, rows].
  void multiply(std::span<T const> c, std::span<T> y) const {
    std::fill(y.begin(), y.end(), T(0));
    for (std::size_t i = 0; i < c.size() / columns(); ++i) {
      T const* from = c.data() + i * columns();
      for (std::size_t b = 0; b < parts.size(); from += parts[b++]->view.columns())
        detail::add_columns(parts[b]->view, factors[b], from, y.subspan(i * rows(), rows()));
    }
  }
  /// c = Vᵀ x, for one or more vectors.
  void multiply_transposed(std::span<T const> x, std::span<T> c) const {
    for (std::size_t i = 0; i < x.size() / rows(); ++i) {
      T* to = c.data() + i * columns();
      for (std::size_t b = 0; b < parts.size(); to += parts[b++]->view.columns())
        detail::project_columns(parts[b]->view, factors[b], x.subspan(i * rows(), rows()), to);
    }
  }

 private:
  batches parts;
  std::vector<T> factors;
  std::shared_ptr<matrix<T> const> values;
  std::size_t count;
};

/// Collects the exact low-rank matrix of a data set that comes in batches: V = [V_1 V_2 ...], so that V Vᵀ is that of
/// all samples together under the objective's own reduction. Memory: the Gram matrix of all columns, and per sample
/// every layer's inputs and vectors. Appending a batch costs its sweep and, per layer and earlier sample, 2 N R²
/// (inputs + K² outputs) flops.
///
///     appended_ggn<digits, float> all(theta);
///     for (...) all.append(batch);
///     auto const spectrum = eigenvalues(all.matrix());
template <objective_type Objective, real T, ggn_from_t Quantity = ggn>
class appended_ggn {
 public:
  /// At these parameters. \throws shape_mismatch, invalid_value as derive.
  template <class Theta>
  explicit appended_ggn(Theta const& parameters) : theta(parameters.data(), parameters.data() + parameters.size()) {
    detail::check_parameters<Objective>(std::span<T const>(theta), "parameters");
  }

  /// Samples so far.
  std::size_t samples() const { return total; }
  std::size_t columns() const { return order; }

  /// Appends a batch. Monte Carlo draws of batch i come from seed + i. \throws as derive; then nothing has changed.
  void append(batch<T> const& b) {
    auto quantity = Quantity;
    quantity.seed = seed_of(parts.size());
    auto const q = derive<detail::before_reduction<Objective>>(theta, b, quantity);
    auto const root = q[Quantity].root();
    // Kept at ρ = 1, because the scale of the whole is known at the end only.
    auto const factor = static_cast<T>(static_cast<double>(root.vectors_factor()) / std::sqrt(root.scale()));
    auto part = std::make_shared<detail::owned_layers<T> const>(root.layer_view());
    std::size_t const own = part->view.columns(), grown = order + own;
    std::vector<T> larger(grown * grown);
    for (std::size_t i = 0; i < order; ++i) std::copy_n(gram.data() + i * order, order, larger.data() + i * grown);
    std::size_t at = 0;
    for (std::size_t p = 0; p < parts.size(); ++p) {
      auto const inner = cross_gram(parts[p]->view, part->view);
      T const scale = factors[p] * factor;
      for (std::size_t i = 0; i < inner.shape(0); ++i)
        for (std::size_t j = 0; j < own; ++j)
          larger[(at + i) * grown + order + j] = larger[(order + j) * grown + at + i] = scale * inner(i, j);
      at += inner.shape(0);
    }
    auto const own_gram = root.gram();
    for (std::size_t i = 0; i < own; ++i)
      for (std::size_t j = 0; j < own; ++j)
        larger[(order + i) * grown + order + j] =
            static_cast<T>(static_cast<double>(own_gram[i * own + j]) / root.scale());
    gram = std::move(larger);
    parts.push_back(std::move(part));
    factors.push_back(factor);
    order = grown;
    total += q.samples();
    total_weight += detail::total_weight<Objective>(b);
  }

  /// The matrix of all samples so far. Copies the Gram matrix. \throws capacity_exceeded when there are none;
  /// invalid_value when `weighted_mean` has no weight to divide by.
  low_rank<appended_root<T>> matrix() const {
    if (total == 0) throw capacity_exceeded("the matrix of 0 samples: at least 1 was expected");
    if (Objective::scale_depends_on_targets && !(total_weight > 0))
      throw invalid_value("weighted_mean: all loss terms so far weigh nothing");
    double const rho = Objective::scale(total, total_weight);
    auto scaled = zeros<T>(order, order);
    std::ranges::transform(gram, scaled.data(), [&](T v) { return static_cast<T>(rho * static_cast<double>(v)); });
    auto scaled_factors = factors;
    for (T& f : scaled_factors) f = static_cast<T>(std::sqrt(rho) * static_cast<double>(f));
    return low_rank<appended_root<T>>(
        {parts, std::move(scaled_factors), std::move(scaled), static_cast<std::size_t>(Objective::parameter_count)});
  }

 private:
  static std::uint64_t seed_of(std::size_t batch) { return Quantity.seed + batch; }

  std::vector<T> theta;
  typename appended_root<T>::batches parts;
  std::vector<T> factors;
  std::vector<T> gram;
  std::size_t order = 0, total = 0;
  double total_weight = 0;
};

/// Collects a low-rank matrix of bounded rank from batches of any number: after each, the leading `rank` eigenpairs of
/// what is kept plus the batch are kept. Memory: `rank` vectors of the size of the parameters, and one batch.
///
/// With Ĝ what is kept, 0 <= G - Ĝ, and the bounds hold for every eigenvalue: λ_i(Ĝ) <= λ_i(G) <= λ_i(Ĝ) + ‖G - Ĝ‖.
/// They are sums over batches of what each truncation dropped, the largest dropped eigenvalue and the dropped trace.
template <objective_type Objective, real T, ggn_from_t Quantity = ggn>
class truncated_ggn {
 public:
  /// At these parameters, `rank` pairs at most. \throws capacity_exceeded when `rank` is 0; otherwise as derive.
  template <class Theta>
  truncated_ggn(Theta const& parameters, std::size_t rank_)
      : theta(parameters.data(), parameters.data() + parameters.size()), most(rank_) {
    if (most == 0) throw capacity_exceeded("a truncated matrix of rank 0: at least 1 was expected");
    detail::check_parameters<Objective>(std::span<T const>(theta), "parameters");
  }

  std::size_t samples() const { return total; }
  /// Pairs kept.
  std::size_t rank() const { return values.size(); }

  /// Appends a batch: its sweep, `rank` products with its root each way, and the eigenpairs of a Gram matrix of order
  /// rank + N K. \throws as derive; not_converged; then nothing has changed.
  void append(batch<T> const& b) {
    auto quantity = Quantity;
    quantity.seed = Quantity.seed + batches;
    auto const q = derive<detail::before_reduction<Objective>>(theta, b, quantity);
    auto const root = q[Quantity].root();
    std::size_t const kept = values.size(), own = root.columns(), order = kept + own, p = theta.size();
    double const to_unit = 1 / root.scale();
    // The Gram matrix of [kept directions times √λ, the batch's columns], all at ρ = 1.
    std::vector<T> gram(order * order);
    for (std::size_t i = 0; i < kept; ++i) gram[i * order + i] = static_cast<T>(values[i]);
    std::vector<T> inner(own);
    for (std::size_t i = 0; i < kept; ++i) {
      root.multiply_transposed(std::span<T const>(vectors.data() + i * p, p), inner);
      double const scale = std::sqrt(values[i] * to_unit);
      for (std::size_t j = 0; j < own; ++j)
        gram[i * order + kept + j] = gram[(kept + j) * order + i] =
            static_cast<T>(scale * static_cast<double>(inner[j]));
    }
    auto const own_gram = root.gram();
    double trace_before = 0;
    for (std::size_t i = 0; i < own; ++i)
      for (std::size_t j = 0; j < own; ++j)
        gram[(kept + i) * order + kept + j] = static_cast<T>(to_unit * static_cast<double>(own_gram[i * own + j]));
    for (std::size_t i = 0; i < order; ++i) trace_before += static_cast<double>(gram[i * order + i]);

    std::size_t const wanted = std::min(order, most + 1);
    auto const pairs = leading_eigenpairs(std::span<T const>(gram), order, wanted);
    std::vector<double> next_values;
    std::vector<T> next_vectors, own_part(own), direction(p);
    double kept_trace = 0;
    double const floor = static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(order) *
                         static_cast<double>(pairs.values(0));
    for (std::size_t i = 0; i < std::min(most, wanted) && static_cast<double>(pairs.values(i)) > floor; ++i) {
      T const* const c = pairs.vectors.data() + i * order;
      for (std::size_t j = 0; j < own; ++j) own_part[j] = static_cast<T>(std::sqrt(to_unit)) * c[kept + j];
      root.multiply(own_part, direction);
      for (std::size_t k = 0; k < kept; ++k) {
        T const weight = static_cast<T>(std::sqrt(values[k])) * c[k];
        for (std::size_t e = 0; e < p; ++e) direction[e] += weight * vectors[k * p + e];
      }
      double const length = std::sqrt(detail::dot<T>(direction, direction));
      for (T& v : direction) v = static_cast<T>(static_cast<double>(v) / length);
      next_values.push_back(static_cast<double>(pairs.values(i)));
      next_vectors.insert(next_vectors.end(), direction.begin(), direction.end());
      kept_trace += next_values.back();
    }
    if (next_values.size() < order && wanted > next_values.size())
      dropped += std::max(0.0, static_cast<double>(pairs.values(next_values.size())) +
                                   static_cast<double>(pairs.residuals(next_values.size())));
    dropped_trace += std::max(0.0, trace_before - kept_trace);
    values = std::move(next_values);
    vectors = std::move(next_vectors);
    total += q.samples();
    total_weight += detail::total_weight<Objective>(b);
    ++batches;
  }

  /// λ_i(Ĝ), descending.
  vector<T> eigenvalues() const {
    auto all = zeros<T>(values.size());
    std::ranges::transform(values, all.data(), [this](double v) { return static_cast<T>(rho() * v); });
    return all;
  }
  /// The unit eigenvectors as rows, [rank, P].
  kappa::matrix<T> eigenvectors() const {
    auto rows = zeros<T>(values.size(), theta.size());
    std::ranges::copy(vectors, rows.data());
    return rows;
  }
  /// A bound on ‖G - Ĝ‖₂, and on tr(G - Ĝ).
  double spectral_error() const { return rho() * std::min(dropped, dropped_trace); }
  double trace_error() const { return rho() * dropped_trace; }
  /// Ĝ as an operator. \throws capacity_exceeded when there are no samples.
  low_rank<matrix_root<T>> matrix() const {
    if (total == 0) throw capacity_exceeded("the matrix of 0 samples: at least 1 was expected");
    auto root = zeros<T>(theta.size(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      auto const scale = static_cast<T>(std::sqrt(rho() * values[i]));
      for (std::size_t e = 0; e < theta.size(); ++e) root(e, i) = scale * vectors[i * theta.size() + e];
    }
    return low_rank<matrix_root<T>>(std::move(root));
  }

 private:
  double rho() const {
    bool const nothing = total == 0 || (Objective::scale_depends_on_targets && !(total_weight > 0));
    return nothing ? 0.0 : Objective::scale(total, total_weight);
  }

  std::vector<T> theta;
  std::size_t most;
  std::vector<double> values;  // at ρ = 1
  std::vector<T> vectors;
  double dropped = 0, dropped_trace = 0;
  std::size_t total = 0, batches = 0;
  double total_weight = 0;
};

}  // namespace kappa::inline KAPPA_ARCH
