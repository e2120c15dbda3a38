// The losses and reductions beyond the plain ones: smoothed, weighted and ignored labels, outliers, learned variances.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <kappa/kappa.hpp>
#include <vector>

using namespace kappa;

namespace {

// [labels]
struct tagger : network<input<6, 8> | dense<16> | act::gelu | dense<3>> {};  // a label for each of 6 positions
struct tags : objective<tagger, cross_entropy, mean_over_positions> {};
struct smoothed : objective<tagger, label_smoothing<0.1>(cross_entropy), mean_over_positions> {};
struct by_class : objective<tagger, class_weights<1, 4, 2.5>(cross_entropy), weighted_mean> {};

inline constexpr std::array rarity{1.0, 4.0, 2.5};
inline constexpr auto careful = class_weights<rarity>(label_smoothing<0.1>(cross_entropy));
struct all_three : objective<tagger, ignore_index<-100>(careful), weighted_mean> {};
// [/labels]

// [vectors]
struct robust_network : network<input<8> | dense<16> | act::tanh | dense<3>> {};
struct robust : objective<robust_network, huber<0.5>> {};

struct forecast_network : network<input<8> | dense<16> | act::tanh | dense<6>> {};  // 3 means, then 3 log-variances
struct forecast : objective<forecast_network, gaussian_negative_log_likelihood> {};
static_assert(forecast::outputs == 6 && forecast::target_size == 3);
// [/vectors]

// [scale]
static_assert(tags::scale(4) == 1.0 / 24);               // 1/(N M): known with the size of the batch
static_assert(all_three::scale_depends_on_targets);      // 1/Σ w: known with its targets
static_assert(all_three::scale(4, 30.5) == 1.0 / 30.5);  // 30.5: the weights of its labels together
// [/scale]

}  // namespace

int main() {
  counter_random random(1);
  std::vector<double> inputs(4 * 6 * 8);
  std::vector<int> labels(4 * 6);
  for (double& x : inputs) x = random.normal();
  for (int& y : labels) y = static_cast<int>(random.below(3));
  auto const theta = initialise<tagger, double>(7);

  std::printf("plain %.4f, smoothed %.4f, by class %.4f\n",
              derive<tags>(theta, batch(inputs, labels), loss_value)[loss_value],
              derive<smoothed>(theta, batch(inputs, labels), loss_value)[loss_value],
              derive<by_class>(theta, batch(inputs, labels), loss_value)[loss_value]);

  // [ignored]
  labels[5] = labels[11] = -100;  // the last position of the first two samples is padding
  auto const q = derive<all_three>(theta, batch(inputs, labels), loss_value, gradient, ggn, kfac<expand>);
  std::printf("with padding %.4f, trace of the Gauss-Newton matrix %.4f\n", q[loss_value], trace(q[ggn]));
  try {
    derive<tags>(theta, batch(inputs, labels), gradient);
  } catch (invalid_value const& e) {
    std::printf("%s\n", e.what());  // label 5 is -100, a class from 0 to 2 was expected
  }
  // [/ignored]

  // [fisher]
  std::vector<double> const x(inputs.begin(), inputs.begin() + 10 * 8);
  std::vector<double> y(10 * 3);  // as many numbers as there are means
  for (double& e : y) e = random.normal();
  auto const weights = initialise<forecast_network, double>(7);
  std::vector<double> const v(weights.size(), 0.1);
  auto const f =
      derive<forecast>(weights, batch(x, y), gradient, ggn, ggn_vector_product(v), hessian_vector_product(v));
  auto const by_fisher = f[ggn_vector_product];                   // Jᵀ F J v: never negative along v
  auto const by_hessian = f[hessian_vector_product];              // ∇²L v: may be
  auto const step = solve(f[ggn] + 0.1 * identity, f[gradient]);  // the natural gradient, damped
  // [/fisher]
  double along_fisher = 0, along_hessian = 0;
  for (std::size_t p = 0; p < v.size(); ++p) {
    along_fisher += v[p] * by_fisher[p];
    along_hessian += v[p] * by_hessian[p];
  }
  std::printf("along v: Fisher %.4f, Hessian %.4f; step %.4f\n", along_fisher, along_hessian, step(0));

  auto const start = initialise<robust_network, double>(7);
  y[0] = 1e6;  // an outlier's gradient is cut off, its curvature nothing
  auto const r = derive<robust>(start, batch(x, y), loss_value, gradient);
  double largest = 0;
  for (double g : r[gradient]) largest = std::max(largest, std::abs(g));
  std::printf("with an outlier: loss %.4g, largest derivative %.4f\n", r[loss_value], largest);
  return along_fisher > 0 && largest < 10 ? 0 : 1;
}
