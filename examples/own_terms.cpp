// A term, an activation, a map and a loss of one's own, in one network: what docs/networks.md quotes. The derived
// gradient and Hessian-vector product are held against differences; the program says so and returns 0, or 1.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <span>
#include <vector>

#include <kappa/algebra.hpp>
#include <kappa/declare.hpp>
#include <kappa/derive.hpp>

namespace {

using namespace kappa;

// [term]
// A gated linear unit of any width. emit adds nodes to the graph g and returns the last; x is what it is applied to.
template <int Width>
struct glu_t : term_base<glu_t<Width>> {
  static constexpr int emit(auto& g, int x) {
    constexpr auto unit = dense<Width> * (dense<Width> | act::sigmoid);
    return unit.emit(g, x);
  }
};
template <int Width>
inline constexpr glu_t<Width> glu{};
// [/term]

// [activation]
// s / √(1 + s²): bounded as tanh is, and cheaper.
struct squash {
  static constexpr char const* name = "squash";
  static auto value(auto s) { return s / std::sqrt(1 + s * s); }
  static auto first_derivative(auto s) { return 1 / ((1 + s * s) * std::sqrt(1 + s * s)); }
  static auto second_derivative(auto s) { return -3 * s / ((1 + s * s) * (1 + s * s) * std::sqrt(1 + s * s)); }
};
// [/activation]

// [map]
// Products of the two halves of a value, [2 k] -> [k]: y_i = x_i x_{k+i}.
struct halves_product {
  static constexpr char const* name = "halves_product";
  static constexpr shape output(shape s) {
    return s.rank == 1 && s.size() % 2 == 0 ? shape{1, {s.size() / 2}} : shape{};  // rank 0 refuses
  }
  static void apply(auto x, auto y) {
    auto const k = y.size();
    for (std::size_t i = 0; i < k; ++i) y[i] = x[i] * x[k + i];
  }
  static void push(auto x, auto dx, auto dy) {  // dy = J dx
    auto const k = dy.size();
    for (std::size_t i = 0; i < k; ++i) dy[i] = dx[i] * x[k + i] + x[i] * dx[k + i];
  }
  static void pull(auto x, auto gy, auto gx) {  // gx = Jᵀ gy
    auto const k = gy.size();
    for (std::size_t i = 0; i < k; ++i) {
      gx[i] = gy[i] * x[k + i];
      gx[k + i] = gy[i] * x[i];
    }
  }
  static void push_pull(auto, auto dx, auto gy, auto gx) { pull(dx, gy, gx); }  // J is linear in x
};
// [/map]

// [loss]
// Σ_c log cosh(f_c - y_c): quadratic near the target, linear far away.
struct log_cosh_t : loss_tag {
  static constexpr char const* name = "log_cosh";
  static constexpr int smallest_output = 1;
  static constexpr bool takes_labels = false;
  static constexpr bool takes_vectors = true;

  template <class T>
  static T value(std::span<T const> f, target<T> y) {
    T total = 0;
    for (std::size_t c = 0; c < f.size(); ++c) {
      T const d = std::abs(f[c] - y.values[c]);
      total += d + std::log1p(std::exp(-2 * d)) - std::log(T(2));
    }
    return total;
  }
  template <class T>
  static void gradient(std::span<T const> f, target<T> y, std::span<T> g) {
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = std::tanh(f[c] - y.values[c]);
  }
  static constexpr int root_columns(int outputs) { return outputs; }
  template <class T>
  static void root(std::span<T const> f, target<T> y, std::span<T> s) {  // row k is s_k
    for (std::size_t k = 0; k < f.size(); ++k)
      for (std::size_t c = 0; c < f.size(); ++c)
        s[k * f.size() + c] = k == c ? 1 / std::cosh(f[c] - y.values[c]) : T(0);
  }
  template <class T>
  static void hessian_times(std::span<T const> f, target<T> y, std::span<T const> v, std::span<T> u) {
    for (std::size_t c = 0; c < f.size(); ++c) {
      T const t = std::tanh(f[c] - y.values[c]);
      u[c] = (1 - t) * (1 + t) * v[c];
    }
  }
  // exp(-ℓ) is the density 1 / (π cosh d) of d = log tan(π u / 2), u uniform; its gradient tanh d is -cos(π u).
  template <class T, class Random>
  static void sample(std::span<T const> f, Random& random, std::span<T> g) {
    for (std::size_t c = 0; c < f.size(); ++c) g[c] = static_cast<T>(-std::cos(std::numbers::pi * random.uniform()));
  }
  template <class T>
  static char const* fault_of(std::span<T const>) {  // the sentence of what is wrong with a target vector
    return nullptr;
  }
};
inline constexpr log_cosh_t log_cosh{};
// [/loss]

// [use]
struct net : network<input<3> | glu<8> | act::custom<squash> | map<halves_product> | dense<2>> {};
struct goal : objective<net, log_cosh> {};
// [/use]

constexpr std::size_t samples = 5;

/// max |a - b| / max |b|.
double relative_error(std::span<double const> a, std::span<double const> b) {
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference = std::max(difference, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return difference / largest;
}

}  // namespace

int main() {
  counter_random random(3);
  auto const theta = initialise<net, double>(1);
  std::vector<double> x(samples * 3), y(samples * 2), v(net::parameter_count);
  for (double& e : x) e = random.normal();
  for (double& e : y) e = random.normal();
  for (double& e : v) e = random.normal();

  auto const q = derive<goal>(theta, batch(x, y), loss_value, gradient, ggn, hessian_vector_product(v));

  // The loss and its gradient a little to both sides, along v and along each parameter.
  double const step = 1e-5;
  auto const moved = [&](double by, auto const& direction) {
    std::vector<double> there(theta.begin(), theta.end());
    for (std::size_t p = 0; p < there.size(); ++p) there[p] += by * direction[p];
    return there;
  };
  std::vector<double> slopes, curvatures, unit(v.size());
  for (std::size_t p = 0; p < v.size(); ++p) {
    std::fill(unit.begin(), unit.end(), 0.0);
    unit[p] = 1;
    slopes.push_back((derive<goal>(moved(step, unit), batch(x, y), loss_value)[loss_value] -
                      derive<goal>(moved(-step, unit), batch(x, y), loss_value)[loss_value]) /
                     (2 * step));
  }
  auto const ahead = derive<goal>(moved(step, v), batch(x, y), gradient);
  auto const behind = derive<goal>(moved(-step, v), batch(x, y), gradient);
  for (std::size_t p = 0; p < v.size(); ++p)
    curvatures.push_back((ahead[gradient][p] - behind[gradient][p]) / (2 * step));

  auto const g = q[gradient];
  auto const hv = q[hessian_vector_product];
  double const error = relative_error(slopes, std::span<double const>(g.data(), g.size()));
  double const second_error = relative_error(curvatures, std::span<double const>(hv.data(), hv.size()));
  auto const spectrum = eigenvalues(q[ggn]);
  std::printf("%d parameters, loss %.4f, largest GGN eigenvalue %.4f\n", net::parameter_count, q[loss_value],
              spectrum(0));
  std::printf("against differences: gradient %.1e, Hessian-vector product %.1e\n", error, second_error);
  return error < 1e-8 && second_error < 1e-8 ? 0 : 1;
}
