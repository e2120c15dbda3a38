#pragma once
/// \file
/// A network of examples/networks: loss and gradient against PyTorch's (tests/fixtures/networks.py, whose formulas for
/// parameters and data these are), and every other quantity against what ties it to the gradient.

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <kappa/algebra.hpp>
#include <kappa/derive.hpp>
#include <kappa/io/npy.hpp>

namespace kappa::by_pytorch {

using numbers = std::vector<double>;

/// Weights sin / √fan-in, other parameters 0.1 sin about what they are drawn as.
template <network_type Net>
numbers parameters() {
  numbers theta(static_cast<std::size_t>(Net::parameter_count));
  for (unsigned l = 0; l < Net::nodes.size(); ++l) {
    node const& n = Net::nodes[l];
    if (n.parameter < 0) continue;
    parameter const& p = Net::parameters[static_cast<unsigned>(n.parameter)];
    for (int i = 0; i < p.size(); ++i) {
      double const s = std::sin(0.7 + 1.3 * (p.offset + i));
      double mean = 0, deviation = 0.1;
      if (p.layer != nullptr) mean = p.layer->initial_mean(Net::nodes[static_cast<unsigned>(n.a)].out, n.set, i);
      if (p.layer == nullptr && i < p.weight_size()) deviation = 1 / std::sqrt(p.inputs);
      theta[static_cast<std::size_t>(p.offset + i)] = mean + deviation * s;
    }
  }
  return theta;
}

inline numbers wave(std::size_t count) {
  numbers x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = std::sin(0.3 + 0.11 * static_cast<double>(i));
  return x;
}

/// ‖a - b‖ / ‖b‖.
template <class A, class B>
double distance(A const& a, B const& b) {
  double gap = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    gap += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return norm > 0 ? std::sqrt(gap / norm) : INFINITY;
}

template <class A, class B>
double dot(A const& a, B const& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

template <objective_type Objective>
void check(char const* name, numbers const& theta, batch<double> const& data) {
  auto const folder = std::filesystem::path(__FILE__).parent_path().parent_path() / "fixtures/networks";
  numbers const stored = io::read_npy<double>(folder / (std::string(name) + ".npy")).values;
  std::size_t const parameters = theta.size(), every = std::max<std::size_t>(1, parameters / 400);
  REQUIRE(parameters == static_cast<std::size_t>(Objective::parameter_count));

  numbers v(parameters);
  for (std::size_t i = 0; i < parameters; ++i) v[i] = std::cos(0.2 + 0.9 * static_cast<double>(i));
  auto const q = derive<Objective>(theta, data, loss_value, gradient, per_sample_gradient, per_sample_gradient_norms,
                                   gradient_variance, ggn_vector_product(v), hessian_vector_product(v),
                                   ggn_from<monte_carlo<2>>(7), ggn_diagonal_from<monte_carlo<2>>(7),
                                   kfac<automatic, monte_carlo<2>>(7));

  // ---- by PyTorch -------------------------------------------------------------------------------------------
  CHECK(q[loss_value] == Approx(stored[0]).epsilon(1e-12));
  numbers some;
  for (std::size_t i = 0; i < parameters; i += every) some.push_back(q[gradient][i]);
  REQUIRE(some.size() + 1 == stored.size());
  CHECK(distance(some, numbers(stored.begin() + 1, stored.end())) < 1e-9);
  some[some.size() / 2] *= 1.001;
  some[0] += 1e-3 * std::sqrt(dot(some, some));
  CHECK(distance(some, numbers(stored.begin() + 1, stored.end())) > 1e-9);

  // ---- samples ----------------------------------------------------------------------------------------------
  std::size_t const samples = q.samples();
  auto const rows = q[per_sample_gradient];
  numbers sum(parameters), variance(parameters);
  for (std::size_t n = 0; n < samples; ++n) {
    double norm = 0;
    for (std::size_t p = 0; p < parameters; ++p) {
      sum[p] += rows(n, p);
      norm += rows(n, p) * rows(n, p);
      variance[p] +=
          std::pow(static_cast<double>(samples) * rows(n, p) - q[gradient][p], 2) / static_cast<double>(samples);
    }
    CHECK(q[per_sample_gradient_norms][n] == Approx(std::sqrt(norm)).epsilon(1e-9));
    CHECK(norm > 0);
  }
  CHECK(distance(sum, q[gradient]) < 1e-10);
  CHECK(distance(q[gradient_variance], variance) < 1e-9);

  // ---- curvature --------------------------------------------------------------------------------------------
  // The Hessian along v by differences of gradients; a short step, because activations have kinks.
  double const step = 1e-6 / std::sqrt(dot(v, v));
  auto const along = [&](double side) {
    numbers moved = theta;
    for (std::size_t p = 0; p < parameters; ++p) moved[p] += side * step * v[p];
    auto const g = derive<Objective>(moved, data, gradient);
    return numbers(g[gradient].begin(), g[gradient].end());
  };
  numbers const forward = along(1), backward = along(-1);
  numbers slope(parameters);
  for (std::size_t p = 0; p < parameters; ++p) slope[p] = (forward[p] - backward[p]) / (2 * step);
  CHECK(distance(q[hessian_vector_product], slope) < 2e-4);

  // vᵀ G v = ρ Σ (J v)ᵀ ∇²ℓ (J v), the outputs' slopes J v by differences.
  auto const outputs = [&](double side) {
    numbers moved = theta;
    for (std::size_t p = 0; p < parameters; ++p) moved[p] += side * step * v[p];
    return predict<typename Objective::network>(moved, data.inputs, 256, data.side);
  };
  auto const here = outputs(0), ahead = outputs(1), behind = outputs(-1);
  constexpr auto width = static_cast<std::size_t>(Objective::outputs);
  double curvature = 0;
  for (std::size_t row = 0; row < here.size(); row += width) {
    double whole = 0, first = 0, second = 0;  // Σ p, Σ p (J v), Σ p (J v)²; p = 1 for the squared error
    for (std::size_t c = row; c < row + width; ++c) {
      double const p = Objective::loss::takes_labels ? std::exp(here.data()[c]) : 1;
      double const slope_of_output = (ahead.data()[c] - behind.data()[c]) / (2 * step);
      whole += p;
      first += p * slope_of_output;
      second += p * slope_of_output * slope_of_output;
    }
    curvature += Objective::loss::takes_labels ? second / whole - std::pow(first / whole, 2) : second;
  }
  curvature *= Objective::scale(samples);
  CHECK(curvature > 0);
  CHECK(dot(v, q[ggn_vector_product]) == Approx(curvature).epsilon(1e-5));
  CHECK_FALSE(dot(v, q[ggn_vector_product]) == Approx(curvature * static_cast<double>(samples)).epsilon(1e-5));

  // The same draws make the low-rank matrix, its diagonal and the factors.
  auto const low = q[ggn_from<monte_carlo<2>>];
  auto const diagonal_sum = [&] {
    double total = 0;
    for (double d : q[ggn_diagonal_from<monte_carlo<2>>]) total += d;
    return total;
  }();
  double trace_of_gram = 0;
  auto const gram = low.root().gram();
  std::size_t const columns = low.root().columns();
  for (std::size_t c = 0; c < columns; ++c) trace_of_gram += gram[c * columns + c];
  CHECK(trace_of_gram == Approx(diagonal_sum).epsilon(1e-9));
  CHECK(diagonal_sum > 0);
  // A layer's own parameters have their exact block: its trace is their part of the diagonal.
  auto const factors = q.factors(kfac<automatic, monte_carlo<2>>);
  REQUIRE(factors.size() == Objective::network::parameters.size());
  for (auto const& f : factors) {
    double a = 0, b = 0, part = 0;
    for (std::size_t i = 0; i < f.inputs.columns; ++i) a += f.inputs(f.parameter.is_table() ? 0 : i, i);
    for (std::size_t i = 0; i < f.outputs.rows; ++i) b += f.outputs(i, i);
    CHECK(a * b > 0);
    if (f.parameter.layer == nullptr || f.parameter.is_table()) continue;
    for (int i = 0; i < f.parameter.size(); ++i)
      part += q[ggn_diagonal_from<monte_carlo<2>>][static_cast<std::size_t>(f.parameter.offset + i)];
    CHECK(a * b == Approx(part).epsilon(1e-9));
  }
}

}  // namespace kappa::by_pytorch
