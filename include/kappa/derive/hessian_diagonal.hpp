#pragma once
/// \file
/// The diagonal of the Hessian by its signed square roots: the loss Hessian's columns, and at every curved layer the
/// columns of a residual, positive and negative, all of them sent backward (Dangel, Kunstner and Hennig 2020, BackPACK,
/// appendix A.3, after Mizutani and Dreyfus 2008). A sweep of its own, because columns are added on the way.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <kappa/algebra/lapack.hpp>
#include <kappa/derive/derive.hpp>

namespace kappa::inline KAPPA_ARCH {

/// The diagonal of the Hessian of L in two parts that sum to it.
template <real T>
struct hessian_diagonal {
  vector<T> diagonal;  ///< of the Hessian, [P]
  vector<T> ggn;       ///< of the generalized Gauss-Newton matrix, [P]
  vector<T> residual;  ///< of their difference, from the curvature of activations, products and maps, [P]
};

namespace detail {

/// Vectors going backward for one sample: at every node a matrix [columns so far, size], zero where nothing came.
template <class T, objective_type Objective>
class signed_roots {
 public:
  using network = typename Objective::network;
  using loss = typename Objective::loss;
  static constexpr auto const& nodes = network::nodes;
  static constexpr std::size_t count = nodes.size();

  signed_roots(T const* parameters, double scale, context<T> const& of_batch)
      : batch_context(of_batch), theta(parameters), rho(scale), values(count), delta(count), columns(count) {
    for (std::size_t i = 0; i < count; ++i) {
      node const& x = nodes[i];
      active.push_back(x.op == operation::dense || (x.a >= 0 && active[at(x.a)]) || (x.b >= 0 && active[at(x.b)]));
    }
  }

  /// Adds sample n's part of the two diagonals.
  void add(std::size_t n, T const* input, target<T> const* targets, std::span<T> ggn, std::span<T> residual) {
    number = n;
    forward(input);
    std::size_t const of_loss = begin(targets);
    for (std::size_t i = count; i-- > 1;) {
      if (!active[i] || delta[i].empty()) continue;
      columns[i].resize(signs.size() * size_of(i));
      backward(i);
      if (nodes[i].op == operation::dense) squares(i, of_loss, ggn, residual);
    }
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  static std::size_t size_of(std::size_t i) { return static_cast<std::size_t>(nodes[i].out.size()); }

  void forward(T const* input) {
    for (std::size_t i = 0; i < count; ++i) {
      node const& x = nodes[i];
      auto& y = values[i];
      y.assign(size_of(i), T(0));
      auto const& a = x.a >= 0 ? values[at(x.a)] : y;
      switch (x.op) {
        case operation::input:
          std::copy_n(input, y.size(), y.data());
          break;
        case operation::dense: {
          parameter const& w = network::parameters[at(x.parameter)];
          auto const in = at(w.inputs), out = at(w.outputs), rows = y.size() / out;
          if (w.bias)
            for (std::size_t r = 0; r < rows; ++r)
              std::copy_n(theta + w.offset + w.weight_size(), out, y.data() + r * out);
          lapack::gemm(false, true, rows, out, in, T(1), a.data(), theta + w.offset, T(1), y.data());
          break;
        }
        case operation::activation:
          for (std::size_t e = 0; e < y.size(); ++e) y[e] = x.act->functions<T>().value(a[e]);
          break;
        case operation::layer:
          x.layer->functions<T>().apply(site_at(i), a.data(), y.data());
          break;
        case operation::concatenate:
          join(i, a.data(), values[at(x.b)].data(), y.data());
          break;
        case operation::scale:
          for (std::size_t e = 0; e < y.size(); ++e) y[e] = a[e] * (T(x.numerator) / T(x.denominator));
          break;
        case operation::add:
          for (std::size_t e = 0; e < y.size(); ++e) y[e] = a[e] + values[at(x.b)][e];
          break;
        case operation::multiply:
          for (std::size_t e = 0; e < y.size(); ++e) y[e] = a[e] * values[at(x.b)][e];
          break;
        case operation::reshape:
          y = a;
          break;
        case operation::mean_positions:
        case operation::sum_positions:
          for (std::size_t e = 0; e < a.size(); ++e) y[e % y.size()] += a[e] * spread_factor(x, a.size() / y.size());
          break;
      }
    }
  }

  // A layer's place: this sweep's networks have no parameters in layers.
  site<T> site_at(std::size_t i) {
    node const& x = nodes[i];
    site<T> s;
    s.in = nodes[at(x.a)].out;
    s.out = x.out;
    s.set = x.set;
    s.shift = x.shift;
    s.place = static_cast<int>(i);
    room.resize(std::max(room.size(), x.layer->scratch(s.in, s.set)));
    s.scratch = room.data();
    s.sample = number;
    s.side = batch_context.side_of(number);
    if (!nodes[at(x.a)].ragged) s.side.mask = nullptr;
    return s;
  }

  // f(number of elements of a, of b) for every block of a concatenation.
  template <class F>
  static void over_blocks(std::size_t i, F&& f) {
    node const& x = nodes[i];
    shape const& p = nodes[at(x.a)].out;
    int outer = 1, inner = 1;
    for (int d = 0; d < x.out.rank; ++d) (d < x.set[0] ? outer : inner) *= d == x.set[0] ? 1 : x.out.extent[d];
    for (int c = 0; c < outer; ++c)
      f(at(p.extent[x.set[0]] * inner), at((x.out.extent[x.set[0]] - p.extent[x.set[0]]) * inner));
  }
  static void join(std::size_t i, T const* a, T const* b, T* y) {
    over_blocks(i, [&](std::size_t of_a, std::size_t of_b) {
      y = std::copy_n(a, of_a, y);
      y = std::copy_n(b, of_b, y);
      a += of_a;
      b += of_b;
    });
  }
  static void part(std::size_t i, bool first, T const* from, T* to) {
    over_blocks(i, [&](std::size_t of_a, std::size_t of_b) {
      T const* const own = first ? from : from + of_a;
      for (std::size_t e = 0; e < (first ? of_a : of_b); ++e) to[e] += own[e];
      to += first ? of_a : of_b;
      from += of_a + of_b;
    });
  }

  static T spread_factor(node const& x, std::size_t positions) {
    return x.op == operation::mean_positions ? T(1) / static_cast<T>(positions) : T(1);
  }

  // Puts the loss's columns at the output, and says how many of them are the Gauss-Newton matrix's.
  std::size_t begin(target<T> const* targets) {
    constexpr auto outputs = static_cast<std::size_t>(Objective::outputs);
    constexpr auto terms = static_cast<std::size_t>(Objective::terms);
    constexpr auto own = static_cast<std::size_t>(loss::root_columns(Objective::outputs));
    for (auto& d : delta) d.clear();
    for (auto& c : columns) c.clear();
    signs.assign(terms * own, T(1));
    auto& g = delta[count - 1];
    auto& s = columns[count - 1];
    g.assign(terms * outputs, T(0));
    s.assign(signs.size() * g.size(), T(0));
    std::vector<T> root(own * outputs);
    for (std::size_t m = 0; m < terms; ++m) {
      std::span<T const> const f(values[count - 1].data() + m * outputs, outputs);
      loss::template gradient<T>(f, targets[m], std::span<T>(g.data() + m * outputs, outputs));
      loss::template root<T>(f, targets[m], std::span<T>(root));
      for (std::size_t k = 0; k < own; ++k)
        for (std::size_t c = 0; c < outputs; ++c)
          s[(m * own + k) * g.size() + m * outputs + c] = static_cast<T>(std::sqrt(rho)) * root[k * outputs + c];
    }
    if constexpr (has_fisher<loss>)
      for (std::size_t m = 0; m < terms; ++m) add_beyond_fisher(m, targets[m]);
    for (T& v : g) v *= static_cast<T>(rho);
    return terms * own;
  }

  // The roots at hand are those of the Fisher matrix: ∇²ℓ minus that of loss term m is the residual's first part.
  void add_beyond_fisher(std::size_t m, target<T> y) {
    constexpr auto outputs = static_cast<std::size_t>(Objective::outputs);
    std::span<T const> const f(values[count - 1].data() + m * outputs, outputs);
    std::vector<T> unit(outputs), whole(outputs), fisher(outputs);
    std::vector<double> difference(outputs * outputs);
    for (std::size_t j = 0; j < outputs; ++j) {
      unit[j] = 1;
      loss::template hessian_times<T>(f, y, unit, std::span<T>(whole));
      loss::template fisher_times<T>(f, y, unit, std::span<T>(fisher));
      unit[j] = 0;
      for (std::size_t i = 0; i < outputs; ++i)
        difference[i * outputs + j] = rho * (static_cast<double>(whole[i]) - static_cast<double>(fisher[i]));
    }
    auto& s = columns[count - 1];
    std::size_t const size = size_of(count - 1);
    add_roots(outputs, difference, [&](std::size_t c, std::size_t e, T v) {
      s.resize(signs.size() * size);
      s[c * size + m * outputs + e] = v;
    });
  }

  // Room at an operand for everything that is on its way.
  void open(std::size_t a) {
    if (delta[a].empty()) delta[a].assign(size_of(a), T(0));
    columns[a].resize(signs.size() * size_of(a));
  }

  /// A symmetric matrix [n, n] of second derivatives in the elements of one or two operands, as new signed columns.
  void add_roots(std::size_t n, std::vector<double> const& curvature, auto&& put) {
    auto m = zeros<double>(n, n);
    std::ranges::copy(curvature, m.data());
    auto const e = lapack::symmetric_eigen(std::move(m));
    double largest = 0;
    for (std::size_t k = 0; k < n; ++k) largest = std::max(largest, std::abs(e.values(k)));
    for (std::size_t k = 0; k < n; ++k) {
      if (std::abs(e.values(k)) <= 1e-15 * largest || largest == 0) continue;
      signs.push_back(e.values(k) > 0 ? T(1) : T(-1));
      for (std::size_t j = 0; j < n; ++j)
        put(signs.size() - 1, j, static_cast<T>(std::sqrt(std::abs(e.values(k))) * e.vectors(k, j)));
    }
  }

  void backward(std::size_t i) {
    node const& x = nodes[i];
    auto const a = x.a >= 0 ? at(x.a) : 0, b = x.b >= 0 ? at(x.b) : 0;
    bool const to_a = x.a >= 0 && active[a], to_b = x.b >= 0 && active[b];
    if (!to_a && !to_b) return;
    if (to_a) open(a);
    if (to_b) open(b);
    std::size_t const size = size_of(i), k = signs.size();
    auto const& g = delta[i];
    auto const& s = columns[i];
    // f(vector at the node, vector at the operand) for the gradient and every column.
    auto const pull = [&](std::size_t operand, auto&& f) {
      f(g.data(), delta[operand].data());
      for (std::size_t c = 0; c < k; ++c) f(s.data() + c * size, columns[operand].data() + c * size_of(operand));
    };
    switch (x.op) {
      case operation::input:
        break;
      case operation::dense: {
        parameter const& w = network::parameters[at(x.parameter)];
        auto const in = at(w.inputs), out = at(w.outputs), rows = size / out;
        lapack::gemm(false, false, rows, in, out, T(1), g.data(), theta + w.offset, T(1), delta[a].data());
        lapack::gemm(false, false, k * rows, in, out, T(1), s.data(), theta + w.offset, T(1), columns[a].data());
        break;
      }
      case operation::activation: {
        auto const functions = x.act->functions<T>();
        auto const& v = values[a];
        std::vector<T> slope(size);
        for (std::size_t e = 0; e < size; ++e) slope[e] = functions.first_derivative(v[e]);
        pull(a, [&](T const* from, T* to) {
          for (std::size_t e = 0; e < size; ++e) to[e] += slope[e] * from[e];
        });
        for (std::size_t e = 0; e < size; ++e) {
          T const r = functions.second_derivative(v[e]) * g[e];
          if (r == T(0)) continue;
          signs.push_back(r > 0 ? T(1) : T(-1));
          columns[a].resize(signs.size() * size);
          columns[a][(signs.size() - 1) * size + e] = std::sqrt(std::abs(r));
        }
        break;
      }
      case operation::layer: {
        auto const functions = x.layer->functions<T>();
        std::size_t const below = size_of(a);
        auto const& input = values[a];
        site<T> const here = site_at(i);
        pull(a, [&](T const* from, T* to) { functions.pull(here, input.data(), 1, from, to, true); });
        if (functions.push_pull == nullptr) break;
        std::vector<T> part(below), unit(below);
        std::vector<double> curvature(below * below);
        for (std::size_t e = 0; e < below; ++e) {
          unit[e] = 1;
          std::ranges::fill(part, T(0));
          functions.push_pull(here, input.data(), unit.data(), g.data(), part.data());
          unit[e] = 0;
          for (std::size_t f = 0; f < below; ++f) {
            curvature[e * below + f] += static_cast<double>(part[f]) / 2;
            curvature[f * below + e] += static_cast<double>(part[f]) / 2;
          }
        }
        add_roots(below, curvature, [&](std::size_t c, std::size_t e, T v) {
          columns[a].resize(signs.size() * below);
          columns[a][c * below + e] = v;
        });
        break;
      }
      case operation::concatenate:
        for (std::size_t operand : {a, b})
          if (active[operand]) pull(operand, [&](T const* from, T* to) { part(i, operand == a, from, to); });
        break;
      case operation::scale:
      case operation::reshape: {
        T const factor = x.op == operation::scale ? T(x.numerator) / T(x.denominator) : T(1);
        pull(a, [&](T const* from, T* to) {
          for (std::size_t e = 0; e < size; ++e) to[e] += factor * from[e];
        });
        break;
      }
      case operation::add:
        for (std::size_t operand : {a, b})
          if (active[operand])
            pull(operand, [&](T const* from, T* to) {
              for (std::size_t e = 0; e < size; ++e) to[e] += from[e];
            });
        break;
      case operation::multiply: {
        auto const gate = [&](std::size_t operand, std::vector<T> const& other) {
          pull(operand, [&](T const* from, T* to) {
            for (std::size_t e = 0; e < size; ++e) to[e] += other[e] * from[e];
          });
        };
        if (to_a) gate(a, values[b]);
        if (to_b) gate(b, values[a]);
        if (!to_a || !to_b) break;
        // g x y has the roots √(|g| / 2) (1, ±1), and g x² one root √(2 |g|).
        for (std::size_t e = 0; e < size; ++e) {
          if (g[e] == T(0)) continue;
          for (T const side : {T(1), T(-1)}) {
            if (a == b && side < 0) continue;
            signs.push_back(g[e] * side > 0 ? T(1) : T(-1));
            columns[a].resize(signs.size() * size);
            columns[b].resize(signs.size() * size);
            T const root = std::sqrt(std::abs(g[e]) * (a == b ? T(2) : T(0.5)));
            columns[a][(signs.size() - 1) * size + e] = root;
            if (a != b) columns[b][(signs.size() - 1) * size + e] = side * root;
          }
        }
        break;
      }
      case operation::mean_positions:
      case operation::sum_positions: {
        std::size_t const below = size_of(a);
        T const factor = spread_factor(x, below / size);
        pull(a, [&](T const* from, T* to) {
          for (std::size_t e = 0; e < below; ++e) to[e] += factor * from[e % size];
        });
        break;
      }
    }
  }

  /// The signed squares of every column's part in a weight and bias.
  void squares(std::size_t i, std::size_t of_loss, std::span<T> ggn, std::span<T> residual) {
    node const& x = nodes[i];
    parameter const& w = network::parameters[at(x.parameter)];
    auto const in = at(w.inputs), out = at(w.outputs), rows = size_of(i) / out, weight = in * out;
    auto const& a = values[at(x.a)];
    auto const add_part = [&](std::size_t first, std::size_t last, std::span<T> to) {
      T* const block = to.data() + w.offset;
      std::vector<T> t(weight), sums(out), bias(out);
      for (std::size_t k = first; k < last; ++k) {
        T const* const s = columns[i].data() + k * rows * out;
        if (rows == 1) {
          for (std::size_t o = 0; o < out; ++o) sums[o] += signs[k] * s[o] * s[o];
          continue;
        }
        lapack::gemm(true, false, out, in, rows, T(1), s, a.data(), T(0), t.data());
        for (std::size_t e = 0; e < weight; ++e) block[e] += signs[k] * t[e] * t[e];
        if (!w.bias) continue;
        std::ranges::fill(bias, T(0));
        for (std::size_t r = 0; r < rows; ++r)
          for (std::size_t o = 0; o < out; ++o) bias[o] += s[r * out + o];
        for (std::size_t o = 0; o < out; ++o) block[weight + o] += signs[k] * bias[o] * bias[o];
      }
      if (rows > 1) return;
      for (std::size_t o = 0; o < out; ++o) {
        for (std::size_t j = 0; j < in; ++j) block[o * in + j] += sums[o] * a[j] * a[j];
        if (w.bias) block[weight + o] += sums[o];
      }
    };
    std::size_t const had = columns[i].size() / size_of(i);  // this node's own vectors, not those of nodes below
    add_part(0, std::min(of_loss, had), ggn);
    add_part(of_loss, had, residual);
  }

  context<T> batch_context;
  std::size_t number = 0;
  std::vector<T> room;
  T const* theta;
  double rho;
  std::vector<bool> active;
  std::vector<std::vector<T>> values, delta, columns;
  std::vector<T> signs;
};

/// Whether parameters meet themselves or a value in ways the roots above do not hold: tied weights, and layers with
/// parameters of their own.
template <objective_type Objective>
inline constexpr bool multiplies_itself = [] {
  for (parameter const& w : Objective::network::parameters)
    if (w.uses > 1 || w.layer != nullptr) return true;
  return Objective::network::couples_samples;  // which the workspace of the products refuses
}();

}  // namespace detail

/// The diagonal of the Hessian of L at `theta` on a batch. Per sample and layer 2 K inputs outputs flops, K the roots
/// of the loss and of everything curved above: one for every element that passes a curved activation. A weight that is
/// used more than once multiplies itself, which no such root holds: networks with tied weights, and those with
/// parameters in other layers than dense ones, take P Hessian-vector products.
/// \throws as derive.
template <objective_type Objective, real T, class Theta>
hessian_diagonal<T> hessian_diagonal_of(Theta const& theta, batch<T> const& b) {
  constexpr auto parameters = static_cast<std::size_t>(Objective::parameter_count);
  hessian_diagonal<T> d{zeros<T>(parameters), zeros<T>(parameters), zeros<T>(parameters)};
  std::span<T const> const at(theta.data(), theta.size());
  if constexpr (detail::multiplies_itself<Objective>) {
    std::vector<T> unit(parameters);
    auto const of_ggn = derive<Objective>(at, b, ggn_diagonal);
    std::ranges::copy(of_ggn[ggn_diagonal], d.ggn.data());
    std::size_t const samples = detail::checked_samples<Objective>(b);
    auto work = workspace_for<Objective, T>(samples, hessian_vector_product(unit));
    for (std::size_t p = 0; p < parameters; ++p) {
      unit[p] = 1;
      d.diagonal(p) = derive(work, at, b, hessian_vector_product(unit))[hessian_vector_product(unit)][p];
      unit[p] = 0;
      d.residual(p) = d.diagonal(p) - d.ggn(p);
    }
  } else {
    constexpr auto features = static_cast<std::size_t>(Objective::network::input_shape.size());
    constexpr auto terms = static_cast<std::size_t>(Objective::terms);
    std::size_t const samples = detail::checked_samples<Objective>(b);
    detail::check_parameters<Objective>(at, "parameters");
    detail::context<T> c;
    c.labels = b.labels.data();
    c.targets = b.targets.data();
    detail::take_side<Objective>(c, b.inputs, b.side, samples);
    detail::signed_roots<T, Objective> sweep(at.data(), detail::scale_of<Objective>(b, samples), c);
    std::vector<target<T>> targets(terms);
    for (std::size_t n = 0; n < samples; ++n) {
      for (std::size_t m = 0; m < terms; ++m) targets[m] = detail::target_of<Objective>(c, n, m);
      sweep.add(n, b.inputs.data() + n * features, targets.data(), elements(d.ggn), elements(d.residual));
    }
    for (std::size_t p = 0; p < parameters; ++p) d.diagonal(p) = d.ggn(p) + d.residual(p);
  }
  return d;
}

}  // namespace kappa::inline KAPPA_ARCH
