// The Gauss-Newton matrix of a mini-batch as V Vᵀ: its spectrum, its directions, Newton steps along them, and curvature
// of more samples than a batch holds. Quoted in docs/low_rank.md.

#include <cmath>
#include <cstdio>
#include <vector>

#include <kappa/kappa.hpp>
#include <kappa/methods.hpp>

using namespace kappa;

// [network]
struct net : network<input<12> | dense<16, "first"> | act::tanh | dense<5, "second">> {};
struct goal : objective<net, cross_entropy> {};
// [/network]

int main() {
  std::size_t const samples = 64;
  auto const theta = initialise<net, double>(1);
  std::vector<double> x(samples * 12);
  std::vector<int> y(samples);
  counter_random random(2);
  for (double& v : x) v = random.normal();
  for (int& v : y) v = static_cast<int>(random.below(5));
  batch<double> const data(x, y);

  // [sources]
  auto const q = derive<goal>(theta, data, gradient,
                              ggn,                           // exact, C - 1 columns a sample
                              ggn_from<full_root>,           // exact, C columns
                              ggn_from<monte_carlo<2>>(7),   // 2 draws a sample, seed 7: right in expectation
                              empirical_fisher,              // the gradients at the actual labels
                              ggn_from<exact, per_layer>,    // a block for every layer
                              ggn_from<exact, groups<0, 0>>  // a partition of one's own
  );
  // [/sources]
  std::printf("roots: %zu, %zu, %zu and %zu columns; traces %.4f and %.4f exact, %.4f drawn, %.4f empirical\n",
              q[ggn].root().columns(), q[ggn_from<full_root>].root().columns(),
              q[ggn_from<monte_carlo<2>>].root().columns(), q[empirical_fisher].root().columns(), trace(q[ggn]),
              trace(q[ggn_from<full_root>]), trace(q[ggn_from<monte_carlo<2>>]), trace(q[empirical_fisher]));

  // [spectrum]
  auto const all = eigenvalues(q[ggn]);        // from the Gram matrix VᵀV, of order N (C - 1)
  auto const top = top_eigenpairs(q[ggn], 4);  // block Krylov on it, then one product with V each
  auto const layers = q[ggn_from<exact, per_layer>];
  auto const first = eigenvalues(layers.group(0));  // of the first layer's block alone
  // [/spectrum]
  std::printf("eigenvalues %.4f ... %.2e; the fourth pair's residual %.1e; first layer from %.4f\n", all(0),
              all(all.size() - 1), top.residuals(3), first(0));

  // [directions]
  auto const d = directional_derivatives_of(q, ggn, leading{4});
  auto const trusted = signal_to_noise(d.slopes);  // mean² / variance over samples, per direction
  auto const large = directional_derivatives_of(q, ggn, eigenvalues_from{.threshold = 0.1, .relative = true});
  auto const mine = directional_derivatives_of(q, ggn, [](double eigenvalue) { return eigenvalue > 0.01; });
  // [/directions]
  std::printf("4 directions, signal to noise %.3f to %.3f; %zu above a tenth of the largest, %zu above 0.01\n",
              trusted(0), trusted(3), large.count(), mine.count());

  // [newton]
  auto const plain = directional_newton_step_of(q, ggn, leading{4}, constant_damping{0.1});
  auto const careful = directional_newton_step_of(q, ggn, leading{4}, bootstrap_damping{.seed = 3});
  auto const by_layer = directional_newton_step_of(q, ggn_from<exact, per_layer>, leading{4},
                                                   [](directional_derivatives<double> const& of) {
                                                     auto delta = zeros<double>(of.count());  // one for each direction
                                                     for (double& v : elements(delta)) v = 0.5 * of.eigenvalues(0);
                                                     return delta;
                                                   });
  // [/newton]
  auto const length = [](vector<double> const& v) {
    double total = 0;
    for (double e : elements(v)) total += e * e;
    return std::sqrt(total);
  };
  std::printf("Newton steps of length %.3f, %.3f (bootstrap) and %.3f (by layer, %zu groups)\n", length(plain.step),
              length(careful.step), length(by_layer.step), by_layer.groups.size());

  // [sub_batch]
  std::vector<std::size_t> const chosen{3, 9, 27, 44, 50, 51, 60, 63};
  sub_batch<double> const some(data, samples, chosen);
  auto const curvature = derive<goal>(theta, some.view(), ggn);                 // 8 samples
  auto const slopes = derive<goal>(theta, data, per_sample_gradient_operator);  // all 64
  auto const cheap =
      directional_derivatives_of(curvature, ggn, slopes, leading{4});  // slopes [64, 4], curvatures [8, 4]
  // [/sub_batch]
  std::printf("curvature of %zu samples, slopes of %zu\n", cheap.curvatures.shape(0), cheap.slopes.shape(0));

  // [batches]
  appended_ggn<goal, double> exact_matrix(theta);  // the Gram matrix of all columns
  accumulate(exact_matrix, data, samples, 16,
             [](std::size_t done, std::size_t total) { std::printf("%zu of %zu samples\n", done, total); });
  truncated_ggn<goal, double> kept(theta, 80);  // 80 eigenpairs, whatever comes
  accumulate(kept, data, samples, 16);
  std::printf("the largest of %zu eigenvalues: %.4f; truncated: %.4f, at most %.4f too small\n", exact_matrix.columns(),
              eigenvalues(exact_matrix.matrix())(0), kept.eigenvalues()(0), kept.spectral_error());
  // [/batches]

  // [neighbours]
  auto const n = derive<goal>(theta, data, gradient_gram, per_sample_ggn_diagonal, ggn_diagonal_from<monte_carlo<4>>(5),
                              ekfac<expand>, per_sample_gradient_operator);
  auto const similar = n[gradient_gram];                  // <g_n, g_m>, [64, 64], no gradient formed
  auto const h = hessian_diagonal_of<goal>(theta, data);  // by signed roots: Gauss-Newton part and residual
  auto const natural = solve(n[ekfac<expand>] + 0.1 * identity, h.diagonal);
  // [/neighbours]
  std::printf(
      "<g_0, g_1> = %.2e, trace of the Hessian %.4f, natural %.4f, of one sample %.4f, drawn %.4f\n", similar(0, 1),
      [&] {
        double total = 0;
        for (double v : elements(h.diagonal)) total += v;
        return total;
      }(),
      natural(0), n[per_sample_ggn_diagonal](0, 0), n[ggn_diagonal_from<monte_carlo<4>>][0]);
}
