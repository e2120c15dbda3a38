// The same gradients by Eigen, as one would write them by hand: products into what was allocated once, the rest in
// array expressions.

#include <Eigen/Core>
#include <memory>
#include <tuple>
#include <type_traits>

#include "timing.hpp"

namespace {

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
  template <class X>
  void gradient(X const& x) {
    dw.noalias() = delta.transpose() * x;
    db = delta.colwise().sum();
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
template <int N, int Out>
struct squared_error {
  matrix<N, Out> y;
  template <class F, class D>
  double operator()(F const& f, D& delta) const {
    delta = (f - y) * (1.0F / static_cast<float>(f.rows()));
    return 0.5 * static_cast<double>(delta.squaredNorm()) * static_cast<double>(f.rows());
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
  template <class X, class Loss>
  double sweep(X const& x, Loss const& loss) {
    own.forward(x);
    double value = 0;
    if constexpr (last) {
      value = loss(own.y, own.delta);
    } else {
      Activation::value(own.y);
      value = rest.sweep(own.y, loss);
      own.delta.noalias() = rest.own.delta * rest.own.w;
      Activation::derivative(own.y, own.delta);
    }
    own.gradient(x);
    return value;
  }
  double squares() const {
    if constexpr (last)
      return own.squares();
    else
      return own.squares() + rest.squares();
  }
};

template <class Activation, int N, int... Widths>
void gradient(benchmark::State& state, bench::problem const& p, std::size_t n) {
  using net_type = network<Activation, N, Widths...>;
  constexpr int in = std::get<0>(std::tuple(Widths...)), out = std::get<sizeof...(Widths) - 1>(std::tuple(Widths...));
  auto const net = std::make_unique<net_type>();
  auto const rows = static_cast<Index>(n);
  net->resize(rows, p.widths.data());
  auto const theta = bench::parameters(p);
  net->take(theta.data());
  auto const inputs = bench::inputs(p, n);
  matrix<N, in> const x = Eigen::Map<matrix<N, in> const>(inputs.data(), rows, static_cast<Index>(p.inputs()));
  auto const time = [&](auto const& loss) {
    for ([[maybe_unused]] auto const& step : state) {
      benchmark::DoNotOptimize(net->sweep(x, loss));
      benchmark::ClobberMemory();
    }
  };
  if (p.classifies) {
    time(cross_entropy{bench::labels(p, n)});
  } else {
    auto const y = bench::targets(p, n);
    time(squared_error<N, out>{Eigen::Map<matrix<N, out> const>(y.data(), rows, static_cast<Index>(p.outputs()))});
  }
  double const flops = bench::gradient_flops(p, n);
  state.counters["gradient_norm"] = std::sqrt(net->squares());
  state.counters["gflops"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

template <class Activation, int N, int... Widths>
void add(bench::problem const& p, std::size_t n, char const* who) {
  bench::timed(
      benchmark::RegisterBenchmark(("gradient/" + p.name + "/" + std::to_string(n) + "/" + who).c_str(),
                                   [=](benchmark::State& state) { gradient<Activation, N, Widths...>(state, p, n); })
          ->Unit(benchmark::kMicrosecond));
}

}  // namespace

int main(int count, char** arguments) {
  Eigen::setNbThreads(bench::threads());
  for (std::size_t const n : {32U, 128U, 512U}) {
    add<relu_units, Dynamic, Dynamic, Dynamic, Dynamic>(bench::small(), n, "Eigen");
    add<relu_units, Dynamic, Dynamic, Dynamic, Dynamic, Dynamic>(bench::large(), n, "Eigen");
  }
  for (std::size_t const n : {1U, 64U})
    add<tanh_units, Dynamic, Dynamic, Dynamic, Dynamic, Dynamic>(bench::tiny(), n, "Eigen");
  add<tanh_units, 1, 2, 16, 16, 1>(bench::tiny(), 1, "Eigen_fixed");
  add<tanh_units, 64, 2, 16, 16, 1>(bench::tiny(), 64, "Eigen_fixed");
  return bench::run(count, arguments);
}
