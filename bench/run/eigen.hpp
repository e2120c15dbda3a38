#pragma once
/// \file
/// The same gradients by Eigen, as one would write them by hand: products into what was allocated once, the rest in
/// array expressions.

#include <Eigen/Core>
#include <array>
#include <memory>
#include <tuple>
#include <type_traits>

#include "timing.hpp"

namespace bench {
namespace eigen {

using Eigen::Dynamic;
using Eigen::Index;

// Row-major, except for columns, which Eigen wants column-major.
template <int Rows, int Columns>
using matrix = Eigen::Matrix<float, Rows, Columns, (Columns == 1 && Rows != 1) ? Eigen::ColMajor : Eigen::RowMajor>;

/// y = φ(x Wᵀ + b) for N rows; any size may be Eigen::Dynamic.
template <int N, int In, int Out>
struct layer {
  matrix<Out, In> w, dw;
  matrix<1, Out> b, db;
  matrix<N, Out> y, delta;

  void resize(Index n, Index in, Index out) {
    w.resize(out, in), dw.resize(out, in);
    b.resize(1, out), db.resize(1, out);
    y.resize(n, out), delta.resize(n, out);
  }
  float const* take(float const* theta) {
    w = Eigen::Map<matrix<Out, In> const>(theta, w.rows(), w.cols());
    b = Eigen::Map<matrix<1, Out> const>(theta + w.size(), 1, b.cols());
    return theta + w.size() + b.size();
  }
  template <class X>
  void forward(X const& x) {
    y.noalias() = x * w.transpose();
    y.rowwise() += b;
  }
  template <bool Add, class X>
  void gradient(X const& x) {
    if constexpr (Add) {
      dw.noalias() += delta.transpose() * x;
      db += delta.colwise().sum();
    } else {
      dw.noalias() = delta.transpose() * x;
      db = delta.colwise().sum();
    }
  }
  double squares() const { return static_cast<double>(dw.squaredNorm()) + static_cast<double>(db.squaredNorm()); }
};

struct relu_units {
  template <class Y>
  static void value(Y& y) {
    y = y.cwiseMax(0.0F);
  }
  template <class Y, class D>
  static void derivative(Y const& y, D& delta) {
    delta.array() *= (y.array() > 0.0F).template cast<float>();
  }
};
struct tanh_units {
  template <class Y>
  static void value(Y& y) {
    y = y.array().tanh();
  }
  template <class Y, class D>
  static void derivative(Y const& y, D& delta) {
    delta.array() *= 1.0F - y.array().square();
  }
};

/// Mean cross-entropy: its value, and δ = (softmax − onehot) / N.
struct cross_entropy {
  std::vector<int> labels;
  template <class F, class D>
  double operator()(F const& f, D& delta) const {
    double total = 0;
    float const rho = 1.0F / static_cast<float>(f.rows());
    for (Index n = 0; n < f.rows(); ++n) {
      Index const label = labels[static_cast<std::size_t>(n)];
      float const largest = f.row(n).maxCoeff();
      delta.row(n) = (f.row(n).array() - largest).exp();
      float const sum = delta.row(n).sum();
      total += static_cast<double>(std::log(sum) - (f(n, label) - largest));
      delta.row(n) *= rho / sum;
      delta(n, label) -= rho;
    }
    return total * static_cast<double>(rho);
  }
};
/// Mean of ½ ‖f − y‖².
template <class Y>
struct squared_error {
  Y y;
  float rho;
  template <class F, class D>
  double operator()(F const& f, D& delta) const {
    delta = (f - y) * rho;
    return 0.5 * static_cast<double>(delta.squaredNorm()) / static_cast<double>(rho);
  }
};

/// Loss and gradient of a network of layers of these sizes, Dynamic or fixed.
template <class Activation, int N, int... Widths>
class network;
template <class Activation, int N, int In, int H, int... Rest>
class network<Activation, N, In, H, Rest...> {
 public:
  static constexpr bool last = sizeof...(Rest) == 0;
  layer<N, In, H> own;
  std::conditional_t<last, std::tuple<>, network<Activation, N, H, Rest...>> rest;

  void resize(Index n, int const* widths) {
    own.resize(n, widths[0], widths[1]);
    if constexpr (!last) rest.resize(n, widths + 1);
  }
  void take(float const* theta) {
    [[maybe_unused]] float const* const after = own.take(theta);
    if constexpr (!last) rest.take(after);
  }
  /// Forward and back; the gradient is written, or added to what is there.
  template <bool Add, class X, class Loss>
  double sweep(X const& x, Loss const& loss) {
    own.forward(x);
    double value = 0;
    if constexpr (last) {
      value = loss(own.y, own.delta);
    } else {
      Activation::value(own.y);
      value = rest.template sweep<Add>(own.y, loss);
      own.delta.noalias() = rest.own.delta * rest.own.w;
      Activation::derivative(own.y, own.delta);
    }
    own.template gradient<Add>(x);
    return value;
  }
  double squares() const {
    if constexpr (last)
      return own.squares();
    else
      return own.squares() + rest.squares();
  }
};

inline void report(benchmark::State& state, problem const& p, std::size_t n, double squares) {
  state.counters["gradient_norm"] = std::sqrt(squares);
  state.counters["gflops"] =
      benchmark::Counter(gradient_flops(p, n) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

template <class Activation, int... Widths>
void gradient(benchmark::State& state, problem const& p, std::size_t n) {
  auto const net = std::make_unique<network<Activation, Dynamic, Widths...>>();
  auto const rows = static_cast<Index>(n);
  net->resize(rows, p.widths.data());
  auto const theta = parameters(p);
  net->take(theta.data());
  auto const of_inputs = inputs(p, n);
  using matrix = Eigen::Matrix<float, Dynamic, Dynamic, Eigen::RowMajor>;
  matrix const x = Eigen::Map<matrix const>(of_inputs.data(), rows, static_cast<Index>(p.inputs()));
  auto const time = [&](auto const& loss) {
    for ([[maybe_unused]] auto const& step : state) {
      benchmark::DoNotOptimize(net->template sweep<false>(x, loss));
      benchmark::ClobberMemory();
    }
  };
  if (p.classifies) {
    time(cross_entropy{labels(p, n)});
  } else {
    auto const y = targets(p, n);
    time(squared_error<matrix>{Eigen::Map<matrix const>(y.data(), rows, static_cast<Index>(p.outputs())),
                               1.0F / static_cast<float>(n)});
  }
  report(state, p, n, net->squares());
}

/// The same with every size fixed, one sample after the other, as one writes it for a network in a control loop.
/// Squared error only.
template <class Activation, int In, int... Widths>
void gradient_per_sample(benchmark::State& state, problem const& p, std::size_t n) {
  auto const net = std::make_unique<network<Activation, 1, In, Widths...>>();
  constexpr int out = std::array{Widths...}.back();
  auto const theta = parameters(p);
  net->take(theta.data());
  auto const of_inputs = inputs(p, n), of_targets = targets(p, n);
  using x_map = Eigen::Map<matrix<1, In> const>;
  using y_map = Eigen::Map<matrix<1, out> const>;
  float const rho = 1.0F / static_cast<float>(n);
  for ([[maybe_unused]] auto const& step : state) {
    double value =
        net->template sweep<false>(x_map(of_inputs.data()), squared_error<y_map>{y_map(of_targets.data()), rho});
    for (std::size_t i = 1; i < n; ++i)
      value += net->template sweep<true>(x_map(of_inputs.data() + i * In),
                                         squared_error<y_map>{y_map(of_targets.data() + i * out), rho});
    benchmark::DoNotOptimize(value);
    benchmark::ClobberMemory();
  }
  report(state, p, n, net->squares());
}

template <class F>
void add(problem const& p, std::size_t n, char const* who, F&& f) {
  auto const name = "gradient/" + p.name + "/" + std::to_string(n) + "/" + who;
  timed(benchmark::RegisterBenchmark(name.c_str(), f)->Unit(benchmark::kMicrosecond));
}

/// Registers `gradient/network/batch/Eigen` for a network of so many layers.
template <class Activation, int... Widths>
void add(problem const& p, std::size_t n) {
  add(p, n, "Eigen", [=](benchmark::State& state) { gradient<Activation, Widths...>(state, p, n); });
}
/// Registers `gradient/network/batch/Eigen_fixed`.
template <class Activation, int... Widths>
void add_per_sample(problem const& p, std::size_t n) {
  add(p, n, "Eigen_fixed", [=](benchmark::State& state) { gradient_per_sample<Activation, Widths...>(state, p, n); });
}

}  // namespace eigen
}  // namespace bench
