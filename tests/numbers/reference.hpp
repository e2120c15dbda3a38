#pragma once
/// \file
/// The reference of all numerics: a slow interpreter of a network's graph, written from the definitions alone. It
/// knows declare/ and shapes/ and nothing of plan, kernels, derive or algebra, so an error there cannot hide here.
///
/// Everything is a flat row-major std::vector<S>, S = double or long double; shapes stand at each function.
/// Derivatives are exact forward tangents, one per parameter, unless a name says `by_differences`. Matrices come from
/// dense Jacobians, Hessians of the losses from textbook formulas (never from `loss::root`).

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <numbers>
#include <random>
#include <span>
#include <vector>

#include <kappa/declare.hpp>

#include "textbook_layers.hpp"

namespace kappa::reference {

/// What some layers read beside the inputs, as in kappa::batch_side.
template <class S>
struct side {
  std::vector<unsigned char> mask{};
  std::vector<S> adjacency{};
  std::vector<int> row_begin{};
  std::vector<int> column{};
  std::vector<S> weight{};
  std::uint64_t seed = 0;
  std::vector<S> statistics{};
};

/// One sample: its input and what it has beside.
template <class S>
struct sample {
  std::span<S const> input{};
  sample_side<S> beside{};
  int number = 0;

  sample() = default;
  sample(std::span<S const> x) : input(x) {}
};

/// N samples with their targets: `labels` [N, M] or `vectors` [N, M, C], the other one empty.
template <class S>
struct batch {
  int samples = 0;
  std::vector<S> inputs{};  // [N, in]
  std::vector<int> labels{};
  std::vector<S> vectors{};
  side<S> beside{};  // what some layers read
};

/// The same numbers in another scalar.
template <class To, class From>
std::vector<To> convert(std::vector<From> const& v) {
  return std::vector<To>(v.begin(), v.end());
}
template <class To, class From>
batch<To> convert(batch<From> const& b) {
  auto const& s = b.beside;
  return {b.samples,
          convert<To>(b.inputs),
          b.labels,
          convert<To>(b.vectors),
          {s.mask, convert<To>(s.adjacency), s.row_begin, s.column, convert<To>(s.weight), s.seed,
           convert<To>(s.statistics)}};
}

namespace detail {

constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Element i of a vector, i an int: indices in formulas are ints.
template <class V>
auto& get(V& v, int i) {
  return v[at(i)];
}

template <class S>
std::span<S const> part(std::vector<S> const& v, int offset, int count) {
  return std::span<S const>(v).subspan(at(offset), at(count));
}

}  // namespace detail

/// Sample n of a batch for a network.
template <class Net, class S>
sample<S> sample_of(batch<S> const& b, int n) {
  sample<S> x(detail::part(b.inputs, n * Net::input_shape.size(), Net::input_shape.size()));
  auto const& s = b.beside;
  x.number = n;
  x.beside.seed = s.seed;
  x.beside.statistics = s.statistics.data();
  if (!s.mask.empty()) x.beside.mask = s.mask.data() + n * Net::mask_positions;
  if (!s.adjacency.empty()) x.beside.adjacency = s.adjacency.data() + n * Net::graph_nodes * Net::graph_nodes;
  if (!s.row_begin.empty()) x.beside.row_begin = s.row_begin.data() + n * Net::graph_nodes;
  x.beside.column = s.column.data();
  x.beside.weight = s.weight.empty() ? nullptr : s.weight.data();
  return x;
}

namespace detail {

/// y = (a, b) along the axis of a concatenation.
template <class S>
void join(node const& n, shape const& of_a, std::vector<S> const& a, std::vector<S> const& b, std::vector<S>& y) {
  int const axis = n.set[0];
  auto const split = [](shape const& s, int e, int* index) {
    for (int i = s.rank; i-- > 0; e /= s.extent[i]) index[i] = e % s.extent[i];
  };
  shape of_b = n.out;
  of_b.extent[axis] -= of_a.extent[axis];
  for (int e = 0; e < n.out.size(); ++e) {
    int index[3]{};
    split(n.out, e, index);
    bool const first = index[axis] < of_a.extent[axis];
    if (!first) index[axis] -= of_a.extent[axis];
    shape const& s = first ? of_a : of_b;
    int from = 0;
    for (int i = 0; i < s.rank; ++i) from = from * s.extent[i] + index[i];
    get(y, e) = get(first ? a : b, from);
  }
}

/// Where a layer is applied.
template <class Net>
textbook::place place_of_layer(node const& n) {
  node const& a = get(Net::nodes, n.a);
  return {n.layer->name, a.out, n.out, n.set, static_cast<int>(&n - Net::nodes.data()), n.shift, a.ragged};
}

/// A layer's value by its textbook definition; a user's map answers for itself.
template <class Net, class S>
void layer_value(node const& n, std::vector<S> const& theta, sample<S> const& x, std::vector<S> const& a,
                 std::vector<S>& y) {
  S const* const own = n.parameter >= 0 ? theta.data() + get(Net::parameters, n.parameter).offset : nullptr;
  if (textbook::value<S>(place_of_layer<Net>(n), x, own, a, y)) return;
  site<S> here;
  here.in = get(Net::nodes, n.a).out;
  here.out = n.out;
  here.set = n.set;
  n.layer->functions<S>().apply(here, a.data(), y.data());
}

/// Its derivative along (da, dθ), by dual numbers through the same definition.
template <class Net, class S>
void layer_tangent(node const& n, std::vector<S> const& theta, std::vector<S> const& dtheta, sample<S> const& x,
                   std::vector<S> const& a, std::vector<S> const& da, std::vector<S>& dy) {
  using number = textbook::dual<S>;
  std::vector<number> own, in, out(dy.size());
  if (n.parameter >= 0) {
    parameter const& p = get(Net::parameters, n.parameter);
    for (int i = 0; i < p.size(); ++i)
      own.push_back({get(theta, p.offset + i), dtheta.empty() ? S(0) : get(dtheta, p.offset + i)});
  }
  for (std::size_t e = 0; e < a.size(); ++e) in.push_back({a[e], da[e]});
  if (textbook::value<number>(place_of_layer<Net>(n), x, own.data(), in, out)) {
    for (std::size_t e = 0; e < dy.size(); ++e) dy[e] = out[e].tangent;
    return;
  }
  site<S> here;
  here.in = get(Net::nodes, n.a).out;
  here.out = n.out;
  here.set = n.set;
  n.layer->functions<S>().push(here, a.data(), da.data(), dy.data());
}

}  // namespace detail

// ---- values and tangents
// ----------------------------------------------------------------------------------------------

/// One vector for each node of the graph, in its order.
template <class S>
using node_values = std::vector<std::vector<S>>;

/// The values of all nodes for one sample x [in].
template <class Net, class S>
node_values<S> values(std::vector<S> const& theta, sample<S> const& x) {
  using detail::get;
  node_values<S> v;
  for (node const& n : Net::nodes) {
    std::vector<S> y(detail::at(n.out.size()));
    auto const& a = n.a >= 0 ? get(v, n.a) : y;
    switch (n.op) {
      case operation::input:
        y.assign(x.input.begin(), x.input.end());
        break;
      case operation::dense: {
        parameter const& p = get(Net::parameters, n.parameter);
        for (int r = 0; r < n.out.positions(); ++r)
          for (int o = 0; o < p.outputs; ++o) {
            S total = p.bias ? get(theta, p.offset + p.outputs * p.inputs + o) : S(0);
            for (int i = 0; i < p.inputs; ++i)
              total += get(theta, p.offset + o * p.inputs + i) * get(a, r * p.inputs + i);
            get(y, r * p.outputs + o) = total;
          }
        break;
      }
      case operation::activation:
        for (int i = 0; i < n.out.size(); ++i) get(y, i) = n.act->functions<S>().value(get(a, i));
        break;
      case operation::layer:
        detail::layer_value<Net, S>(n, theta, x, a, y);
        break;
      case operation::concatenate:
        detail::join(n, get(Net::nodes, n.a).out, a, get(v, n.b), y);
        break;
      case operation::scale:
        for (int i = 0; i < n.out.size(); ++i) get(y, i) = get(a, i) * S(n.numerator) / S(n.denominator);
        break;
      case operation::add:
        for (int i = 0; i < n.out.size(); ++i) get(y, i) = get(a, i) + get(get(v, n.b), i);
        break;
      case operation::multiply:
        for (int i = 0; i < n.out.size(); ++i) get(y, i) = get(a, i) * get(get(v, n.b), i);
        break;
      case operation::reshape:
        y = a;
        break;
      case operation::mean_positions:
      case operation::sum_positions: {
        int const features = n.out.size();
        int const positions = static_cast<int>(a.size()) / features;
        for (int r = 0; r < positions; ++r)
          for (int c = 0; c < features; ++c) get(y, c) += get(a, r * features + c);
        if (n.op == operation::mean_positions)
          for (S& s : y) s /= S(positions);
        break;
      }
    }
    v.push_back(y);
  }
  return v;
}

/// A direction: of the parameters, and one unit pushed into element `element` of the value of node `node`.
template <class S>
struct direction {
  std::vector<S> theta{};  // [P], or empty for zero
  int node = -1;
  int element = -1;
};

/// The derivatives of all nodes of one sample along a direction; `v` are its values.
template <class Net, class S>
node_values<S> tangents(std::vector<S> const& theta, node_values<S> const& v, direction<S> const& d,
                        sample<S> const& x = {}) {
  using detail::get;
  node_values<S> t;
  for (node const& n : Net::nodes) {
    std::vector<S> dy(detail::at(n.out.size()));
    auto const& a = n.a >= 0 ? get(v, n.a) : dy;
    auto const& da = n.a >= 0 ? get(t, n.a) : dy;
    switch (n.op) {
      case operation::input:
        break;
      case operation::dense: {
        parameter const& p = get(Net::parameters, n.parameter);
        for (int r = 0; r < n.out.positions(); ++r)
          for (int o = 0; o < p.outputs; ++o) {
            S total = 0;
            for (int i = 0; i < p.inputs; ++i)
              total += get(theta, p.offset + o * p.inputs + i) * get(da, r * p.inputs + i);
            if (!d.theta.empty()) {
              for (int i = 0; i < p.inputs; ++i)
                total += get(d.theta, p.offset + o * p.inputs + i) * get(a, r * p.inputs + i);
              if (p.bias) total += get(d.theta, p.offset + p.outputs * p.inputs + o);
            }
            get(dy, r * p.outputs + o) = total;
          }
        break;
      }
      case operation::activation:
        for (int i = 0; i < n.out.size(); ++i)
          get(dy, i) = n.act->functions<S>().first_derivative(get(a, i)) * get(da, i);
        break;
      case operation::layer:
        detail::layer_tangent<Net, S>(n, theta, d.theta, x, a, da, dy);
        break;
      case operation::concatenate:
        detail::join(n, get(Net::nodes, n.a).out, da, get(t, n.b), dy);
        break;
      case operation::scale:
        for (int i = 0; i < n.out.size(); ++i) get(dy, i) = get(da, i) * S(n.numerator) / S(n.denominator);
        break;
      case operation::add:
        for (int i = 0; i < n.out.size(); ++i) get(dy, i) = get(da, i) + get(get(t, n.b), i);
        break;
      case operation::multiply:
        for (int i = 0; i < n.out.size(); ++i)
          get(dy, i) = get(da, i) * get(get(v, n.b), i) + get(a, i) * get(get(t, n.b), i);
        break;
      case operation::reshape:
        dy = da;
        break;
      case operation::mean_positions:
      case operation::sum_positions: {
        int const features = n.out.size();
        int const positions = static_cast<int>(da.size()) / features;
        for (int r = 0; r < positions; ++r)
          for (int c = 0; c < features; ++c) get(dy, c) += get(da, r * features + c);
        if (n.op == operation::mean_positions)
          for (S& s : dy) s /= S(positions);
        break;
      }
    }
    if (static_cast<int>(t.size()) == d.node) get(dy, d.element) += 1;
    t.push_back(dy);
  }
  return t;
}

/// The network's output [M, C] for one sample x [in].
template <class Net, class S>
std::vector<S> forward(std::vector<S> const& theta, sample<S> const& x) {
  return values<Net, S>(theta, x).back();
}

/// The Jacobian of one sample's output in the parameters, [M C, P].
template <class Net, class S>
std::vector<S> jacobian(std::vector<S> const& theta, sample<S> const& x) {
  int const rows = Net::output_shape.size();
  int const columns = Net::parameter_count;
  auto const v = values<Net, S>(theta, x);
  std::vector<S> j(detail::at(rows * columns));
  for (int p = 0; p < columns; ++p) {
    direction<S> d{std::vector<S>(detail::at(columns))};
    detail::get(d.theta, p) = 1;
    auto const column = tangents<Net, S>(theta, v, d, x).back();
    for (int i = 0; i < rows; ++i) detail::get(j, i * columns + p) = detail::get(column, i);
  }
  return j;
}

/// The Jacobian of one sample's output in the value of node `at`, [M C, size of the node].
template <class Net, class S>
std::vector<S> jacobian_at_node(std::vector<S> const& theta, node_values<S> const& v, int at, sample<S> const& x = {}) {
  int const rows = Net::output_shape.size();
  int const columns = detail::get(Net::nodes, at).out.size();
  std::vector<S> j(detail::at(rows * columns));
  for (int e = 0; e < columns; ++e) {
    auto const column = tangents<Net, S>(theta, v, direction<S>{{}, at, e}, x).back();
    for (int i = 0; i < rows; ++i) detail::get(j, i * columns + e) = detail::get(column, i);
  }
  return j;
}

// ---- losses by their textbook formulas
// --------------------------------------------------------------------------------

namespace detail {

template <class S>
std::vector<S> softmax(std::span<S const> f) {
  S top = f[0];
  for (S s : f) top = std::max(top, s);
  std::vector<S> p;
  S total = 0;
  for (S s : f) p.push_back(std::exp(s - top)), total += p.back();
  for (S& s : p) s /= total;
  return p;
}

template <class S>
S logistic(S f) {
  return 1 / (1 + std::exp(-f));
}

template <class S>
target<S> target_of(batch<S> const& b, int term, int size) {
  if (!b.labels.empty()) return {get(b.labels, term), {}};
  return {-1, part(b.vectors, term * size, size)};
}

/// y as a vector, also where it is a label.
template <class S>
std::vector<S> vector_of(target<S> y, std::size_t outputs) {
  if (!y.values.empty()) return {y.values.begin(), y.values.end()};
  std::vector<S> v(outputs);
  get(v, y.label) = 1;
  return v;
}

}  // namespace detail

/// The textbook's formulas of more losses, which a specialisation brings: `value`, `gradient` and `curvature`, [C, C],
/// of (f, y), and `weight(y)` in a weighted mean.
template <class Loss>
struct loss_formulas {};

template <class Loss>
concept has_formulas = requires(std::span<double const> f, target<double> y) {
  loss_formulas<Loss>::value(f, y);
};

/// ℓ(f, y). A loss that is neither here nor in the textbook answers for itself, here and below.
template <class Loss, class S>
S term_value(std::span<S const> f, target<S> y) {
  S total = 0;
  if constexpr (std::same_as<Loss, cross_entropy_t>) {
    auto const p = detail::softmax(f);
    auto const t = detail::vector_of(y, f.size());
    for (std::size_t c = 0; c < f.size(); ++c) total -= t[c] * std::log(p[c]);
  } else if constexpr (std::same_as<Loss, squared_error_t>) {
    for (std::size_t c = 0; c < f.size(); ++c) total += (f[c] - y.values[c]) * (f[c] - y.values[c]) / 2;
  } else if constexpr (std::same_as<Loss, binary_cross_entropy_t>) {
    for (std::size_t c = 0; c < f.size(); ++c) {
      S const p = detail::logistic(f[c]);
      total -= y.values[c] * std::log(p) + (1 - y.values[c]) * std::log(1 - p);
    }
  } else if constexpr (has_formulas<Loss>) {
    total = loss_formulas<Loss>::value(f, y);
  } else {
    total = Loss::value(f, y);
  }
  return total;
}

/// ∇ℓ, [C].
template <class Loss, class S>
std::vector<S> term_gradient(std::span<S const> f, target<S> y) {
  std::vector<S> g(f.size());
  if constexpr (std::same_as<Loss, cross_entropy_t>) {
    g = detail::softmax(f);
    auto const t = detail::vector_of(y, f.size());
    for (std::size_t c = 0; c < f.size(); ++c) g[c] -= t[c];
  } else if constexpr (std::same_as<Loss, squared_error_t>) {
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = f[c] - y.values[c];
  } else if constexpr (std::same_as<Loss, binary_cross_entropy_t>) {
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = detail::logistic(f[c]) - y.values[c];
  } else if constexpr (has_formulas<Loss>) {
    g = loss_formulas<Loss>::gradient(f, y);
  } else {
    Loss::gradient(f, y, std::span<S>(g));
  }
  return g;
}

/// ∇²ℓ, [C, C]: diag(p) - p pᵀ, I, diag(p (1 - p)); a loss of one's own gives its columns by hessian_times. Where the
/// textbook has the Fisher matrix in its place, that one.
template <class Loss, class S>
std::vector<S> term_hessian(std::span<S const> f, target<S> y) {
  auto const outputs = f.size();
  std::vector<S> h(outputs * outputs);
  if constexpr (std::same_as<Loss, cross_entropy_t>) {
    auto const p = detail::softmax(f);
    for (std::size_t i = 0; i < outputs; ++i)
      for (std::size_t j = 0; j < outputs; ++j) h[i * outputs + j] = (i == j ? p[i] : S(0)) - p[i] * p[j];
  } else if constexpr (std::same_as<Loss, squared_error_t>) {
    for (std::size_t i = 0; i < outputs; ++i) h[i * outputs + i] = 1;
  } else if constexpr (std::same_as<Loss, binary_cross_entropy_t>) {
    for (std::size_t i = 0; i < outputs; ++i) {
      S const p = detail::logistic(f[i]);
      h[i * outputs + i] = p * (1 - p);
    }
  } else if constexpr (has_formulas<Loss>) {
    h = loss_formulas<Loss>::curvature(f, y);
  } else {
    for (std::size_t j = 0; j < outputs; ++j) {
      std::vector<S> unit(outputs), column(outputs);
      unit[j] = 1;
      Loss::hessian_times(f, y, std::span<S const>(unit), std::span<S>(column));
      for (std::size_t i = 0; i < outputs; ++i) h[i * outputs + j] = column[i];
    }
  }
  return h;
}

/// ρ, from the reduction itself rather than from `objective::scale`, in S.
template <class Objective, class S>
S rho(int samples) {
  using reduction = typename Objective::reduction;
  if (std::same_as<reduction, sum_t>) return S(1);
  if (std::same_as<reduction, mean_t>) return S(1) / S(samples);
  return S(1) / (S(samples) * S(Objective::network::output_shape.positions()));
}
template <class Objective, class S>
S rho(batch<S> const& b) {
  if constexpr (!std::same_as<typename Objective::reduction, weighted_mean_t>) return rho<Objective, S>(b.samples);
  int const terms = b.samples * Objective::network::output_shape.positions();
  S total = 0;
  for (int i = 0; i < terms; ++i) {
    if constexpr (has_formulas<typename Objective::loss>) {
      total += loss_formulas<typename Objective::loss>::weight(detail::target_of(b, i, Objective::target_size));
    } else {
      total += 1;
    }
  }
  return 1 / total;
}

// ---- quantities of an objective
// ---------------------------------------------------------------------------------------

/// L = ρ Σ_n Σ_m ℓ(f_nm, y_nm).
template <class Objective, class S>
S loss(std::vector<S> const& theta, batch<S> const& b) {
  using net = typename Objective::network;
  int const terms = net::output_shape.positions();
  int const outputs = net::output_shape.features();
  S total = 0;
  for (int n = 0; n < b.samples; ++n) {
    auto const f = forward<net, S>(theta, sample_of<net>(b, n));
    for (int m = 0; m < terms; ++m)
      total += term_value<typename Objective::loss, S>(detail::part(f, m * outputs, outputs),
                                                       detail::target_of(b, n * terms + m, Objective::target_size));
  }
  return rho<Objective, S>(b) * total;
}

/// What one sample contributes: its output, Jacobian, and the loss's two derivatives at all its terms.
template <class S>
struct sample_derivatives {
  std::vector<S> output{};    // [M, C]
  std::vector<S> jacobian{};  // [M C, P]
  std::vector<S> gradient{};  // [M, C], of the loss terms
  std::vector<S> hessian{};   // [M C, M C], block diagonal
};

/// Gradient and Hessian of the loss terms of sample n at the output f [M, C].
template <class Objective, class S>
sample_derivatives<S> differentiate_terms(std::vector<S> const& f, batch<S> const& b, int n) {
  using net = typename Objective::network;
  int const terms = net::output_shape.positions();
  int const outputs = net::output_shape.features();
  int const all = terms * outputs;
  sample_derivatives<S> s;
  s.output = f;
  s.hessian.resize(detail::at(all * all));
  for (int m = 0; m < terms; ++m) {
    auto const y = detail::target_of(b, n * terms + m, Objective::target_size);
    auto const f_m = detail::part(f, m * outputs, outputs);
    auto const g = term_gradient<typename Objective::loss, S>(f_m, y);
    auto const h = term_hessian<typename Objective::loss, S>(f_m, y);
    s.gradient.insert(s.gradient.end(), g.begin(), g.end());
    for (int i = 0; i < outputs; ++i)
      for (int j = 0; j < outputs; ++j)
        detail::get(s.hessian, (m * outputs + i) * all + m * outputs + j) = detail::get(h, i * outputs + j);
  }
  return s;
}

/// All that the matrices below are made of, for each sample.
template <class Objective, class S>
std::vector<sample_derivatives<S>> differentiate(std::vector<S> const& theta, batch<S> const& b) {
  using net = typename Objective::network;
  std::vector<sample_derivatives<S>> all;
  for (int n = 0; n < b.samples; ++n) {
    auto const x = sample_of<net>(b, n);
    all.push_back(differentiate_terms<Objective, S>(forward<net, S>(theta, x), b, n));
    all.back().jacobian = jacobian<net, S>(theta, x);
  }
  return all;
}

/// ρ Σ_m J_nmᵀ ∇ℓ_nm for every n, [N, P]: the rows sum to the gradient.
template <class Objective, class S>
std::vector<S> per_sample_gradient(std::vector<S> const& theta, batch<S> const& b) {
  int const columns = Objective::network::parameter_count;
  S const scale = rho<Objective, S>(b);
  std::vector<S> g;
  for (auto const& s : differentiate<Objective, S>(theta, b))
    for (int p = 0; p < columns; ++p) {
      S total = 0;
      for (int i = 0; i < static_cast<int>(s.gradient.size()); ++i)
        total += detail::get(s.jacobian, i * columns + p) * detail::get(s.gradient, i);
      g.push_back(scale * total);
    }
  return g;
}

/// ∇L from exact Jacobians, [P].
template <class Objective, class S>
std::vector<S> gradient(std::vector<S> const& theta, batch<S> const& b) {
  int const columns = Objective::network::parameter_count;
  auto const rows = per_sample_gradient<Objective, S>(theta, b);
  std::vector<S> g(detail::at(columns));
  for (int n = 0; n < b.samples; ++n)
    for (int p = 0; p < columns; ++p) detail::get(g, p) += detail::get(rows, n * columns + p);
  return g;
}

namespace detail {

/// Five-point central differences d/dε f(ε) at 0 in long double. The rule's own error is h⁴/30 of the fifth derivative,
/// rounding costs 1e-19/h; with h = 1e-5 both are far below 1e-13 of values near one. A kink within 2h spoils it.
template <class F>
auto derivative_by_differences(F const& f) {
  long double const h = 1e-5L;
  auto result = f(h);
  auto const minus = f(-h);
  auto const far = f(2 * h);
  auto const far_minus = f(-2 * h);
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = (8 * (result[i] - minus[i]) - (far[i] - far_minus[i])) / (12 * h);
  return result;
}

}  // namespace detail

/// ∇L by five-point differences of the loss in long double, [P]; reaches 1e-13 relative to its largest entry.
template <class Objective>
std::vector<long double> gradient_by_differences(std::vector<long double> const& theta, batch<long double> const& b) {
  std::vector<long double> g;
  for (int p = 0; p < Objective::network::parameter_count; ++p) {
    auto const derivative = detail::derivative_by_differences([&](long double step) {
      auto moved = theta;
      detail::get(moved, p) += step;
      return std::vector<long double>{loss<Objective, long double>(moved, b)};
    });
    g.push_back(derivative[0]);
  }
  return g;
}

/// ∇²L v by five-point differences of exact gradients in long double, [P]; as accurate for |v| near one.
template <class Objective>
std::vector<long double> hessian_times(std::vector<long double> const& theta, batch<long double> const& b,
                                       std::vector<long double> const& v) {
  return detail::derivative_by_differences([&](long double step) {
    auto moved = theta;
    for (std::size_t p = 0; p < theta.size(); ++p) moved[p] += step * v[p];
    return gradient<Objective, long double>(moved, b);
  });
}

/// Where the vectors that a curvature matrix is made of come from.
enum class source {
  exact,     ///< the loss's Hessian: the generalized Gauss-Newton matrix
  empirical  ///< the actual gradients g of one sample's loss terms together: g gᵀ
};

namespace detail {
/// The matrix [M C, M C] between two Jacobians of one sample.
template <class S>
std::vector<S> middle(sample_derivatives<S> const& s, source from) {
  if (from == source::exact) return s.hessian;
  std::vector<S> w;
  for (S a : s.gradient)
    for (S c : s.gradient) w.push_back(a * c);
  return w;
}
}  // namespace detail

/// ρ Σ_n J_nᵀ ∇²ℓ_n J_n, dense [P, P].
template <class Objective, class S>
std::vector<S> ggn(std::vector<S> const& theta, batch<S> const& b, source from = source::exact) {
  using detail::get;
  int const order = Objective::network::parameter_count;
  int const outputs = Objective::network::output_shape.size();
  S const scale = rho<Objective, S>(b);
  std::vector<S> g(detail::at(order * order));
  for (auto const& s : differentiate<Objective, S>(theta, b)) {
    auto const w = detail::middle(s, from);
    std::vector<S> wj(detail::at(outputs * order));
    for (int i = 0; i < outputs; ++i)
      for (int k = 0; k < outputs; ++k)
        for (int p = 0; p < order; ++p)
          get(wj, i * order + p) += get(w, i * outputs + k) * get(s.jacobian, k * order + p);
    for (int i = 0; i < outputs; ++i)
      for (int p = 0; p < order; ++p)
        for (int q = 0; q < order; ++q)
          get(g, p * order + q) += scale * get(s.jacobian, i * order + p) * get(wj, i * order + q);
  }
  return g;
}

// ---- K-FAC
// ------------------------------------------------------------------------------------------------------------

/// How positions that share a weight are collapsed: reference (3) and (4), Eschenhagen et al. 2023.
enum class sharing { expand, reduce };

/// Factors of one parameter's block B ⊗ A. With a bias the input has a last coordinate 1: A is [d, d], d = inputs +
/// bias.
template <class S>
struct kronecker_factors {
  int inputs = 0;  // d, with the homogeneous coordinate
  int outputs = 0;
  std::vector<S> a{};  // [d, d]
  std::vector<S> b{};  // [outputs, outputs]
};

namespace detail {

/// One use of a parameter at one position: its input [d] and the Jacobian of the output in its result.
template <class S>
struct position {
  std::vector<S> input{};     // [d], with the homogeneous coordinate
  std::vector<S> jacobian{};  // [M C, outputs]
  bool padding = false;
};

/// The sizes of an input and a result of a parameter's linear part: of a table's a one-hot row, and the row read.
inline int input_size(parameter const& p) { return p.is_table() ? p.outputs / p.row : p.inputs + (p.bias ? 1 : 0); }
inline int output_size(parameter const& p) { return p.is_table() ? p.row : p.outputs; }

/// All positions of all uses of parameter `index` in one sample.
template <class Net, class S>
std::vector<position<S>> positions_of(int index, std::vector<S> const& theta, node_values<S> const& v,
                                      sample<S> const& x) {
  parameter const& p = get(Net::parameters, index);
  int const rows = Net::output_shape.size();
  std::vector<position<S>> all;
  for (int l = 0; l < Net::node_count; ++l) {
    node const& n = get(Net::nodes, l);
    if (n.parameter != index) continue;
    auto const j = jacobian_at_node<Net, S>(theta, v, l, x);
    if (p.is_table()) {
      for (int r = 0; r < n.out.positions(); ++r) {
        position<S> here{std::vector<S>(at(input_size(p)))};
        S const token = get(get(v, n.a), r);
        for (int i = 0; i < input_size(p); ++i)
          if (token == S(i)) get(here.input, i) = 1;
        for (int i = 0; i < rows; ++i)
          for (int o = 0; o < p.row; ++o) here.jacobian.push_back(get(j, i * n.out.size() + r * p.row + o));
        here.padding = get(Net::nodes, n.a).ragged && x.beside.mask != nullptr && x.beside.mask[r] == 0;
        all.push_back(here);
      }
      continue;
    }
    if (n.layer != nullptr) {  // a weight [own, 1] whose input is one
      position<S> here{{S(1)}, std::vector<S>(at(rows * p.outputs))};
      std::vector<S> const still(get(v, n.a).size());
      for (int o = 0; o < p.outputs; ++o) {
        std::vector<S> unit(theta.size()), dy(at(n.out.size()));
        get(unit, p.offset + o) = 1;
        layer_tangent<Net, S>(n, theta, unit, x, get(v, n.a), still, dy);
        for (int i = 0; i < rows; ++i)
          for (int e = 0; e < n.out.size(); ++e)
            get(here.jacobian, i * p.outputs + o) += get(j, i * n.out.size() + e) * get(dy, e);
      }
      all.push_back(here);
      continue;
    }
    for (int r = 0; r < n.out.positions(); ++r) {
      position<S> here;
      for (int i = 0; i < p.inputs; ++i) here.input.push_back(get(get(v, n.a), r * p.inputs + i));
      if (p.bias) here.input.push_back(1);
      for (int i = 0; i < rows; ++i)
        for (int o = 0; o < p.outputs; ++o) here.jacobian.push_back(get(j, i * n.out.size() + r * p.outputs + o));
      if (get(Net::nodes, n.a).ragged && x.beside.mask != nullptr)
        here.padding = x.beside.mask[r / (n.out.positions() / n.out.extent[0])] == 0;
      all.push_back(here);
    }
  }
  return all;
}

/// b += scale Jᵀ W J with J [rows, columns].
template <class S>
void add_sandwich(std::vector<S>& b, S scale, std::vector<S> const& j, std::vector<S> const& w, int rows, int columns) {
  for (int i = 0; i < rows; ++i)
    for (int k = 0; k < rows; ++k)
      for (int p = 0; p < columns; ++p)
        for (int q = 0; q < columns; ++q)
          get(b, p * columns + q) += scale * get(j, i * columns + p) * get(w, i * rows + k) * get(j, k * columns + q);
}

}  // namespace detail

/// K-FAC's factors of every parameter. Positions r run over all positions of all R uses of a parameter:
/// - expand (3): A = 1/(N R) Σ_n Σ_r a aᵀ,       B = ρ Σ_n Σ_r g gᵀ;
/// - reduce (4): A = 1/N Σ_n ā āᵀ, ā the mean,   B = ρ Σ_n ĝ ĝᵀ, ĝ the sum over r.
/// A table's inputs are one-hot rows, and expanded in every mode. Padding is no position: N R is the number of the
/// others and ā their mean, or, in a network that sums positions, A = Σ_n â âᵀ / Σ_n R_n² with â their sum. g gᵀ is
/// summed over all root columns, so it is Jᵀ W J with J the Jacobian of all loss terms' outputs.
template <class Objective, class S>
std::vector<kronecker_factors<S>> kfac(std::vector<S> const& theta, batch<S> const& b, sharing mode,
                                       source from = source::exact) {
  using detail::get;
  using net = typename Objective::network;
  int const rows = net::output_shape.size();
  S const scale = rho<Objective, S>(b);
  bool sums = false;
  for (node const& n : net::nodes) sums = sums || (n.layer != nullptr && n.layer->sums_positions);
  std::vector<kronecker_factors<S>> all;
  for (int index = 0; index < static_cast<int>(net::parameters.size()); ++index) {
    parameter const& p = get(net::parameters, index);
    int const d = detail::input_size(p), outputs = detail::output_size(p);
    sharing const how = p.is_table() ? sharing::expand : mode;
    kronecker_factors<S> f{d, outputs, std::vector<S>(detail::at(d * d)),
                           std::vector<S>(detail::at(outputs * outputs))};
    S weight = 0;  // what A's sum is divided by
    for (int n = 0; n < b.samples; ++n) {
      auto const x = sample_of<net>(b, n);
      auto const v = values<net, S>(theta, x);
      auto const w = detail::middle(differentiate_terms<Objective, S>(v.back(), b, n), from);
      auto positions = detail::positions_of<net, S>(index, theta, v, x);
      std::erase_if(positions, [](auto const& here) { return here.padding; });
      S const count = S(positions.size());
      bool const as_sum = how == sharing::reduce && sums;
      weight += how == sharing::expand ? count : as_sum ? count * count : S(1);
      if (how == sharing::reduce) {
        detail::position<S> one{std::vector<S>(detail::at(d)), std::vector<S>(detail::at(rows * outputs))};
        for (auto const& here : positions) {
          for (std::size_t i = 0; i < one.input.size(); ++i) one.input[i] += here.input[i] / (as_sum ? S(1) : count);
          for (std::size_t i = 0; i < one.jacobian.size(); ++i) one.jacobian[i] += here.jacobian[i];
        }
        positions = {one};
      }
      for (auto const& here : positions) {
        for (int i = 0; i < d; ++i)
          for (int j = 0; j < d; ++j) get(f.a, i * d + j) += get(here.input, i) * get(here.input, j);
        detail::add_sandwich(f.b, scale, here.jacobian, w, rows, outputs);
      }
    }
    for (S& a : f.a) a /= weight;
    all.push_back(f);
  }
  return all;
}

/// The rows of a root of one loss term's Hessian, Σ_k s_k s_kᵀ = ∇²ℓ: the textbook's C columns √p_k (e_k - p), e_k,
/// √(p_k (1 - p_k)) e_k; a loss of one's own gives `root`.
template <class Loss, class S>
std::vector<std::vector<S>> term_root(std::span<S const> f, target<S> y) {
  std::vector<std::vector<S>> rows;
  if constexpr (std::same_as<Loss, cross_entropy_t>) {
    auto const p = detail::softmax(f);
    for (std::size_t k = 0; k < f.size(); ++k) {
      std::vector<S> s(f.size());
      for (std::size_t c = 0; c < f.size(); ++c) s[c] = std::sqrt(p[k]) * ((c == k ? S(1) : S(0)) - p[c]);
      rows.push_back(s);
    }
  } else if constexpr (std::same_as<Loss, squared_error_t> || std::same_as<Loss, binary_cross_entropy_t>) {
    auto const h = term_hessian<Loss, S>(f, y);
    for (std::size_t k = 0; k < f.size(); ++k) {
      std::vector<S> s(f.size());
      s[k] = std::sqrt(h[k * f.size() + k]);
      rows.push_back(s);
    }
  } else {
    auto const count = static_cast<std::size_t>(Loss::root_columns(static_cast<int>(f.size())));
    std::vector<S> flat(count * f.size());
    Loss::root(f, y, std::span<S>(flat));
    for (std::size_t k = 0; k < count; ++k)
      rows.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(k * f.size()),
                        flat.begin() + static_cast<std::ptrdiff_t>((k + 1) * f.size()));
  }
  return rows;
}

/// T_nmk = Σ_r g_nrmk a_nrᵀ of parameter `index`, [outputs, d] each, in the order n, m, k (reference (1)): the block of
/// the GGN is ρ Σ vec(T) vec(T)ᵀ. The k depend on the root taken; sums over k do not.
template <class Objective, class S>
std::vector<std::vector<S>> pseudo_gradients(int index, std::vector<S> const& theta, batch<S> const& b) {
  using detail::get;
  using net = typename Objective::network;
  int const terms = net::output_shape.positions();
  int const outputs = net::output_shape.features();
  parameter const& p = get(net::parameters, index);
  int const d = detail::input_size(p), wide = detail::output_size(p);
  std::vector<std::vector<S>> all;
  for (int n = 0; n < b.samples; ++n) {
    auto const x = sample_of<net>(b, n);
    auto const v = values<net, S>(theta, x);
    auto const positions = detail::positions_of<net, S>(index, theta, v, x);
    for (int m = 0; m < terms; ++m) {
      auto const root = term_root<typename Objective::loss, S>(
          detail::part(v.back(), m * outputs, outputs), detail::target_of(b, n * terms + m, Objective::target_size));
      for (auto const& s : root) {
        std::vector<S> t(detail::at(wide * d));
        for (auto const& here : positions)
          for (int o = 0; o < wide; ++o) {
            S g = 0;
            for (int c = 0; c < outputs; ++c) g += get(here.jacobian, (m * outputs + c) * wide + o) * get(s, c);
            for (int i = 0; i < d; ++i) get(t, o * d + i) += g * get(here.input, i);
          }
        all.push_back(t);
      }
    }
  }
  return all;
}

/// The block of a [P, P] matrix that belongs to parameter `index`, reordered as B ⊗ A is: index o d + i, the bias of
/// output o at i = inputs. [outputs d, outputs d].
template <class Net, class S>
std::vector<S> block(std::vector<S> const& matrix, int index) {
  parameter const& p = detail::get(Net::parameters, index);
  std::vector<int> flat;
  for (int o = 0; o < p.outputs; ++o) {
    for (int i = 0; i < p.inputs; ++i) flat.push_back(p.offset + o * p.inputs + i);
    if (p.bias) flat.push_back(p.offset + p.outputs * p.inputs + o);
  }
  std::vector<S> result;
  for (int i : flat)
    for (int j : flat) result.push_back(detail::get(matrix, i * Net::parameter_count + j));
  return result;
}

/// B ⊗ A for A [m, m] and B [k, k].
template <class S>
std::vector<S> kronecker(std::vector<S> const& b, int k, std::vector<S> const& a, int m) {
  std::vector<S> result(detail::at(k * m * k * m));
  for (int i = 0; i < k; ++i)
    for (int j = 0; j < k; ++j)
      for (int r = 0; r < m; ++r)
        for (int c = 0; c < m; ++c)
          detail::get(result, (i * m + r) * k * m + j * m + c) = detail::get(b, i * k + j) * detail::get(a, r * m + c);
  return result;
}
template <class S>
std::vector<S> kronecker(kronecker_factors<S> const& f) {
  return kronecker(f.b, f.outputs, f.a, f.inputs);
}

// ---- helpers
// ----------------------------------------------------------------------------------------------------------

/// A seeded stream of numbers, the same on every standard library. The numbers are doubles, so that both scalars get
/// the very same ones.
struct random_numbers {
  std::mt19937_64 engine;

  explicit random_numbers(std::uint64_t seed) : engine(seed) {}
  double uniform() { return static_cast<double>(engine() >> 11) * 0x1p-53; }
  double normal() {
    double const radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  int below(int n) { return std::min(n - 1, static_cast<int>(uniform() * n)); }
};

template <class S>
std::vector<S> random_vector(int count, std::uint64_t seed) {
  random_numbers random(seed);
  std::vector<S> v;
  for (int i = 0; i < count; ++i) v.push_back(static_cast<S>(random.normal()));
  return v;
}

/// Weights of variance 1/inputs, biases of variance 1/4.
template <class Net, class S>
std::vector<S> random_theta(std::uint64_t seed) {
  random_numbers random(seed);
  std::vector<S> theta;
  for (parameter const& p : Net::parameters)
    for (int i = 0; i < p.size(); ++i)
      theta.push_back(static_cast<S>(random.normal() * (i < p.outputs * p.inputs ? 1 / std::sqrt(p.inputs) : 0.5)));
  return theta;
}

enum class targets { labels, vectors };

/// Standard normal inputs, and targets in the loss's domain: labels, or probabilities for the cross-entropies, or
/// standard normal vectors.
template <class Objective, class S>
batch<S> random_batch(int samples, std::uint64_t seed, targets kind) {
  using net = typename Objective::network;
  int const terms = samples * net::output_shape.positions();
  int const outputs = net::output_shape.features();
  random_numbers random(seed);
  batch<S> b{samples};
  for (int i = 0; i < samples * net::input_shape.size(); ++i) b.inputs.push_back(static_cast<S>(random.normal()));
  for (int t = 0; t < terms; ++t) {
    if (kind == targets::labels) {
      b.labels.push_back(random.below(outputs));
      continue;
    }
    std::vector<double> y;
    double total = 0;
    for (int c = 0; c < outputs; ++c) {
      y.push_back(std::same_as<typename Objective::loss, cross_entropy_t>          ? 0.1 + random.uniform()
                  : std::same_as<typename Objective::loss, binary_cross_entropy_t> ? random.uniform()
                                                                                   : random.normal());
      total += y.back();
    }
    for (double c : y)
      b.vectors.push_back(static_cast<S>(std::same_as<typename Objective::loss, cross_entropy_t> ? c / total : c));
  }
  return b;
}

/// max |a - b| / max |b|; infinite where it would say nothing: sizes differ, b is empty or all zero, or something is
/// not a number. Computed in long double.
template <class A, class B>
long double relative_error(A const& a, B const& b) {
  constexpr auto nothing = std::numeric_limits<long double>::infinity();
  if (std::size(a) != std::size(b)) return nothing;
  long double difference = 0, largest = 0;
  auto i = std::begin(a);
  for (auto const& e : b) {
    long double const gap = std::abs(static_cast<long double>(*i++) - static_cast<long double>(e));
    if (!std::isfinite(gap)) return nothing;
    difference = std::max(difference, gap);
    largest = std::max(largest, std::abs(static_cast<long double>(e)));
  }
  return largest > 0 ? difference / largest : nothing;
}

}  // namespace kappa::reference
