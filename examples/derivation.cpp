// What derive offers: workspaces, views, K-FAC's factors, directions, the plan in words.

#include <cmath>
#include <cstdio>
#include <kappa/kappa.hpp>
#include <vector>

using namespace kappa;

// [declaration]
struct net : network<input<8, 16> | dense<32> | act::gelu | mean_over_positions | dense<4>> {};
struct goal : objective<net, cross_entropy> {};
// [/declaration]

int main() {
  auto const theta = initialise<net, double>(7);
  std::vector<double> inputs(64 * 8 * 16), v(static_cast<std::size_t>(net::parameter_count), 0.1);
  std::vector<int> labels(64);
  counter_random random(1);
  for (double& x : inputs) x = random.normal();
  for (int& y : labels) y = static_cast<int>(random.below(4));

  // [workspace]
  auto work = workspace_for<goal, double>(64, loss_value, gradient, ggn);  // one allocation, up to 64 samples
  for (int step = 0; step < 3; ++step) {
    auto const q = derive(work, theta, batch(inputs, labels), loss_value, gradient, ggn);  // allocates nothing
    std::printf("loss %.6f, trace of the Gauss-Newton matrix %.6f\n", q[loss_value], trace(q[ggn]));
  }
  static_assert(workspace<goal, double, gradient_t>::bytes(64, 1) < 512 * 1024);  // known to the compiler
  // [/workspace]

  // [quantities]
  auto const q = derive<goal>(theta, batch(inputs, labels), loss_value, gradient, per_sample_gradient,
                              per_sample_gradient_norms, gradient_variance, ggn_diagonal, ggn_vector_product(v),
                              hessian_vector_product(v), kfac<reduce>, kfac<expand, monte_carlo<4>>(42));
  std::span<double const> const g = q[gradient];                       // [P]
  matrix_view<double> const rows = q[per_sample_gradient];             // [N, P], the rows sum to the gradient
  std::span<double const> const norms = q[per_sample_gradient_norms];  // [N]
  std::span<double const> const product = q[ggn_vector_product];       // [P]
  auto const step = solve(q[kfac<reduce>] + 0.01 * identity, g);       // an operator of the algebra
  auto const factors = q.factors(kfac<expand, monte_carlo<4>>);        // A and B of every layer, as views
  // [/quantities]
  std::printf(
      "‖row 0‖ %.6f = %.6f, vᵀGv %.6f, step[0] %.6f, %zu layers, A is %zu x %zu\n", norms[0],
      [&] {
        double total = 0;
        for (double x : rows.row(0)) total += x * x;
        return std::sqrt(total);
      }(),
      [&] {
        double total = 0;
        for (std::size_t i = 0; i < v.size(); ++i) total += v[i] * product[i];
        return total;
      }(),
      step(0), factors.size(), factors[0].inputs.rows, factors[0].inputs.columns);

  // [directions]
  auto const curvature = derive<goal>(theta, batch(inputs, labels), gradient, ggn);
  auto const d = directional_derivatives_of(curvature, 3);   // eigenvalues, slopes [N, 3], curvatures [N, 3]
  auto const directions = directions_of(curvature[ggn], d);  // the eigenvectors themselves, [3, P]
  // [/directions]
  std::printf("leading eigenvalues %.4f %.4f %.4f; sample 0: slope %.4f, curvature %.4f along the first of %zu\n",
              d.eigenvalues(0), d.eigenvalues(1), d.eigenvalues(2), d.slopes(0, 0), d.curvatures(0, 0),
              directions.shape(0));

  // [explain]
  explanation const plan = explain<goal>(loss_value, gradient, ggn);
  std::printf("%s", plan.text.c_str());  // plan.dot is the same as a graph for Graphviz
  // [/explain]
  // [coverage]
  auto const blocks = coverage<net>();  // or coverage<net>(expand), coverage<net>(reduce, separate_bias)
  std::printf("%s", blocks.text.c_str());
  curvature_block const& first = blocks.blocks.front();  // the same as values
  std::printf("%s: parameters %zu to %zu\n", first.title.c_str(), first.first, first.first + first.size - 1);
  // [/coverage]
}
